package main

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/mergepatch"
)

// invalid marks an error about a value that does not fit its schema, which the libraries give no type.
type invalid struct{ error }

func (i invalid) Unwrap() error { return i.error }

// messages are parts of messages of errors that have no type of their own, and the class they stand for.
var messages = []struct{ part, class string }{
	{"does not contain declared merge key", "no_merge_key"},
	{"cannot find merge key", "no_merge_key"},
	{"unknown patch type", "bad_directive"},
	{"merging lists cannot yet be specified in the patch", "bad_directive"},
	{"invalid value for special key", "bad_directive"},
	{"The order in patch list", "order_mismatch"},
	{"unable to find api field", "schema"},
	{"data type is not struct", "schema"},
	{"expected slice or array type", "schema"},
	{"unexpected slice of slice", "schema"},
	{"cannot merge lists without merge key", "no_merge_key"},
	{"list element types are not identical", "type"},
	{"no elements in any of the given slices", "type"},
	{"expected a ", "type"},
	{"unknown type: ", "type"},
	{"is not a map", "type"},
	{"invalid element type in merging list", "type"},
}

func class(err error) string {
	var notFits invalid
	switch {
	case mergepatch.IsConflict(err):
		return "conflict"
	case mergepatch.IsPreconditionFailed(err), strings.HasPrefix(err.Error(), "precondition failed"):
		return "precondition"
	case errors.Is(err, mergepatch.ErrBadJSONDoc):
		return "bad_json"
	case errors.Is(err, mergepatch.ErrNoListOfLists):
		return "type"
	case errors.Is(err, mergepatch.ErrBadPatchFormatForPrimitiveList):
		return "bad_delete_from_primitive_list"
	case errors.Is(err, mergepatch.ErrBadPatchFormatForRetainKeys), errors.Is(err, mergepatch.ErrPatchContentNotMatchRetainKeys):
		return "bad_retain_keys"
	case errors.Is(err, mergepatch.ErrBadPatchFormatForSetElementOrderList):
		return "bad_set_element_order"
	case runtime.IsNotRegisteredError(err):
		return "unregistered_kind"
	case errors.As(err, &notFits):
		return "invalid"
	}
	for _, known := range messages {
		if strings.Contains(err.Error(), known.part) {
			return known.class
		}
	}
	return "other"
}
