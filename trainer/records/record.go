package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/chat"
)

// maxRecord bounds a line of jsonl, a record of csv and a value of parquet, in bytes: far beyond any context length, and small
// enough that a file without a line end cannot take the machine's memory.
const maxRecord = 16 << 20

// wantedColumns is what a row of a table may have, for messages.
const wantedColumns = "text, prompt and completion, messages, input_ids, conversations, or instruction and output"

// record is a row of a jsonl, csv or parquet file as far as training looks at it; other columns are ignored, as Hugging Face's
// trainers do. A nil field is a column that is absent or null. Where several forms are there, the most prepared one counts.
type record struct {
	Text          *string
	Prompt        *turns
	Completion    *turns
	Messages      []chat.Message
	Tools         chat.Tools  // beside messages
	Kwargs        chat.Kwargs // beside messages
	InputIDs      *[]int32
	Labels        *[]int32
	AttentionMask []int32
	Instruction   *instruction
}

// turns is one side of prompt and completion: text, or the messages of a conversation.
type turns struct {
	text     string
	messages []chat.Message // nil for text
}

// UnmarshalJSON reads a text or a list of messages.
func (t *turns) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		t.messages = []chat.Message{}
		return json.Unmarshal(b, &t.messages)
	}
	return json.Unmarshal(b, &t.text)
}

// document returns what the record stands for. columns are the names that it has, for messages.
func (r record) document(columns func() []string) (Document, error) {
	switch {
	case r.InputIDs != nil:
		return r.tokens()
	case r.Messages != nil:
		return r.conversation(r.Messages, 0)
	case r.Prompt != nil && r.Completion != nil:
		return r.promptAndCompletion(*r.Prompt, *r.Completion)
	case r.Text != nil:
		return Document{Form: FormText, Text: *r.Text}, nil
	case r.Instruction != nil:
		return r.Instruction.document(), nil
	}
	return Document{}, fmt.Errorf("no column to train on (columns: %s): want %s, with a value, or other names for them under data.columns",
		cut(strings.Join(columns(), ", ")), wantedColumns)
}

// tokens is a pre-tokenised row. Without labels every id is one, as Hugging Face's causal language models have it.
func (r record) tokens() (Document, error) {
	if slices.Contains(r.AttentionMask, 0) {
		return Document{}, errors.New("attention_mask hides some ids: leave them out, rows are padded here")
	}
	doc := Document{Form: FormIDs, IDs: *r.InputIDs}
	if r.Labels == nil {
		doc.Labels = slices.Clone(doc.IDs)
		return doc, nil
	}
	doc.Labels = *r.Labels
	if len(doc.Labels) != len(doc.IDs) {
		return Document{}, fmt.Errorf("%d input_ids but %d labels", len(doc.IDs), len(doc.Labels))
	}
	return doc, nil
}

// promptAndCompletion is a prompt with its completion, both text or both messages.
func (r record) promptAndCompletion(prompt, completion turns) (Document, error) {
	if (prompt.messages == nil) != (completion.messages == nil) {
		return Document{}, errors.New("prompt and completion must both be text or both be lists of messages")
	}
	if prompt.messages == nil {
		return Document{Form: FormPair, Prompt: prompt.text, Text: completion.text}, nil
	}
	if len(prompt.messages) == 0 {
		return Document{}, errors.New("prompt is an empty list: write the conversation as messages")
	}
	return r.conversation(slices.Concat(prompt.messages, completion.messages), len(prompt.messages))
}

// conversation is a chat whose first given messages are a prompt; 0 means that every assistant turn is an answer.
func (r record) conversation(messages []chat.Message, given int) (Document, error) {
	if len(messages) == given {
		return Document{}, errors.New("the conversation is empty")
	}
	for i, m := range messages {
		if m.Role == "" {
			return Document{}, fmt.Errorf("message %d has no role", i+1)
		}
		if err := m.CheckParts(); err != nil {
			return Document{}, fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return Document{Form: FormChat, Messages: messages, Given: given, Tools: r.Tools, Kwargs: r.Kwargs}, nil
}

// tableForm returns the columns that count, of those that are there: as record.document chooses.
func tableForm(names []string) []string {
	for _, form := range [][]string{{"input_ids"}, {"messages"}, {"prompt", "completion"}, {"text"}} {
		if !slices.ContainsFunc(form, func(name string) bool { return !slices.Contains(names, name) }) {
			if form[0] == "input_ids" {
				form = append(form, "labels", "attention_mask")
			}
			return form
		}
	}
	return nil
}
