package main

import (
	"encoding/json"
	"reflect"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func (s *server) strategicMerge(req *request) (answer, error) {
	lookup, err := s.schemas.lookup(req)
	if err != nil {
		return nil, err
	}
	original, patch := text(req.Original, req.OriginalText), text(req.Patch, req.PatchText)
	merged, err := strategicpatch.StrategicMergePatchUsingLookupPatchMeta(original, patch, lookup)
	if err != nil {
		return nil, err
	}
	return answer{"expected": json.RawMessage(merged)}, nil
}

func (s *server) twoWay(req *request) (answer, error) {
	lookup, err := s.schemas.lookup(req)
	if err != nil {
		return nil, err
	}
	original, modified := text(req.Original, req.OriginalText), text(req.Modified, req.ModifiedText)
	patch, err := strategicpatch.CreateTwoWayMergePatchUsingLookupPatchMeta(original, modified, lookup)
	if err != nil {
		return nil, err
	}
	result := answer{"expected_patch": json.RawMessage(patch), "round_trips": false}
	applied := withResult(answer{}, func() ([]byte, error) {
		return strategicpatch.StrategicMergePatchUsingLookupPatchMeta(original, patch, lookup)
	})
	if merged, ok := applied["expected_result"].(json.RawMessage); ok {
		want, errWant := decode(modified)
		got, errGot := decode(merged)
		result["round_trips"] = errWant == nil && errGot == nil && reflect.DeepEqual(want, got)
	}
	return result, nil
}

func (s *server) threeWay(req *request) (answer, error) {
	lookup, err := s.schemas.lookup(req)
	if err != nil {
		return nil, err
	}
	original, modified := text(req.Original, req.OriginalText), text(req.Modified, req.ModifiedText)
	current := text(req.Current, req.CurrentText)
	patch, err := strategicpatch.CreateThreeWayMergePatch(
		original, modified, current, lookup, req.Overwrite, preconditions(req)...)
	if err != nil {
		return nil, err
	}
	result := answer{"expected_patch": json.RawMessage(patch)}
	return withResult(result, func() ([]byte, error) {
		return strategicpatch.StrategicMergePatchUsingLookupPatchMeta(current, patch, lookup)
	}), nil
}

func (s *server) jsonMergePatch(req *request) (answer, error) {
	result := answer{}
	merged, err := jsonpatch.MergePatch(text(req.Original, req.OriginalText), text(req.Patch, req.PatchText))
	if err != nil {
		result["kubernetes"] = map[string]any{"error": err.Error()}
	} else {
		result["kubernetes"] = map[string]any{"expected": json.RawMessage(merged)}
	}
	if req.Create != nil {
		patch, err := jsonpatch.CreateMergePatch(req.Create.Original, req.Create.Modified)
		if err != nil {
			return nil, err
		}
		result["create"] = map[string]any{"expected_patch": json.RawMessage(patch)}
	}
	return result, nil
}

func (s *server) threeWayJSON(req *request) (answer, error) {
	original, modified := text(req.Original, req.OriginalText), text(req.Modified, req.ModifiedText)
	current := text(req.Current, req.CurrentText)
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, current, preconditions(req)...)
	if err != nil {
		return nil, err
	}
	result := answer{"expected_patch": json.RawMessage(patch)}
	return withResult(result, func() ([]byte, error) { return jsonpatch.MergePatch(current, patch) }), nil
}

// withResult adds what a patch that was just made does to the live object.
func withResult(result answer, apply func() ([]byte, error)) answer {
	merged := attempt(func(*request) (answer, error) {
		merged, err := apply()
		return answer{"expected_result": json.RawMessage(merged)}, err
	}, nil)
	if failure, ok := merged["error"]; ok {
		result["result_error"] = failure
	} else {
		result["expected_result"] = merged["expected_result"]
	}
	return result
}

// preconditions are those of kubectl, by the field that must not change.
func preconditions(req *request) []mergepatch.PreconditionFunc {
	var found []mergepatch.PreconditionFunc
	for _, field := range req.Preconditions {
		if field == "metadata.name" {
			found = append(found, mergepatch.RequireMetadataKeyUnchanged("name"))
		} else {
			found = append(found, mergepatch.RequireKeyUnchanged(field))
		}
	}
	return found
}
