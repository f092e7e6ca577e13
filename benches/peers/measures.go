package main

import (
	"bytes"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

// manager is the field manager that applied the objects of the workload.
const manager = "gitops/shop"

// measure is a function that is timed. What it returns is hashed, outside the time, by another run of the same function.
type measure func(*input) (any, error)

var measures = map[string]measure{
	"parse":           parse,
	"three-way":       threeWay,
	"three-way-apply": threeWayApply,
	"merge-compare":   mergeCompare,
	"apply":           apply,
	"argo-diff":       argoDiff,
	"argo-structured": argoStructured,
}

// parse does what every three-way merge from bytes begins with.
func parse(in *input) (any, error) {
	var trees [3]map[string]any
	for i, text := range [][]byte{in.lastApplied, in.desired, in.live} {
		if err := utiljson.Unmarshal(text, &trees[i]); err != nil {
			return nil, err
		}
	}
	return trees, nil
}

func threeWay(in *input) (any, error) {
	patch, err := threeWayPatch(in)
	return lazyTree(patch), err
}

func threeWayPatch(in *input) ([]byte, error) {
	if in.structure == nil {
		return jsonmergepatch.CreateThreeWayJSONMergePatch(in.lastApplied, in.desired, in.live)
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(in.structure)
	if err != nil {
		return nil, err
	}
	return strategicpatch.CreateThreeWayMergePatch(in.lastApplied, in.desired, in.live, meta, true)
}

func threeWayApply(in *input) (any, error) {
	patch, err := threeWayPatch(in)
	if err != nil {
		return nil, err
	}
	if in.structure == nil {
		merged, err := jsonpatch.MergePatch(in.live, patch)
		return lazyTree(merged), err
	}
	merged, err := strategicpatch.StrategicMergePatch(in.live, patch, in.structure)
	return lazyTree(merged), err
}

type comparison struct {
	Added    lazyFields `json:"added"`
	Merged   any        `json:"merged"`
	Modified lazyFields `json:"modified"`
	Removed  lazyFields `json:"removed"`
}

func mergeCompare(in *input) (any, error) {
	live, err := in.typed(in.bareLive, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	desired, err := in.typed(in.desiredObject)
	if err != nil {
		return nil, err
	}
	merged, err := live.Merge(desired)
	if err != nil {
		return nil, err
	}
	compared, err := live.Compare(merged)
	if err != nil {
		return nil, err
	}
	return comparison{
		Added:    lazyFields{compared.Added},
		Merged:   merged.AsValue().Unstructured(),
		Modified: lazyFields{compared.Modified},
		Removed:  lazyFields{compared.Removed},
	}, nil
}

// sameVersion converts nothing: all managers of the workload write one version.
type sameVersion struct{}

func (sameVersion) Convert(object *typed.TypedValue, _ fieldpath.APIVersion) (*typed.TypedValue, error) {
	return object, nil
}

func (sameVersion) IsMissingVersionError(error) bool { return false }

// identity is what the API server takes out of the fields of whoever applies.
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

type applied struct {
	Managed map[string]lazyTree `json:"managed"`
	Object  any                 `json:"object"`
}

// apply is server-side apply with conflicts overruled: the managed fields are read, and written again.
func apply(in *input) (any, error) {
	managers := fieldpath.ManagedFields{}
	for _, entry := range in.managed {
		set := fieldpath.Set{}
		if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.Raw)); err != nil {
			return nil, err
		}
		version, applied := fieldpath.APIVersion(entry.APIVersion), entry.Operation == metav1.ManagedFieldsOperationApply
		managers[identifier(&entry)] = fieldpath.NewVersionedSet(&set, version, applied)
	}
	live, err := in.typed(in.bareLive, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	desired, err := in.typed(in.desiredObject)
	if err != nil {
		return nil, err
	}
	updater := merge.Updater{Converter: sameVersion{}}
	ours := manager + " Apply "
	merged, managers, err := updater.Apply(live, desired, fieldpath.APIVersion(in.desiredObject.GetAPIVersion()), managers, ours, true)
	if err != nil {
		return nil, err
	}
	if set, ok := managers[ours]; ok {
		managers[ours] = fieldpath.NewVersionedSet(set.Set().Difference(identity), set.APIVersion(), set.Applied())
	}
	// Nothing is merged when nothing changes.
	object := in.bareLive.Object
	if merged != nil {
		object, _ = merged.AsValue().Unstructured().(map[string]any)
	}
	managed := make(map[string]lazyTree, len(managers))
	for name, set := range managers {
		text, err := set.Set().ToJSON()
		if err != nil {
			return nil, err
		}
		managed[name] = text
	}
	return applied{managed, object}, nil
}

func identifier(entry *metav1.ManagedFieldsEntry) string {
	return fmt.Sprintf("%s %s %s", entry.Manager, entry.Operation, entry.Subresource)
}

func argoDiff(in *input) (any, error) {
	return modified(diff.Diff(in.desiredObject, in.liveObject))
}

func argoStructured(in *input) (any, error) {
	if in.structure == nil {
		return modified(diff.Diff(in.desiredObject, in.liveObject))
	}
	return modified(diff.Diff(in.desiredObject, in.liveObject,
		diff.WithStructuredMergeDiff(true), diff.WithGVKParser(in.schemas.parser), diff.WithManager(manager)))
}

func modified(result *diff.DiffResult, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return result.Modified, nil
}
