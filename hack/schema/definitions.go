package main

import (
	"fmt"
	"path"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/generated/openapi"
)

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// definitions are the schemas of all types, by the name that OpenAPI documents give them.
func definitions() map[string]spec.Schema {
	refer := func(name string) spec.Ref { return spec.MustCreateRef("#/definitions/" + name) }
	schemas := map[string]spec.Schema{}
	for name, definition := range openapi.GetOpenAPIDefinitions(refer) {
		schemas[name] = definition.Schema
	}
	return schemas
}

// groupVersion are the kinds of one version of one group, and the names of their types.
type groupVersion struct {
	name  string
	kinds map[string]string
	// The Go types, by the names of the types.
	goTypes map[string]reflect.Type
}

// kinds are the kinds whose objects have metadata, by group and version.
func kinds(schemas map[string]spec.Schema) ([]groupVersion, error) {
	known := scheme.Scheme
	for _, add := range []func() error{
		func() error { return apiextensions.AddToScheme(known) },
		func() error { return apiregistration.AddToScheme(known) },
	} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	versions := map[string]groupVersion{}
	for kind, goType := range known.AllKnownTypes() {
		named, ok := reflect.Zero(goType).Interface().(interface{ OpenAPIModelName() string })
		if !ok {
			continue
		}
		name := named.OpenAPIModelName()
		metadata, ok := schemas[name].Properties["metadata"]
		if !ok || reference(&metadata) != objectMeta {
			continue
		}
		if _, short, err := typeName(name); err != nil || short != kind.Kind {
			return nil, fmt.Errorf("%s: the kind's type is %s", kind, name)
		}
		version := kind.GroupVersion().String()
		if _, ok := versions[version]; !ok {
			versions[version] = groupVersion{version, map[string]string{}, map[string]reflect.Type{}}
		}
		versions[version].kinds[kind.Kind] = name
		versions[version].goTypes[name] = goType
	}
	var all []groupVersion
	for _, version := range versions {
		all = append(all, version)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all, nil
}

// reference is the name of the type that a schema refers to, or empty.
func reference(schema *spec.Schema) string {
	_, name := path.Split(schema.Ref.String())
	return name
}

// typeName splits the name of a type into the package's short name and the type's: `core/v1` and `Pod`.
func typeName(name string) (string, string, error) {
	parts := strings.Split(name, ".")
	if len(parts) < 3 {
		return "", "", fmt.Errorf("%s: not the name of a type in a versioned package", name)
	}
	last := len(parts) - 1
	return parts[last-2] + "/" + parts[last-1], parts[last], nil
}
