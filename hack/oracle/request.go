package main

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/runtime/schema"
	sigsjson "sigs.k8s.io/json"
)

// request has the input fields of every operation; see README.md. Documents are kept as text, so that numbers and
// duplicate keys arrive as they were written; a field "…_text" holds a document as a string and wins.
type request struct {
	Op string `json:"op"`

	Kind   kind      `json:"kind"`
	Schema schemaRef `json:"schema"`
	// "go" (the default) or "openapi_v3": where strategic merges look up a kind's fields.
	Source string `json:"source"`

	Original     json.RawMessage `json:"original"`
	OriginalText *string         `json:"original_text"`
	Modified     json.RawMessage `json:"modified"`
	ModifiedText *string         `json:"modified_text"`
	Current      json.RawMessage `json:"current"`
	CurrentText  *string         `json:"current_text"`
	Patch        json.RawMessage `json:"patch"`
	PatchText    *string         `json:"patch_text"`

	Overwrite     bool     `json:"overwrite"`
	Preconditions []string `json:"preconditions"`
	Create        *struct {
		Original json.RawMessage `json:"original"`
		Modified json.RawMessage `json:"modified"`
	} `json:"create"`

	Live        json.RawMessage `json:"live"`
	Applied     json.RawMessage `json:"applied"`
	Updated     json.RawMessage `json:"updated"`
	Manager     string          `json:"manager"`
	Subresource string          `json:"subresource"`
	Force       bool            `json:"force"`
	// Treats an object without managed fields as the API server does, not as structured-merge-diff alone.
	BeforeFirstApply bool `json:"before_first_apply"`
	// Also asks the API server's own FieldManager, and fails where it says something else.
	FieldManager bool `json:"field_manager"`

	LHS json.RawMessage `json:"lhs"`
	RHS json.RawMessage `json:"rhs"`

	OpenAPI json.RawMessage `json:"openapi"`
}

type kind struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func (k kind) gvk() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(k.APIVersion, k.Kind)
}

// schemaRef names a type: of a schema that was registered, of the built-in kinds ("schema_smd.yaml"), or "deduced".
type schemaRef struct {
	File string `json:"file"`
	Type string `json:"type"`
}

func text(document json.RawMessage, text *string) []byte {
	if text != nil {
		return []byte(*text)
	}
	return []byte(document)
}

// decode reads a document as the API server does: whole numbers that fit are int64, all others float64.
func decode(document []byte) (any, error) {
	var value any
	if err := sigsjson.UnmarshalCaseSensitivePreserveInts(document, &value); err != nil {
		return nil, err
	}
	return value, nil
}

func decodeObject(document []byte) (map[string]any, error) {
	var value map[string]any
	if err := sigsjson.UnmarshalCaseSensitivePreserveInts(document, &value); err != nil {
		return nil, err
	}
	return value, nil
}
