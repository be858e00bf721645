package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/chat"
)

// parseLine reads one row: an object with the columns of record, spelt as they are there or as columns says. Columns that the row's
// form does not need may hold anything.
func parseLine(line []byte, columns *mapping) (Document, error) {
	if err := checkText(line); err != nil {
		return Document{}, err
	}
	if !bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("{")) {
		return Document{}, errors.New(`not a row of jsonl: want an object, as {"text": "…"}`)
	}
	all, err := decodeRow(line)
	if err != nil {
		return Document{}, fmt.Errorf("not a row of jsonl: %w", err)
	}
	return all.document(columns)
}

// jsonRow is an object's values by their keys.
type jsonRow map[string]json.RawMessage

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
	if err := j.besideMessages(&r); err != nil {
		return record{}, err
	}
	return r, j.maskLabels(&r)
}

// besideMessages decodes the columns that only messages need.
func (j jsonRow) besideMessages(r *record) error {
	if r.Messages == nil && (r.Prompt == nil || r.Prompt.messages == nil) {
		return nil
	}
	for name, into := range map[string]json.Unmarshaler{"tools": &r.Tools, "chat_template_kwargs": &r.Kwargs} {
		if raw, ok := j[name]; ok {
			if err := into.UnmarshalJSON(raw); err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
		}
	}
	return nil
}

// valueKind is what encoding/json calls a value of another type than was wanted, for people.
func valueKind(value string) string {
	if strings.HasPrefix(value, "number ") {
		return "the " + value
	}
	return map[string]string{"number": "a number", "array": "a list", "string": "text", "object": "an object", "bool": "true or false"}[value]
}

// decodeColumn reads a value; a value of another type is named in JSON's terms.
func decodeColumn[T any](raw json.RawMessage, want string) (*T, error) {
	v := new(T)
	err := json.Unmarshal(raw, v)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, fmt.Errorf("it holds %s, want %s", valueKind(e.Value), want)
	}
	return v, err
}

func decodeIDs(raw json.RawMessage) (*[]int32, error) {
	if bytes.Contains(raw, []byte("null")) { // which JSON's decoder takes for 0
		return nil, errors.New("null among the numbers, or text: want a list of token ids")
	}
	return decodeColumn[[]int32](raw, "a list of token ids")
}
