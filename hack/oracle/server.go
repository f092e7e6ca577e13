package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// How often an operation is carried out. Go walks its maps in random order, and what depends on that is no reference for
// anybody: which of several errors comes first, or whether a list is merged before or after items are deleted from it.
const (
	runs             = 3
	runsWhereItHurts = 100
)

type server struct {
	schemas schemas
	ops     map[string]func(*request) (answer, error)
}

func newServer() *server {
	s := &server{schemas: newSchemas()}
	s.ops = map[string]func(*request) (answer, error){
		"schema":           s.addSchema,
		"kinds":            s.kinds,
		"strategic_merge":  s.strategicMerge,
		"two_way":          s.twoWay,
		"three_way":        s.threeWay,
		"json_merge_patch": s.jsonMergePatch,
		"three_way_json":   s.threeWayJSON,
		"ssa":              s.serverSideApply,
		"ssa_update":       s.serverSideUpdate,
		"smd_ops":          s.typedOps,
	}
	return s
}

// answer is what is said about a request. Its fields are those that a vector file has beside the inputs.
type answer map[string]any

func (s *server) answer(line []byte) answer {
	req := &request{}
	if err := json.Unmarshal(line, req); err != nil {
		return answer{"bad_request": err.Error()}
	}
	run, ok := s.ops[req.Op]
	if !ok {
		return answer{"bad_request": fmt.Sprintf("unknown op %q", req.Op)}
	}
	if req.Op == "schema" || req.Op == "kinds" {
		return attempt(run, req)
	}

	first := attempt(run, req)
	classes := []string{classOf(first)}
	stable := true
	times := runs
	if classes[0] != "" || bytes.Contains(line, []byte("$deleteFromPrimitiveList")) {
		times = runsWhereItHurts
	}
	for range times {
		again := attempt(run, req)
		if same(first, again) {
			continue
		}
		// The words of an error may name whatever came first; its class is what counts.
		if class := classOf(again); class == "" || class != classes[0] {
			stable = false
			classes = append(classes, class)
		}
	}
	if !stable {
		first["unstable"] = classes
	}
	return first
}

// attempt runs one operation. What fails is part of the answer, a panic too.
func attempt(run func(*request) (answer, error), req *request) (result answer) {
	defer func() {
		if thrown := recover(); thrown != nil {
			result = failure("panic", fmt.Sprint(thrown))
		}
	}()
	result, err := run(req)
	if err != nil {
		return failure(class(err), err.Error())
	}
	return result
}

func failure(class, message string) answer {
	return answer{"error": map[string]any{"class": class, "message": message}}
}

func classOf(a answer) string {
	if found, ok := a["error"].(map[string]any); ok {
		return found["class"].(string)
	}
	return ""
}

func same(a, b answer) bool {
	left, errLeft := json.Marshal(a)
	right, errRight := json.Marshal(b)
	return errLeft == nil && errRight == nil && bytes.Equal(left, right)
}
