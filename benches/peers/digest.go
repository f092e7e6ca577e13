package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// sum is the hash of all results, each as JSON with sorted keys.
type sum struct{ hash.Hash }

func newHash() sum {
	return sum{sha256.New()}
}

func (s sum) add(result any) error {
	text, err := encode(result)
	if err != nil {
		return err
	}
	_, err = s.Write(text)
	return err
}

func (s sum) text() string {
	return hex.EncodeToString(s.Sum(nil))
}

// encode writes one line of JSON, `<` as it is.
func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return text.Bytes(), err
}

// tree is JSON text as a tree, so that its keys are sorted when it is written again.
func tree(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	err := decoder.Decode(&tree)
	return tree, err
}

// lazyTree is JSON text that is parsed only when it is hashed.
type lazyTree []byte

func (l lazyTree) MarshalJSON() ([]byte, error) {
	parsed, err := tree(l)
	if err != nil {
		return nil, err
	}
	return encode(parsed)
}

// lazyFields is a set that is written only when it is hashed.
type lazyFields struct{ *fieldpath.Set }

func (l lazyFields) MarshalJSON() ([]byte, error) {
	text, err := l.ToJSON()
	if err != nil {
		return nil, err
	}
	return lazyTree(text).MarshalJSON()
}
