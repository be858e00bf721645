package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// schemaDocs has what the sources say of the types of outputs: their comments, and the values of those that have a fixed set. A test holds
// it to them, and writes it with -update.
//
//go:embed schemadocs.json
var schemaDocs []byte

// typeDoc is what the source says of a type.
type typeDoc struct {
	Doc    string            `json:"doc,omitempty"`
	Fields map[string]string `json:"fields,omitempty"` // comments by Go's names
	Values []string          `json:"values,omitempty"` // of a string type: its constants, in order
}

// typeDocs returns them by the names of typeName.
func typeDocs() (map[string]typeDoc, error) {
	var docs map[string]typeDoc
	if err := json.Unmarshal(schemaDocs, &docs); err != nil {
		return nil, fmt.Errorf("read what is said of the outputs: %w", err)
	}
	return docs, nil
}
