package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// identity is what the API server never records an owner of (managedfields/internal/stripmeta.go).
var identity = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"),
	fieldpath.MakePathOrDie("kind"),
	fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "name"),
	fieldpath.MakePathOrDie("metadata", "namespace"),
	fieldpath.MakePathOrDie("metadata", "creationTimestamp"),
	fieldpath.MakePathOrDie("metadata", "selfLink"),
	fieldpath.MakePathOrDie("metadata", "uid"),
	fieldpath.MakePathOrDie("metadata", "clusterName"),
	fieldpath.MakePathOrDie("metadata", "generation"),
	fieldpath.MakePathOrDie("metadata", "managedFields"),
	fieldpath.MakePathOrDie("metadata", "resourceVersion"),
)

// current stands for the writer of an update while it is computed; its earlier entry then counts as somebody else's.
const current = "current-operation"

// oneVersion is a converter for objects of a single API version.
type oneVersion struct{ version fieldpath.APIVersion }

var errOtherVersion = errors.New("another API version")

func (v oneVersion) Convert(object *typed.TypedValue, version fieldpath.APIVersion) (*typed.TypedValue, error) {
	if version != v.version {
		return nil, errOtherVersion
	}
	return object, nil
}

func (oneVersion) IsMissingVersionError(err error) bool { return errors.Is(err, errOtherVersion) }

// write is one write to a live object that has managed fields.
type write struct {
	version  fieldpath.APIVersion
	updater  merge.Updater
	managers fieldpath.ManagedFields
	live     *unstructured.Unstructured
	typed    *typed.TypedValue
	object   *typed.TypedValue
}

// prepare reads both objects, and with owners who owned what in the live one so far.
func (s *server) prepare(
	req *request, document json.RawMessage, owners ownersOf, options ...typed.ValidationOptions,
) (*write, error) {
	parseable, err := s.schemas.parseable(req.Schema)
	if err != nil {
		return nil, err
	}
	live, err := decodeObject(req.Live)
	if err != nil {
		return nil, err
	}
	object, err := decodeObject(document)
	if err != nil {
		return nil, err
	}
	w := &write{version: fieldpath.APIVersion(req.Kind.APIVersion), live: &unstructured.Unstructured{Object: live}}
	w.updater = merge.Updater{Converter: oneVersion{w.version}}
	if w.managers, err = owners(w.live); err != nil {
		return nil, err
	}
	w.live.SetManagedFields(nil)
	if w.object, err = parseable.FromUnstructured(object, options...); err != nil {
		return nil, invalid{err}
	}
	if w.typed, err = parseable.FromUnstructured(live, typed.AllowDuplicates); err != nil {
		return nil, invalid{err}
	}
	return w, nil
}

func (s *server) serverSideApply(req *request) (answer, error) {
	w, err := s.prepare(req, req.Applied, managersOf)
	if err != nil {
		return nil, err
	}
	self, err := identifier(metav1.ManagedFieldsEntry{
		Manager: req.Manager, Operation: metav1.ManagedFieldsOperationApply, Subresource: req.Subresource,
	})
	if err != nil {
		return nil, err
	}
	if req.BeforeFirstApply {
		if err := w.beforeFirstApply(req.Subresource); err != nil {
			return nil, err
		}
	}
	merged, managers, err := w.updater.Apply(w.typed, w.object, w.version, w.managers, self, req.Force)
	var conflicts merge.Conflicts
	if errors.As(err, &conflicts) {
		listed, err := describe(conflicts)
		return answer{"conflicts": listed}, err
	}
	if err != nil {
		return nil, invalid{err}
	}
	strip(managers, self)
	entries, err := encode(managers)
	if err != nil {
		return nil, err
	}
	result := answer{"conflicts": []any{}, "no_op": merged == nil, "expected_managedFields": entries}
	if merged == nil {
		result["expected_object"] = w.live.Object
	} else {
		result["expected_object"] = merged.AsValue().Unstructured()
	}
	return s.crossCheck(req, result)
}

