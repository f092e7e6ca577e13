package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/util/proto"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// pair is one line of the workload.
type pair struct {
	LastApplied string `json:"last_applied"`
	Desired     string `json:"desired"`
	Live        string `json:"live"`
}

// input is a pair with what a program has at hand before it starts: the bytes, the trees, the types.
type input struct {
	lastApplied, desired, live []byte
	desiredObject, liveObject  *unstructured.Unstructured
	// The live object as the API server merges it: the managed fields are apart, and not parsed.
	bareLive *unstructured.Unstructured
	managed  []metav1.ManagedFieldsEntry
	kind     schema.GroupVersionKind
	// structure is nil for kinds that Kubernetes does not know.
	structure runtime.Object
	schemas   *schemas
}

type schemas struct {
	// What Argo CD has: the types of the OpenAPI v2 document, which knows no defaults.
	parser *managedfields.GvkParser
	// The types of structured-merge-diff as the API server has them, and those for kinds that nobody knows.
	known, deduced managedfields.TypeConverter
}

// typed is an object with its types.
func (in *input) typed(object *unstructured.Unstructured, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	if in.structure == nil {
		return in.schemas.deduced.ObjectToTyped(object, options...)
	}
	return in.schemas.known.ObjectToTyped(object, options...)
}

func readPairs(file string) ([]pair, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	var pairs []pair
	lines := bufio.NewScanner(opened)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var next pair
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return nil, err
		}
		pairs = append(pairs, next)
	}
	return pairs, lines.Err()
}

func readSchemas(file string) (*schemas, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	document, err := openapi_v2.ParseDocument(text)
	if err != nil {
		return nil, err
	}
	models, err := proto.NewOpenAPIData(document)
	if err != nil {
		return nil, err
	}
	parser, err := managedfields.NewGVKParser(models, false)
	return &schemas{
		parser:  parser,
		known:   applyconfigurations.NewTypeConverter(scheme.Scheme),
		deduced: managedfields.NewDeducedTypeConverter(),
	}, err
}

func prepare(pairs []pair, schemas *schemas) ([]input, error) {
	inputs := make([]input, len(pairs))
	for i, pair := range pairs {
		in := &inputs[i]
		in.lastApplied, in.desired, in.live = []byte(pair.LastApplied), []byte(pair.Desired), []byte(pair.Live)
		in.desiredObject, in.liveObject = &unstructured.Unstructured{}, &unstructured.Unstructured{}
		if err := in.desiredObject.UnmarshalJSON(in.desired); err != nil {
			return nil, err
		}
		if err := in.liveObject.UnmarshalJSON(in.live); err != nil {
			return nil, err
		}
		in.managed = in.liveObject.GetManagedFields()
		in.bareLive = in.liveObject.DeepCopy()
		in.bareLive.SetManagedFields(nil)
		in.kind = in.desiredObject.GroupVersionKind()
		in.schemas = schemas
		if scheme.Scheme.Recognizes(in.kind) {
			structure, err := scheme.Scheme.New(in.kind)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", in.kind, err)
			}
			in.structure = structure
		}
	}
	return inputs, nil
}
