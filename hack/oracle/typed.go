package main

import (
	"encoding/json"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// typedOps are the operations of structured-merge-diff that everything about ownership is made of.
func (s *server) typedOps(req *request) (answer, error) {
	parseable, err := s.schemas.parseable(req.Schema)
	if err != nil {
		return nil, err
	}
	lhs, err := typedValue(parseable, req.LHS)
	if err != nil {
		return nil, err
	}
	rhs, err := typedValue(parseable, req.RHS)
	if err != nil {
		return nil, err
	}

	compared, err := lhs.Compare(rhs)
	if err != nil {
		return nil, invalid{err}
	}
	comparison := map[string]any{}
	for name, set := range map[string]*fieldpath.Set{
		"added": compared.Added, "modified": compared.Modified, "removed": compared.Removed,
	} {
		if comparison[name], err = fields(set); err != nil {
			return nil, err
		}
	}
	set, err := rhs.ToFieldSet()
	if err != nil {
		return nil, invalid{err}
	}
	encoded, err := fields(set)
	if err != nil {
		return nil, err
	}
	result := answer{
		"compare":   comparison,
		"field_set": encoded,
		"remove":    lhs.RemoveItems(set).AsValue().Unstructured(),
		"extract":   lhs.ExtractItems(set.Leaves(), typed.WithAppendKeyFields()).AsValue().Unstructured(),
	}
	if merged, err := lhs.Merge(rhs); err != nil {
		result["merge_error"] = err.Error()
	} else {
		result["merge"] = merged.AsValue().Unstructured()
	}
	return result, nil
}

func typedValue(parseable typed.ParseableType, document json.RawMessage) (*typed.TypedValue, error) {
	value, err := decode(document)
	if err != nil {
		return nil, err
	}
	fits, err := parseable.FromUnstructured(value, typed.AllowDuplicates)
	if err != nil {
		return nil, invalid{err}
	}
	return fits, nil
}

func fields(set *fieldpath.Set) (json.RawMessage, error) {
	encoded, err := set.ToJSON()
	return json.RawMessage(encoded), err
}
