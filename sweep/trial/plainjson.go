package trial

import (
	"bytes"
	"encoding/json"
)

// PlainJSON marshals v without escaping <, > and &, which patterns of module names, vocabularies and texts hold, and without
// a line's end.
func PlainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
