package main

import (
	"reflect"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// addPointers marks the properties that Go has as pointers: only of these the API server can tell a zero value (false, 0,
// an empty text, object, list or map) from an absent one.
func addPointers(schemas map[string]spec.Schema, kinds map[string]reflect.Type) {
	seen := map[reflect.Type]bool{}
	for _, goType := range kinds {
		visitType(schemas, goType, seen)
	}
}

func visitType(schemas map[string]spec.Schema, goType reflect.Type, seen map[reflect.Type]bool) {
	switch goType.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		visitType(schemas, goType.Elem(), seen)
		return
	case reflect.Struct:
	default:
		return
	}
	named, ok := reflect.Zero(goType).Interface().(interface{ OpenAPIModelName() string })
	if !ok || seen[goType] {
		return
	}
	seen[goType] = true
	visitFields(schemas, schemas[named.OpenAPIModelName()], goType, seen)
}

func visitFields(schemas map[string]spec.Schema, schema spec.Schema, goType reflect.Type, seen map[reflect.Type]bool) {
	for at := range goType.NumField() {
		field := goType.Field(at)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct {
			visitFields(schemas, schema, field.Type, seen)
			continue
		}
		property, ok := schema.Properties[name]
		if !ok {
			continue
		}
		if field.Type.Kind() == reflect.Pointer {
			extend(&property, pointer, true)
			schema.Properties[name] = property
		}
		visitType(schemas, field.Type, seen)
	}
}

// extend adds an extension to a schema, which may share its extensions with others.
func extend(schema *spec.Schema, name string, value interface{}) {
	extensions := spec.Extensions{name: value}
	for name, value := range schema.Extensions {
		extensions[name] = value
	}
	schema.Extensions = extensions
}
