package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi/openapitest"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
	smdschema "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// builtIn is the name under which requests ask for the schema that client-go has of the built-in kinds.
const builtIn = "schema_smd.yaml"

const deduced = "deduced"

// schemas are the types that can be asked for.
type schemas struct {
	builtIn func() (*smdschema.Schema, error)
	openapi func() (map[schema.GroupVersion]map[string]*spec.Schema, error)
	custom  map[string]custom
	// What was made of a schema for the FieldManager, by file.
	converters map[string]managedfields.TypeConverter
}

// custom is what one OpenAPI document says.
type custom struct {
	smd        *smdschema.Schema
	components map[string]*spec.Schema
}

func newSchemas() schemas {
	return schemas{
		builtIn: sync.OnceValues(clientGoSchema),
		openapi: sync.OnceValues(builtInOpenAPI),
		custom:  map[string]custom{},

		converters: map[string]managedfields.TypeConverter{},
	}
}

// clientGoSchema takes the schema out of a typed object, because the parser that has it is internal to client-go.
func clientGoSchema() (*smdschema.Schema, error) {
	object := &corev1.ConfigMap{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	value, err := applyconfigurations.NewTypeConverter(scheme.Scheme).ObjectToTyped(object)
	if err != nil {
		return nil, err
	}
	return value.Schema(), nil
}

func (s *schemas) parseable(ref schemaRef) (typed.ParseableType, error) {
	if ref.File == deduced {
		return typed.DeducedParseableType, nil
	}
	var smd *smdschema.Schema
	if ref.File == builtIn {
		var err error
		if smd, err = s.builtIn(); err != nil {
			return typed.ParseableType{}, err
		}
	} else if known, ok := s.custom[ref.File]; ok {
		smd = known.smd
	} else {
		return typed.ParseableType{}, fmt.Errorf("no schema %q was registered", ref.File)
	}
	found := typed.ParseableType{Schema: smd, TypeRef: smdschema.TypeRef{NamedType: &ref.Type}}
	if !found.IsValid() {
		return found, fmt.Errorf("schema %q has no type %q", ref.File, ref.Type)
	}
	return found, nil
}

// kinds lists the built-in kinds that every operation knows, with their types' names.
func (s *server) kinds(*request) (answer, error) {
	found := []map[string]string{}
	for gvk := range scheme.Scheme.AllKnownTypes() {
		name, err := scheme.Scheme.ToOpenAPIDefinitionName(gvk)
		if err != nil {
			return nil, err
		}
		object, err := scheme.Scheme.New(gvk)
		if err != nil {
			return nil, err
		}
		_, isObject := object.(metav1.Object)
		if _, err := s.schemas.parseable(schemaRef{File: builtIn, Type: name}); err != nil || !isObject {
			continue
		}
		found = append(found, map[string]string{
			"apiVersion": gvk.GroupVersion().String(), "kind": gvk.Kind, "type": name,
		})
	}
	sort.Slice(found, func(i, j int) bool { return fmt.Sprint(found[i]) < fmt.Sprint(found[j]) })
	return answer{"kinds": found}, nil
}

// converter is what the API server's FieldManager takes types from.
func (s *schemas) converter(ref schemaRef) (managedfields.TypeConverter, error) {
	switch ref.File {
	case deduced:
		return managedfields.NewDeducedTypeConverter(), nil
	case builtIn:
		return applyconfigurations.NewTypeConverter(scheme.Scheme), nil
	}
	if known, ok := s.converters[ref.File]; ok {
		return known, nil
	}
	made, err := managedfields.NewTypeConverter(s.custom[ref.File].components, false)
	if err != nil {
		return nil, err
	}
	s.converters[ref.File] = made
	return made, nil
}

// addSchema registers the types of an OpenAPI v3 document.
func (s *server) addSchema(req *request) (answer, error) {
	document := &spec3.OpenAPI{}
	if err := json.Unmarshal(req.OpenAPI, document); err != nil {
		return nil, err
	}
	if document.Components == nil {
		return nil, fmt.Errorf("the document has no components")
	}
	smd, err := schemaconv.ToSchemaFromOpenAPI(document.Components.Schemas, false)
	if err != nil {
		return nil, err
	}
	s.schemas.custom[req.Schema.File] = custom{smd: smd, components: document.Components.Schemas}
	return answer{"types": len(smd.Types)}, nil
}

// lookup is what a strategic merge learns fields from.
func (s *schemas) lookup(req *request) (strategicpatch.LookupPatchMeta, error) {
	gvk := req.Kind.gvk()
	if req.Source == "openapi_v3" {
		components := s.custom[req.Schema.File].components
		if components == nil {
			var err error
			if components, err = s.components(gvk); err != nil {
				return nil, err
			}
		}
		for _, component := range components {
			if isOfKind(component, gvk) {
				return strategicpatch.PatchMetaFromOpenAPIV3{SchemaList: components, Schema: component}, nil
			}
		}
		return nil, fmt.Errorf("the OpenAPI documents have no %v", gvk)
	}
	object, ok := testTypes[gvk]
	if !ok {
		known, err := scheme.Scheme.New(gvk)
		if err != nil {
			return nil, err
		}
		object = known
	}
	return strategicpatch.NewPatchMetaFromStruct(object)
}

// components are those of a built-in group and version: of the documents that client-go carries for its own tests, which
// are not of all groups and not of the newest version.
func (s *schemas) components(gvk schema.GroupVersionKind) (map[string]*spec.Schema, error) {
	documents, err := s.openapi()
	if err != nil {
		return nil, err
	}
	components, ok := documents[gvk.GroupVersion()]
	if !ok {
		return nil, fmt.Errorf("there is no OpenAPI document of %v", gvk.GroupVersion())
	}
	return components, nil
}

func builtInOpenAPI() (map[schema.GroupVersion]map[string]*spec.Schema, error) {
	paths, err := openapitest.NewEmbeddedFileClient().Paths()
	if err != nil {
		return nil, err
	}
	found := map[schema.GroupVersion]map[string]*spec.Schema{}
	for path, file := range paths {
		parts := strings.Split(path, "/")
		gv := schema.GroupVersion{Version: parts[len(parts)-1]}
		if parts[0] == "apis" && len(parts) == 3 {
			gv.Group = parts[1]
		} else if parts[0] != "api" || len(parts) != 2 {
			continue
		}
		text, err := file.Schema("application/json")
		if err != nil {
			return nil, err
		}
		document := &spec3.OpenAPI{}
		if err := json.Unmarshal(text, document); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if document.Components != nil {
			found[gv] = document.Components.Schemas
		}
	}
	return found, nil
}

func isOfKind(component *spec.Schema, gvk schema.GroupVersionKind) bool {
	kinds, _ := component.Extensions["x-kubernetes-group-version-kind"].([]any)
	for _, entry := range kinds {
		of, _ := entry.(map[string]any)
		if of["group"] == gvk.Group && of["version"] == gvk.Version && of["kind"] == gvk.Kind {
			return true
		}
	}
	return false
}
