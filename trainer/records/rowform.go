package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// decodeRow reads an object. NaN and Infinity, which Python writes and JSON does not know, are null.
func decodeRow(line []byte) (row jsonRow, err error) {
	if half := loneSurrogate(line); half != "" {
		return nil, fmt.Errorf("%s is half of a character (a surrogate without its other half): write the whole character, or leave it out", half)
	}
	if err = json.Unmarshal(line, &row); err == nil {
		return row, nil
	}
	if fixed, found := withoutNaN(line); found {
		row = nil
		if json.Unmarshal(fixed, &row) == nil {
			return row, nil
		}
	}
	return nil, err
}

// loneSurrogate returns the first escape of JSON that is half of a character beyond the basic plane and whose other half does not stand
// beside it; "" where there is none. A tokenizer has no bytes for it.
func loneSurrogate(line []byte) string {
	for i := 0; i+6 <= len(line); i++ {
		if line[i] != '\\' {
			continue
		}
		first, ok := escaped(line[i:])
		switch {
		case !ok:
			i++ // an escape of another kind, which may be of a backslash
		case !utf16.IsSurrogate(first):
			i += 5
		default:
			second, ok := escaped(line[i+6:])
			if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
				return string(line[i : i+6])
			}
			i += 11
		}
	}
	return ""
}

// escaped reads \uXXXX.
func escaped(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// withoutNaN returns JSON with null for NaN, Infinity and -Infinity where these are no text.
func withoutNaN(line []byte) (fixed []byte, found bool) {
	inText := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case inText && c == '\\' && i+1 < len(line):
			fixed = append(fixed, c, line[i+1])
			i++
			continue
		case c == '"':
			inText = !inText
		case !inText:
			if word := notANumber(line[i:]); word != "" {
				fixed, found = append(fixed, "null"...), true
				i += len(word) - 1
				continue
			}
		}
		fixed = append(fixed, c)
	}
	return fixed, found
}

func notANumber(b []byte) string {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(b, []byte(word)) {
			return word
		}
	}
	return ""
}

// document returns what a row stands for.
func (j jsonRow) document(columns *mapping) (Document, error) {
	names := slices.Sorted(maps.Keys(j))
	if err := columns.apply(j); err != nil {
		return Document{}, err
	}
	maps.DeleteFunc(j, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	chatColumn, err := j.normalize()
	if err != nil {
		return Document{}, err
	}
	doc, used, err := j.form(func() []string { return names })
	if err != nil {
		return Document{}, err
	}
	for _, name := range used {
		if name == "messages" {
			name = chatColumn
		}
		doc.Columns = append(doc.Columns, columns.name(name))
	}
	return doc, nil
}

// form chooses what counts of a row, and names the columns that it used.
func (j jsonRow) form(names func() []string) (doc Document, used []string, err error) {
	used = tableForm(slices.Collect(maps.Keys(j)))
	var r record
	switch {
	case len(used) > 0:
		used = slices.DeleteFunc(used, func(name string) bool { return j[name] == nil })
		if slices.Contains(used, "completion") {
			err = j.kto()
		}
		if err == nil {
			r, err = j.record()
		}
	default:
		r.Instruction, used, err = j.instruction()
		if err == nil && r.Instruction == nil {
			err = j.refusal(names())
		}
	}
	if err == nil && (r.Messages != nil || r.Completion != nil || r.Instruction != nil) {
		err = j.media()
	}
	if err != nil {
		return Document{}, nil, err
	}
	doc, err = r.document(names)
	return doc, used, err
}

// normalize writes conversations as messages, where the row is nothing else, and every list of messages with role and content. It
// returns what the column of the messages is called.
func (j jsonRow) normalize() (column string, err error) {
	column = "messages"
	if len(tableForm(slices.Collect(maps.Keys(j)))) == 0 {
		for _, name := range []string{"conversation", "conversations"} {
			if j[name] != nil {
				column = name
			}
		}
		if column != "messages" {
			j["messages"] = j[column]
		}
	}
	for _, name := range []string{"messages", "prompt", "completion"} {
		if j[name] == nil || name != "messages" && j[name][0] != '[' {
			continue
		}
		if j[name], err = normalMessages(j[name]); err != nil {
			return "", fmt.Errorf("column %s: %w", name, err)
		}
	}
	if column == "messages" {
		return column, nil
	}
	return column, j.prependSystem()
}

// prependSystem puts the system text that ShareGPT's rows may have beside the conversation (LLaMA-Factory) before it.
func (j jsonRow) prependSystem() error {
	var system string
	for _, name := range systemNames() {
		if j[name] == nil {
			continue
		}
		if err := json.Unmarshal(j[name], &system); err != nil {
			return fmt.Errorf("column %s is no text", name)
		}
	}
	if system == "" {
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(j["messages"], &list); err != nil {
		return errors.New("the conversation is no list of messages")
	}
	var first struct{ Role string }
	if len(list) > 0 && json.Unmarshal(list[0], &first) == nil && first.Role == "system" {
		return nil
	}
	turn := object([]member{{"role", mustJSON("system")}, {"content", mustJSON(system)}})
	j["messages"] = mustJSON(slices.Insert(list, 0, turn))
	return nil
}

// maskLabels makes labels of the masks that TRL writes beside input_ids (build_labels in sft_trainer.py): an id is scored where every
// mask has 1.
func (j jsonRow) maskLabels(r *record) error {
	if r.InputIDs == nil || r.Labels != nil {
		return nil
	}
	for _, name := range maskColumns() {
		if j[name] == nil {
			continue
		}
		mask, err := decodeIDs(j[name])
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		if len(*mask) != len(*r.InputIDs) {
			return fmt.Errorf("%d input_ids but %d entries of %s", len(*r.InputIDs), len(*mask), name)
		}
		if r.Labels == nil {
			labels := slices.Clone(*r.InputIDs)
			r.Labels = &labels
		}
		for i, scored := range *mask {
			if scored == 0 {
				(*r.Labels)[i] = trial.IgnoredLabel
			}
		}
	}
	return nil
}

// maskColumns are the masks that say which of a row's ids are scored.
func maskColumns() []string { return []string{"completion_mask", "assistant_masks"} }
