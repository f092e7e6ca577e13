package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVectors asks the oracle for what the shared vectors say and compares. The vectors lie beside the directory that
// GITOPS_REFERENCE names.
func TestVectors(t *testing.T) {
	reference := os.Getenv("GITOPS_REFERENCE")
	if reference == "" {
		t.Skip("GITOPS_REFERENCE names no directory with vectors beside it")
	}
	vectors := filepath.Join(filepath.Dir(filepath.Clean(reference)), "vectors")
	s := newServer()
	openapi, err := os.ReadFile(filepath.Join(vectors, "schema", "schema_custom_openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	registered := s.ops["schema"]
	if _, err := registered(&request{Schema: schemaRef{File: "schema_custom_smd.yaml"}, OpenAPI: openapi}); err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{
		"strategic_merge", "two_way", "three_way", "json_merge_patch", "three_way_json", "ssa", "ssa_update", "smd_ops",
	} {
		t.Run(op, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join(vectors, op+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var file struct{ Cases []map[string]json.RawMessage }
			if err := json.Unmarshal(content, &file); err != nil {
				t.Fatal(err)
			}
			agreed, crossed := 0, 0
			for _, c := range file.Cases {
				c["op"], _ = json.Marshal(op)
				c["field_manager"] = json.RawMessage("true")
				line, err := json.Marshal(c)
				if err != nil {
					t.Fatal(err)
				}
				got := s.answer(line)
				if agrees(t, string(c["name"]), c, got) {
					agreed++
				}
				if got["field_manager"] == true {
					crossed++
				}
				variant, ok := c["openapi_v3"]
				if !ok {
					continue
				}
				c["source"] = json.RawMessage(`"openapi_v3"`)
				line, err = json.Marshal(c)
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]json.RawMessage{}
				if err := json.Unmarshal(variant, &want); err != nil {
					t.Fatal(err)
				}
				agrees(t, string(c["name"])+" openapi_v3", want, s.answer(line))
			}
			t.Logf("%d of %d agree, %d of them also asked of the FieldManager", agreed, len(file.Cases), crossed)
		})
	}
}

var inputs = map[string]bool{
	"op": true, "name": true, "origin": true, "description": true, "kind": true, "schema": true, "original": true,
	"modified": true, "current": true, "patch": true, "overwrite": true, "preconditions": true, "live": true,
	"applied": true, "updated": true, "manager": true, "subresource": true, "force": true, "lhs": true, "rhs": true,
	"field_manager": true, "source": true, "openapi_v3": true,
}

func agrees(t *testing.T, name string, want map[string]json.RawMessage, got answer) bool {
	t.Helper()
	encoded, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	answered := map[string]json.RawMessage{}
	if err := json.Unmarshal(encoded, &answered); err != nil {
		t.Fatal(err)
	}
	if why, ok := got["unstable"]; ok {
		t.Logf("%s: unstable: %v", name, why)
	}
	for field, value := range want {
		if inputs[field] || strings.HasSuffix(field, "_text") {
			continue
		}
		found := answered[field]
		if field == "expected" && want["patch"] != nil && answered["kubernetes"] != nil {
			// RFC 7386: the reference is named only where it differs.
			if want["kubernetes"] != nil {
				continue
			}
			found = member(answered["kubernetes"], "expected")
		}
		if field == "create" {
			value, found = member(value, "expected_patch"), member(found, "expected_patch")
		}
		if field == "kubernetes" && member(value, "error") != nil && member(found, "error") != nil {
			continue
		}
		if field == "error" || field == "result_error" {
			value, found = member(value, "class"), member(found, "class")
		}
		if found == nil || !equal(parsed(t, value), parsed(t, found)) {
			t.Errorf("%s: %s is %s instead of %s", name, field, encoded, value)
			return false
		}
	}
	return true
}

func member(object json.RawMessage, name string) json.RawMessage {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members[name]
}

func parsed(t *testing.T, document json.RawMessage) any {
	t.Helper()
	value, err := decode(document)
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return value
}

// equal compares numbers as numbers: the vectors write floats without an exponent.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			other, ok := b[key]
			if !ok || !equal(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	x, isNumber := number(a)
	y, isNumberToo := number(b)
	if isNumber && isNumberToo {
		return x == y
	}
	return a == b
}

func number(value any) (float64, bool) {
	switch value := value.(type) {
	case int64:
		return float64(value), true
	case float64:
		return value, true
	}
	return 0, false
}
