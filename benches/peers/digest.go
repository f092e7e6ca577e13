package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// digest is the hash of a result as JSON with sorted keys.
func digest(result any) (string, error) {
	text, err := encode(result)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
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
