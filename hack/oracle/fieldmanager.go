package main

import (
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
)

// crossCheck asks the API server's own FieldManager the same, if the request wants that.
func (s *server) crossCheck(req *request, result answer) (answer, error) {
	// It has no subresources in this form.
	if !req.FieldManager || req.Subresource != "" {
		return result, nil
	}
	live, err := decodeObject(req.Live)
	if err != nil {
		return nil, err
	}
	liveObject := &unstructured.Unstructured{Object: live}
	entriesBefore := liveObject.GetManagedFields()
	// Nor does it tell API versions apart.
	otherVersion := func(entry metav1.ManagedFieldsEntry) bool { return entry.APIVersion != req.Kind.APIVersion }
	isNobodys := len(entriesBefore) == 0 && !req.BeforeFirstApply
	if isNobodys || slices.ContainsFunc(entriesBefore, otherVersion) {
		return result, nil
	}
	converter, err := s.schemas.converter(req.Schema)
	if err != nil {
		return nil, err
	}
	manager := managedfieldstest.NewFakeFieldManager(converter, req.Kind.gvk())
	document := req.Applied
	if req.Op == "ssa_update" {
		document = req.Updated
	}
	object, err := decodeObject(document)
	if err != nil {
		return nil, err
	}
	var got *unstructured.Unstructured
	if req.Op == "ssa_update" {
		updated := &unstructured.Unstructured{Object: object}
		updated.SetManagedFields(entriesBefore)
		answered, err := manager.Update(liveObject, updated, req.Manager)
		if err != nil {
			return nil, err
		}
		got = answered.(*unstructured.Unstructured)
	} else {
		answered, err := manager.Apply(liveObject, &unstructured.Unstructured{Object: object}, req.Manager, req.Force)
		if err != nil {
			return nil, err
		}
		got = answered.(*unstructured.Unstructured)
	}
	entries := []metav1.ManagedFieldsEntry{}
	for _, entry := range got.GetManagedFields() {
		entry.Time = nil
		entries = append(entries, entry)
	}
	got.SetManagedFields(nil)
	if err := mustBeSame("managedFields", sorted(entries), result["expected_managedFields"]); err != nil {
		return nil, err
	}
	// It makes room for managed fields where there is no metadata.
	if len(metadataOf(got)) == 0 && !hasMetadata(result["expected_object"]) {
		delete(got.Object, "metadata")
	}
	if err := mustBeSame("object", got.Object, result["expected_object"]); err != nil {
		return nil, err
	}
	result["field_manager"] = true
	return result, nil
}

func metadataOf(object *unstructured.Unstructured) map[string]any {
	metadata, _ := object.Object["metadata"].(map[string]any)
	return metadata
}

func hasMetadata(object any) bool {
	fields, ok := object.(map[string]any)
	return ok && fields["metadata"] != nil
}

func mustBeSame(what string, theirs, ours any) error {
	left, err := json.Marshal(theirs)
	if err != nil {
		return err
	}
	right, err := json.Marshal(ours)
	if err != nil {
		return err
	}
	a, err := decode(left)
	if err != nil {
		return err
	}
	b, err := decode(right)
	if err != nil {
		return err
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		return fmt.Errorf("the FieldManager has another %s: %s instead of %s", what, left, right)
	}
	return nil
}
