// Defaults answers what Kubernetes' own defaulters and conversions make of objects.
//
// It reads one object per line on stdin and writes one answer per line on stdout: {"object": …}, or {"error": …} for what
// is no object of a built-in kind.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	_ "github.com/gitops-rs/gitops/hack/schema/groups"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "defaults:", err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	writer := bufio.NewWriterSize(out, 1<<20)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			answer := map[string]any{}
			if object, err := stored(line); err != nil {
				answer["error"] = err.Error()
			} else {
				answer["object"] = object
			}
			if err := json.NewEncoder(writer).Encode(answer); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return writer.Flush()
		}
		if err != nil {
			return err
		}
		// Whoever waits for answers has sent all questions by then.
		if reader.Buffered() == 0 {
			if err := writer.Flush(); err != nil {
				return err
			}
		}
	}
}

// stored is the object as the API server would answer with it after a write, but for what admission and the registries of
// its kind do: with its defaults, and once through the internal version, which some fields do not pass as they are.
func stored(line []byte) (result map[string]any, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("panic: %v", thrown)
		}
	}()
	// Decoding to the version that the object has leaves the defaults out.
	object, kind, err := legacyscheme.Codecs.UniversalDeserializer().Decode(line, nil, nil)
	if err != nil {
		return nil, err
	}
	scheme := legacyscheme.Scheme
	scheme.Default(object)
	internal, err := scheme.ConvertToVersion(object, schema.GroupVersion{Group: kind.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return nil, err
	}
	answer, err := scheme.ConvertToVersion(internal, kind.GroupVersion())
	if err != nil {
		return nil, err
	}
	answer.GetObjectKind().SetGroupVersionKind(*kind)
	return runtime.DefaultUnstructuredConverter.ToUnstructured(answer)
}
