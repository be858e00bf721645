package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// IgnoredLabel is the label of a position that is not scored.
const IgnoredLabel = trial.IgnoredLabel

// maxRecord bounds a line of jsonl, a record of csv and a value of parquet, in bytes: far beyond any context length, and small
// enough that a file without a line end cannot take the machine's memory.
const maxRecord = 32 << 20

// wantedColumns is what a row of a table may have, for messages.
const wantedColumns = "text, prompt and completion, messages, or input_ids"

// record is a row of a jsonl, csv or parquet file as far as training looks at it; other columns are ignored, as Hugging Face's
// trainers do. A nil field is a column that is absent or null. Where several forms are there, the most prepared one counts.
type record struct {
	Text          *string
	Prompt        *turns
	Completion    *turns
	Messages      []Message
	InputIDs      *[]int32
	Labels        *[]int32
	AttentionMask []int32
}

// turns is one side of prompt and completion: text, or the messages of a conversation.
type turns struct {
	text     string
	messages []Message // nil for text
}

// UnmarshalJSON reads a text or a list of messages.
func (t *turns) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		t.messages = []Message{}
		return json.Unmarshal(b, &t.messages)
	}
	return json.Unmarshal(b, &t.text)
}

// document returns what the record stands for. columns are the names that it has, for messages.
func (r record) document(columns func() []string) (document, error) {
	switch {
	case r.InputIDs != nil:
		return r.tokens()
	case r.Messages != nil:
		return conversation(r.Messages, 0)
	case r.Prompt != nil && r.Completion != nil:
		return promptAndCompletion(*r.Prompt, *r.Completion)
	case r.Text != nil:
		return document{form: formText, text: *r.Text}, nil
	}
	return document{}, fmt.Errorf("no column to train on (columns: %s): want %s, with a value", cut(strings.Join(columns(), ", ")), wantedColumns)
}

// tokens is a pre-tokenised row. Without labels every id is one, as Hugging Face's causal language models have it.
func (r record) tokens() (document, error) {
	if slices.Contains(r.AttentionMask, 0) {
		return document{}, errors.New("attention_mask hides some ids: leave them out, rows are padded here")
	}
	doc := document{form: formIDs, ids: *r.InputIDs}
	if r.Labels == nil {
		doc.labels = slices.Clone(doc.ids)
		return doc, nil
	}
	doc.labels = *r.Labels
	if len(doc.labels) != len(doc.ids) {
		return document{}, fmt.Errorf("%d input_ids but %d labels", len(doc.ids), len(doc.labels))
	}
	return doc, nil
}

// promptAndCompletion is a prompt with its completion, both text or both messages.
func promptAndCompletion(prompt, completion turns) (document, error) {
	if (prompt.messages == nil) != (completion.messages == nil) {
		return document{}, errors.New("prompt and completion must both be text or both be lists of messages")
	}
	if prompt.messages == nil {
		return document{form: formPair, prompt: prompt.text, text: completion.text}, nil
	}
	if len(prompt.messages) == 0 {
		return document{}, errors.New("prompt is an empty list: write the conversation as messages")
	}
	return conversation(slices.Concat(prompt.messages, completion.messages), len(prompt.messages))
}

// conversation is a chat whose first given messages are a prompt; 0 means that every assistant turn is an answer.
func conversation(messages []Message, given int) (document, error) {
	if len(messages) == given {
		return document{}, errors.New("the conversation is empty")
	}
	for i, m := range messages {
		if m.Role == "" {
			return document{}, fmt.Errorf("message %d has no role", i+1)
		}
		if err := m.checkParts(); err != nil {
			return document{}, fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return document{form: formChat, messages: messages, given: given}, nil
}

// checkText refuses bytes that are not UTF-8, which a decoder would replace silently.
func checkText(b []byte) error {
	if utf8.Valid(b) {
		return nil
	}
	return fmt.Errorf("not UTF-8 text (byte %d)", invalidAt(string(b)))
}
