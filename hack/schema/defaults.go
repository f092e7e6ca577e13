package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	_ "github.com/gitops-rs/gitops/hack/schema/groups"
)

// defaulter finds out what the API server puts into fields that are not there.
//
// Only types below an atomic list or map are of interest: elsewhere an absent field is not compared. For each such type
// the API server's code reads and writes objects in which everything around the type is there: once with the type empty,
// and once for each of its fields with only that field missing. What the field is in all of them, in all places of all
// kinds that have the type, is its default. What depends on other fields is left out.
type defaulter struct {
	schemas map[string]spec.Schema
	seen    map[place]*values
}

// place is a field of a type.
type place struct{ owner, field string }

// values are what a field was found to be: one value, always, or not.
type values struct {
	first  interface{}
	differ bool
}

// addDefaults puts what the API server puts into absent fields beside their schemas.
func addDefaults(schemas map[string]spec.Schema, versions []groupVersion) error {
	d := &defaulter{schemas, map[place]*values{}}
	for _, version := range versions {
		for kind, name := range version.kinds {
			if err := d.kind(version.name, kind, name); err != nil {
				return fmt.Errorf("%s %s: %w", version.name, kind, err)
			}
		}
	}
	for place, values := range d.seen {
		if values.differ {
			fmt.Fprintln(os.Stderr, "depends on other fields:", place.owner, place.field)
		}
		if values.differ || values.first == nil {
			continue
		}
		property := schemas[place.owner].Properties[place.field]
		// A structure that is always there has the defaults of its fields.
		declared := normal(property.Default)
		if _, structure := declared.(map[string]interface{}); structure || reflect.DeepEqual(declared, values.first) {
			continue
		}
		extend(&property, serverDefault, values.first)
		schemas[place.owner].Properties[place.field] = property
	}
	return nil
}

// normal is a value as it is after writing and reading it.
func normal(value interface{}) interface{} {
	var again interface{}
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil {
		return nil
	}
	return again
}

// kind looks at all types below atomic lists and maps of a kind's objects.
func (d *defaulter) kind(version, kind, name string) error {
	atomic := map[string]bool{}
	d.atomic(name, false, nil, atomic)
	for owner := range atomic {
		if err := d.observe(version, kind, name, place{owner, ""}); err != nil {
			return err
		}
		for field := range d.schemas[owner].Properties {
			if err := d.observe(version, kind, name, place{owner, field}); err != nil {
				return err
			}
		}
	}
	return nil
}

// member is the named type of a property, of its items or its values; "" if it has none that is made of fields.
func (d *defaulter) member(schema *spec.Schema) string {
	for {
		if name := reference(schema); name != "" {
			if words[name] != "" || name == objectMeta || len(d.schemas[name].Properties) == 0 {
				return ""
			}
			return name
		}
		switch {
		case schema.Items != nil:
			schema = schema.Items.Schema
		case schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil:
			schema = schema.AdditionalProperties.Schema
		default:
			return ""
		}
	}
}

// atomic collects the types below atomic lists and maps.
func (d *defaulter) atomic(name string, inside bool, above []string, found map[string]bool) {
	if slices.Contains(above, name) {
		return
	}
	whole := d.schemas[name]
	inside = inside || whole.Extensions["x-kubernetes-map-type"] == "atomic"
	if inside {
		found[name] = true
	}
	for field, property := range whole.Properties {
		if len(above) == 0 && field == "status" {
			continue
		}
		below := inside || property.Extensions["x-kubernetes-map-type"] == "atomic"
		if property.Items != nil {
			list, err := listType(property.Extensions)
			below = below || err == nil && list == "[]"
		}
		if member := d.member(&property); member != "" {
			d.atomic(member, below, append(above, name), found)
		}
	}
}

// object is an object of a type in which all is there that is made of fields, but for what is missing.
func (d *defaulter) object(name string, missing place, above []string) map[string]interface{} {
	made := map[string]interface{}{}
	if slices.Contains(above, name) || missing == (place{name, ""}) {
		return made
	}
	for field, property := range d.schemas[name].Properties {
		if len(above) == 0 && field == "status" || missing == (place{name, field}) {
			continue
		}
		if member := d.member(&property); member != "" {
			made[field] = wrap(&property, d.object(member, missing, append(above, name)))
		}
	}
	return made
}

// wrap puts an object into the lists and maps that a schema has around it.
func wrap(schema *spec.Schema, object interface{}) interface{} {
	switch {
	case reference(schema) != "":
		return object
	case schema.Items != nil:
		return []interface{}{wrap(schema.Items.Schema, object)}
	default:
		return map[string]interface{}{"key": wrap(schema.AdditionalProperties.Schema, object)}
	}
}

// observe looks at what the API server makes of an object with something missing.
func (d *defaulter) observe(version, kind, name string, missing place) error {
	object := d.object(name, missing, nil)
	object["apiVersion"], object["kind"] = version, kind
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	groupVersion, err := schema.ParseGroupVersion(version)
	if err != nil {
		return err
	}
	codec := legacyscheme.Codecs.LegacyCodec(groupVersion)
	decoded, err := runtime.Decode(codec, text)
	if err != nil {
		return fmt.Errorf("without %v: %w", missing, err)
	}
	if text, err = runtime.Encode(codec, decoded); err != nil {
		return fmt.Errorf("without %v: %w", missing, err)
	}
	var result interface{}
	if err := json.Unmarshal(text, &result); err != nil {
		return err
	}
	d.collect(name, result, missing, nil)
	return nil
}

// collect finds all places in an object where the missing field should be.
func (d *defaulter) collect(name string, value interface{}, missing place, above []string) {
	object, ok := value.(map[string]interface{})
	if !ok || slices.Contains(above, name) {
		return
	}
	for field, property := range d.schemas[name].Properties {
		if len(above) == 0 && field == "status" {
			continue
		}
		if name == missing.owner && (field == missing.field || missing.field == "") {
			d.note(place{name, field}, object[field])
		}
		if member := d.member(&property); member != "" {
			unwrap(&property, object[field], func(value interface{}) {
				d.collect(member, value, missing, append(above, name))
			})
		}
	}
}

func unwrap(schema *spec.Schema, value interface{}, then func(interface{})) {
	if reference(schema) != "" {
		then(value)
		return
	}
	switch value := value.(type) {
	case []interface{}:
		for _, item := range value {
			unwrap(schema.Items.Schema, item, then)
		}
	case map[string]interface{}:
		for _, item := range value {
			unwrap(schema.AdditionalProperties.Schema, item, then)
		}
	}
}

func (d *defaulter) note(place place, value interface{}) {
	property := d.schemas[place.owner].Properties[place.field]
	if word := words[reference(&property)]; word == "time" || word == "microtime" {
		// It would be the time of this run.
		return
	}
	known, ok := d.seen[place]
	if !ok {
		d.seen[place] = &values{first: value}
	} else if !reflect.DeepEqual(known.first, value) {
		known.differ = true
	}
}
