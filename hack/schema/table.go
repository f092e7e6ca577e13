package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

const header = `# The types of Kubernetes 1.36 as merges see them. Written by hack/schema/generate; do not edit.
#
#   kinds GROUP/VERSION PACKAGE KIND…   the kinds of a version; KIND@PACKAGE where another package has the same type
#   package PACKAGE                     the package of the types below
#   TYPE FIELD…                         a map with named fields; !TYPE: an atomic one
#   TYPE = EXPRESSION                   any other type
#
# FIELD is NAME:EXPRESSION, then ~STRATEGY or ~STRATEGY:KEY (strategic merge), then =DEFAULT (JSON), then ?DEFAULT (JSON)
# where the API server puts another value than that into an absent field below an atomic list or map. *EXPRESSION is a
# field in which the API server can tell zero values ("", 0, false, empty ones) from none. EXPRESSION is one of
#   str num bool                        scalars
#   quantity intstr time microtime duration bytes raw    scalars and objects with a meaning
#   any                                 any value (deduced)
#   TYPE PACKAGE.TYPE                   a type of the same or of another package
#   atomic(TYPE) separable(TYPE)        the same, merged otherwise than the type itself says
#   []E [*]E [KEY,KEY]E                 an atomic list, a set, a list with keys
#   {}E {!}E                            a map with any keys, an atomic one
`

// serverDefault is where a schema has what the API server puts into the absent field, if OpenAPI does not say it.
const serverDefault = "x-server-default"

// pointer is where a schema has whether Go has a pointer.
const pointer = "x-pointer"

// words are the types that have a word of their own.
var words = map[string]string{
	"io.k8s.apimachinery.pkg.api.resource.Quantity":   "quantity",
	"io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intstr",
	"io.k8s.apimachinery.pkg.apis.meta.v1.Time":       "time",
	"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime":  "microtime",
	"io.k8s.apimachinery.pkg.apis.meta.v1.Duration":   "duration",
	"io.k8s.apimachinery.pkg.runtime.RawExtension":    "raw",
}

// table is what is written: the kinds, and each type that they need once.
//
// Versions of a group often have types of one name and one content. Such types are one class, and only one of them, the
// most stable, is written.
type table struct {
	schemas  map[string]spec.Schema
	versions []groupVersion
	// The classes of the types that are needed, and for each class the type that stands for it.
	classes map[string]string
	chosen  map[string]string
}

func newTable() (*table, error) {
	t := &table{schemas: definitions(), classes: map[string]string{}, chosen: map[string]string{}}
	var err error
	if t.versions, err = kinds(t.schemas); err != nil {
		return nil, err
	}
	if err := addDefaults(t.schemas, t.versions); err != nil {
		return nil, err
	}
	for _, version := range t.versions {
		addPointers(t.schemas, version.goTypes)
	}
	for _, version := range t.versions {
		for _, name := range version.kinds {
			if err := t.need(name); err != nil {
				return nil, err
			}
		}
	}
	t.classify()
	return t, nil
}