func (s *server) serverSideUpdate(req *request) (answer, error) {
	w, err := s.prepare(req, req.Updated, managersOrNone, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	self, err := identifier(metav1.ManagedFieldsEntry{
		Manager: req.Manager, Operation: metav1.ManagedFieldsOperationUpdate, Subresource: req.Subresource,
		APIVersion: req.Kind.APIVersion,
	})
	if err != nil {
		return nil, err
	}
	// An object that nobody ever applied is tracked from its creation on, or not at all (skipnonapplied.go).
	if !req.BeforeFirstApply || len(w.managers) > 0 || w.live.GetUID() == "" {
		if err := w.update(self); err != nil {
			return nil, err
		}
	}
	entries, err := encode(w.managers)
	if err != nil {
		return nil, err
	}
	result := answer{
		"conflicts":              []any{},
		"expected_managedFields": entries,
		"expected_object":        withoutManagedFields(w.object.AsValue().Unstructured()),
	}
	return s.crossCheck(req, result)
}

// update records that a manager changes the live object (managedfieldsupdater.go).
func (w *write) update(self string) error {
	_, managers, err := w.updater.Update(w.typed, w.object, w.version, w.managers, current)
	if err != nil {
		return invalid{err}
	}
	strip(managers, current)
	if taken, ok := managers[current]; ok {
		delete(managers, current)
		if previous, ok := managers[self]; ok {
			taken = fieldpath.NewVersionedSet(taken.Set().Union(previous.Set()), taken.APIVersion(), taken.Applied())
		}
		managers[self] = taken
	}
	w.managers = managers
	return nil
}

// beforeFirstApply gives what is there to a manager of its own when there is none yet (skipnonapplied.go).
func (w *write) beforeFirstApply(subresource string) error {
	if len(w.managers) > 0 {
		return nil
	}
	self, err := identifier(metav1.ManagedFieldsEntry{
		Manager: "before-first-apply", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: subresource,
		APIVersion: string(w.version),
	})
	if err != nil {
		return err
	}
	identified := map[string]any{"apiVersion": w.live.GetAPIVersion(), "kind": w.live.GetKind()}
	empty, err := typed.AsTyped(value.NewValueInterface(identified), w.typed.Schema(), w.typed.TypeRef())
	if err != nil {
		return invalid{err}
	}
	created := &write{version: w.version, updater: w.updater, managers: w.managers, typed: empty, object: w.typed}
	if err := created.update(self); err != nil {
		return err
	}
	w.managers = created.managers
	return nil
}

// identifier is what tells one manager from another (managedfields/internal/managedfields.go, BuildManagerIdentifier).
func identifier(entry metav1.ManagedFieldsEntry) (string, error) {
	entry.FieldsType, entry.FieldsV1, entry.Time = "", nil, nil
	if entry.Operation == metav1.ManagedFieldsOperationApply {
		entry.APIVersion = ""
	}
	encoded, err := json.Marshal(entry)
	return string(encoded), err
}

// check refuses what the API server does not read (managedfields/internal/managedfields.go, DecodeManagedFields).
func check(entry metav1.ManagedFieldsEntry) error {
	known := entry.Operation == metav1.ManagedFieldsOperationApply || entry.Operation == metav1.ManagedFieldsOperationUpdate
	if !known || entry.APIVersion == "" || entry.FieldsType != "FieldsV1" {
		return invalid{fmt.Errorf("managedFields of %q: operation, apiVersion or fieldsType", entry.Manager)}
	}
	return nil
}

type ownersOf func(live *unstructured.Unstructured) (fieldpath.ManagedFields, error)

// managersOrNone forgets what cannot be read, as every write does that is no apply
// (managedfields/internal/fieldmanager.go, emptyManagedFieldsOnErr).
func managersOrNone(live *unstructured.Unstructured) (fieldpath.ManagedFields, error) {
	if managers, err := managersOf(live); err == nil {
		return managers, nil
	}
	return fieldpath.ManagedFields{}, nil
}

func managersOf(live *unstructured.Unstructured) (fieldpath.ManagedFields, error) {
	managers := fieldpath.ManagedFields{}
	for _, entry := range live.GetManagedFields() {
		if err := check(entry); err != nil {
			return nil, err
		}
		set := &fieldpath.Set{}
		if entry.FieldsV1 != nil {
			if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
				return nil, fmt.Errorf("managedFields of %q: %w", entry.Manager, err)
			}
		}
		id, err := identifier(entry)
		if err != nil {
			return nil, err
		}
		applied := entry.Operation == metav1.ManagedFieldsOperationApply
		managers[id] = fieldpath.NewVersionedSet(set, fieldpath.APIVersion(entry.APIVersion), applied)
	}
	return managers, nil
}

