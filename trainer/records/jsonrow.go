package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ranksweep/ranksweep/trainer/chat"
)

// parseLine reads one line: an object with the columns of record, spelt as they are there. Columns that the row's form does not
// need may hold anything.
func parseLine(line []byte) (Document, error) {
	if err := checkText(line); err != nil {
		return Document{}, err
	}
	if !bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("{")) {
		return Document{}, errors.New(`not a row of jsonl: want an object, as {"text": "…"}`)
	}
	var all jsonRow
	if err := json.Unmarshal(line, &all); err != nil {
		return Document{}, fmt.Errorf("not a row of jsonl: %w", err)
	}
	return all.document()
}

// jsonRow is an object's values by their keys.
type jsonRow map[string]json.RawMessage

// document returns what the row stands for.
func (j jsonRow) document() (Document, error) {
	filled := maps.Clone(j)
	maps.DeleteFunc(filled, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	r, err := filled.record()
	if err != nil {
		return Document{}, err
	}
	return r.document(func() []string { return slices.Sorted(maps.Keys(j)) })
}

// record decodes the columns of the row's form.
func (j jsonRow) record() (r record, err error) {
	for _, name := range tableForm(slices.Collect(maps.Keys(j))) {
		raw, ok := j[name]
		if !ok {
			continue
		}
		switch name {
		case "text":
			r.Text, err = decodeColumn[string](raw, "text")
		case "prompt":
			r.Prompt, err = decodeColumn[turns](raw, "text or a list of messages")
		case "completion":
			r.Completion, err = decodeColumn[turns](raw, "text or a list of messages")
		case "messages":
			var list *[]chat.Message
			if list, err = decodeColumn[[]chat.Message](raw, "a list of messages"); err == nil {
				r.Messages = *list
			}
		case "input_ids":
			r.InputIDs, err = decodeIDs(raw)
		case "labels":
			r.Labels, err = decodeIDs(raw)
		case "attention_mask":
			var mask *[]int32
			if mask, err = decodeIDs(raw); err == nil {
				r.AttentionMask = *mask
			}
		}
		if err != nil {
			return record{}, fmt.Errorf("column %s: %w", name, err)
		}
	}
	return r, nil
}

// decodeColumn reads a value; a value of another type is named in JSON's terms.
func decodeColumn[T any](raw json.RawMessage, want string) (*T, error) {
	v := new(T)
	err := json.Unmarshal(raw, v)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, fmt.Errorf("%s is there, want %s", e.Value, want)
	}
	return v, err
}

func decodeIDs(raw json.RawMessage) (*[]int32, error) {
	if bytes.Contains(raw, []byte("null")) { // which JSON's decoder takes for 0
		return nil, errors.New("null among the numbers, or text: want a list of token ids")
	}
	return decodeColumn[[]int32](raw, "a list of token ids")
}