// need adds a type and all that it refers to.
func (t *table) need(name string) error {
	if _, known := t.classes[name]; known || words[name] != "" {
		return nil
	}
	schema, ok := t.schemas[name]
	if !ok {
		return fmt.Errorf("%s: no such definition", name)
	}
	_, short, err := typeName(name)
	if err != nil {
		return err
	}
	t.classes[name] = short
	// Rendering visits all references, and finds what this program does not know.
	var missing error
	_, err = definition(short, schema, func(other string) string {
		if err := t.need(other); err != nil && missing == nil {
			missing = err
		}
		return other
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return missing
}

// classify puts types that have one name and one content into one class: it begins with one class per name, and splits
// classes whose types differ until none does.
func (t *table) classify() {
	for count := 0; ; {
		next := map[string]string{}
		lines := map[string]bool{}
		for name, class := range t.classes {
			_, short, _ := typeName(name)
			line, _ := definition(short, t.schemas[name], func(other string) string { return t.classes[other] })
			next[name] = class + "\n" + line
			lines[next[name]] = true
		}
		// Numbers keep the names of classes short; sorting keeps the numbers the same in each run.
		sorted := make([]string, 0, len(lines))
		for line := range lines {
			sorted = append(sorted, line)
		}
		sort.Strings(sorted)
		numbers := map[string]string{}
		for number, line := range sorted {
			numbers[line] = fmt.Sprintf("class-%d", number)
		}
		for name, line := range next {
			t.classes[name] = numbers[line]
		}
		if len(lines) == count {
			break
		}
		count = len(lines)
	}
	for name, class := range t.classes {
		if other, ok := t.chosen[class]; !ok || slices.Compare(rank(name), rank(other)) < 0 {
			t.chosen[class] = name
		}
	}
}

// rank sorts stable versions before beta before alpha, and then by name.
func rank(name string) []string {
	version, _, _ := typeName(name)
	stability := "0"
	if strings.Contains(version, "beta") {
		stability = "1"
	} else if strings.Contains(version, "alpha") {
		stability = "2"
	}
	return []string{stability, name}
}

// refer is how the table refers to a type from within a package.
func (t *table) refer(from string) func(string) string {
	return func(name string) string {
		in, short, _ := typeName(t.chosen[t.classes[name]])
		if in == from {
			return short
		}
		return in + "." + short
	}
}

func (t *table) write(out io.Writer) {
	fmt.Fprint(out, header)
	for _, version := range t.versions {
		in := ""
		names := make([]string, 0, len(version.kinds))
		for kind, name := range version.kinds {
			in, _, _ = typeName(name)
			names = append(names, kind)
		}
		sort.Strings(names)
		for at, kind := range names {
			// A class has types of one name only.
			if other, _, _ := typeName(t.chosen[t.classes[version.kinds[kind]]]); other != in {
				names[at] += "@" + other
			}
		}
		fmt.Fprintln(out, "kinds", version.name, in, strings.Join(names, " "))
	}
	packages := map[string][]string{}
	for _, name := range t.chosen {
		in, _, _ := typeName(name)
		packages[in] = append(packages[in], name)
	}
	names := make([]string, 0, len(packages))
	for name := range packages {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, in := range names {
		fmt.Fprintln(out, "package", in)
		sort.Strings(packages[in])
		for _, name := range packages[in] {
			_, short, _ := typeName(name)
			line, _ := definition(short, t.schemas[name], t.refer(in))
			fmt.Fprintln(out, line)
		}
	}
}

// definition is a type's line.
func definition(short string, schema spec.Schema, refer func(string) string) (string, error) {
	if len(schema.Properties) == 0 {
		text, err := expression(&schema, refer)
		return short + " = " + text, err
	}
	if schema.AdditionalProperties != nil {
		return "", fmt.Errorf("fields and any keys in one type")
	}
	line := short
	switch schema.Extensions["x-kubernetes-map-type"] {
	case nil, "granular":
	case "atomic":
		line = "!" + short
	default:
		return "", fmt.Errorf("unknown map type")
	}
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		property := schema.Properties[name]
		text, err := field(name, &property, refer)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		line += " " + text
	}
	return line, nil
}

func field(name string, schema *spec.Schema, refer func(string) string) (string, error) {
	text, err := expression(schema, refer)
	if err != nil {
		return "", err
	}
	if schema.Extensions[pointer] == true {
		text = "*" + text
	}
	text = name + ":" + text
	if strategy, ok := schema.Extensions["x-kubernetes-patch-strategy"].(string); ok {
		text += "~" + strategy
		if key, ok := schema.Extensions["x-kubernetes-patch-merge-key"].(string); ok {
			text += ":" + key
		}
	}
	for _, value := range []struct {
		mark string
		json interface{}
	}{{"=", schema.Default}, {"?", schema.Extensions[serverDefault]}} {
		if value.json == nil {
			continue
		}
		encoded, err := json.Marshal(value.json)
		if err != nil {
			return "", err
		}
		text += value.mark + escape.Replace(string(encoded))
	}
	return text, nil
}

// escape escapes what separates the parts of a line; in JSON it may only stand inside a text.
var escape = strings.NewReplacer(" ", `\u0020`, "=", `\u003d`, "?", `\u003f`)

// expression is how a type is written where it is used, as kube-openapi's schemaconv understands schemas.
func expression(schema *spec.Schema, refer func(string) string) (string, error) {
	mapType := schema.Extensions["x-kubernetes-map-type"]
	if name := reference(schema); name != "" {
		text := words[name]
		if text == "" {
			text = refer(name)
		}
		switch mapType {
		case nil:
			return text, nil
		case "atomic":
			return "atomic(" + text + ")", nil
		case "granular":
			return "separable(" + text + ")", nil
		}
		return "", fmt.Errorf("unknown map type %v", mapType)
	}
	if len(schema.Type) == 0 {
		if schema.Items != nil || schema.AdditionalProperties != nil || len(schema.Properties) > 0 {
			return "", fmt.Errorf("a schema without a type that says something")
		}
		return "any", nil
	}
	switch kind := schema.Type[0] + "/" + schema.Format; kind {
	case "string/":
		return "str", nil
	case "string/byte":
		return "bytes", nil
	case "boolean/":
		return "bool", nil
	case "integer/int32", "integer/int64", "number/double":
		return "num", nil
	case "array/":
		list, err := listType(schema.Extensions)
		if err != nil {
			return "", err
		}
		item, err := expression(schema.Items.Schema, refer)
		return list + item, err
	case "object/":
		if len(schema.Properties) > 0 {
			return "", fmt.Errorf("fields of a type without a name")
		}
		open := "{}"
		if mapType == "atomic" {
			open = "{!}"
		}
		if schema.AdditionalProperties == nil {
			return open + "any", nil
		}
		item, err := expression(schema.AdditionalProperties.Schema, refer)
		return open + item, err
	default:
		return "", fmt.Errorf("unknown type %s", kind)
	}
}

// listType is how a list is merged: its list type, or what its patch strategy implies.
func listType(extensions spec.Extensions) (string, error) {
	switch extensions["x-kubernetes-list-type"] {
	case "atomic":
		return "[]", nil
	case "set":
		return "[*]", nil
	case "map":
		var keys []string
		for _, key := range extensions["x-kubernetes-list-map-keys"].([]interface{}) {
			keys = append(keys, key.(string))
		}
		return "[" + strings.Join(keys, ",") + "]", nil
	case nil:
	default:
		return "", fmt.Errorf("unknown list type")
	}
	switch strategy, _ := extensions["x-kubernetes-patch-strategy"].(string); strategy {
	case "merge", "merge,retainKeys":
		if key, ok := extensions["x-kubernetes-patch-merge-key"].(string); ok {
			return "[" + key + "]", nil
		}
		return "[*]", nil
	case "", "retainKeys":
		return "[]", nil
	default:
		return "", fmt.Errorf("unknown patch strategy %s", strategy)
	}
}