func strip(managers fieldpath.ManagedFields, manager string) {
	entry, ok := managers[manager]
	if !ok {
		return
	}
	left := entry.Set().Difference(identity)
	if left.Empty() {
		delete(managers, manager)
		return
	}
	managers[manager] = fieldpath.NewVersionedSet(left, entry.APIVersion(), entry.Applied())
}

// encode writes managers as the API server does, without times.
func encode(managers fieldpath.ManagedFields) ([]metav1.ManagedFieldsEntry, error) {
	entries := []metav1.ManagedFieldsEntry{}
	for id, versioned := range managers {
		entry := metav1.ManagedFieldsEntry{}
		if err := json.Unmarshal([]byte(id), &entry); err != nil {
			return nil, err
		}
		fields, err := versioned.Set().ToJSON()
		if err != nil {
			return nil, err
		}
		entry.APIVersion = string(versioned.APIVersion())
		entry.FieldsType = "FieldsV1"
		entry.FieldsV1 = metav1.NewFieldsV1(string(fields))
		entries = append(entries, entry)
	}
	return sorted(entries), nil
}

func sorted(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	sort.Slice(entries, func(i, j int) bool { return before(entries[i], entries[j]) })
	return entries
}

func before(a, b metav1.ManagedFieldsEntry) bool {
	if a.Operation != b.Operation {
		return a.Operation < b.Operation
	}
	if a.Manager != b.Manager {
		return a.Manager < b.Manager
	}
	if a.APIVersion != b.APIVersion {
		return a.APIVersion < b.APIVersion
	}
	return a.Subresource < b.Subresource
}

func describe(conflicts merge.Conflicts) ([]map[string]any, error) {
	listed := []map[string]any{}
	for _, conflict := range conflicts {
		entry := metav1.ManagedFieldsEntry{}
		if err := json.Unmarshal([]byte(conflict.Manager), &entry); err != nil {
			return nil, err
		}
		elements := []string{}
		for _, element := range conflict.Path {
			text, err := fieldpath.SerializePathElement(element)
			if err != nil {
				return nil, err
			}
			elements = append(elements, text)
		}
		found := map[string]any{
			"manager": entry.Manager, "operation": entry.Operation,
			"path": conflict.Path.String(), "path_elements": elements,
		}
		if entry.APIVersion != "" {
			found["apiVersion"] = entry.APIVersion
		}
		if entry.Subresource != "" {
			found["subresource"] = entry.Subresource
		}
		listed = append(listed, found)
	}
	sort.Slice(listed, func(i, j int) bool { return fmt.Sprint(listed[i]) < fmt.Sprint(listed[j]) })
	return listed, nil
}

func withoutManagedFields(object any) any {
	fields, ok := object.(map[string]any)
	if !ok {
		return object
	}
	copied := (&unstructured.Unstructured{Object: fields}).DeepCopy()
	copied.SetManagedFields(nil)
	return copied.Object
}
