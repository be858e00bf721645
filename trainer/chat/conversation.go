package chat

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ranksweep/ranksweep/trainer/chat/jinja"
)

// Conversation is a chat, and what else its template is given.
type Conversation struct {
	Messages []Message
	Given    int    // the number of messages that are a prompt, what follows being the answer; 0: every assistant turn is one
	Tools    Tools  // what the assistant may call
	Kwargs   Kwargs // chat_template_kwargs
}

// upTo is the conversation's beginning.
func (c Conversation) upTo(messages int) Conversation {
	c.Messages = c.Messages[:messages]
	return c
}

// Tools are functions that the assistant may call, as JSON schemas. An empty list is none, as in TRL's apply_chat_template.
type Tools struct{ list []any }

// UnmarshalJSON reads a list of objects, its JSON as text, or null.
func (t *Tools) UnmarshalJSON(body []byte) error {
	v, err := fromJSONOrText(body)
	if err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return errors.New("want a list of tools, or such a list as JSON text")
	}
	for i, tool := range list {
		if _, ok := tool.(*jinja.Dict); !ok {
			return fmt.Errorf(`tool %d is no object: want a JSON schema as {"type": "function", "function": {…}}`, i+1)
		}
	}
	t.list = list
	return nil
}

// value is what the template sees.
func (t Tools) value() any {
	if len(t.list) == 0 {
		return nil
	}
	return t.list
}

// Kwargs are values for names of a template beside the messages, such as enable_thinking.
type Kwargs struct{ dict *jinja.Dict }

// UnmarshalJSON reads an object, its JSON as text, or null.
func (k *Kwargs) UnmarshalJSON(body []byte) error {
	v, err := fromJSONOrText(body)
	if err != nil {
		return err
	}
	dict, ok := v.(*jinja.Dict)
	if !ok && v != nil {
		return errors.New("want an object of values by the template's names, or such an object as JSON text")
	}
	k.dict = dict
	for name := range k.all() {
		if slices.Contains([]string{"messages", "tools", "add_generation_prompt", "continue_final_message", "chat_template"}, name) {
			return fmt.Errorf("%s is not for rows or grids to set: leave it out", name)
		}
	}
	return nil
}

// all yields every name with its value.
func (k Kwargs) all() iter.Seq2[string, any] {
	if k.dict == nil {
		return func(func(string, any) bool) {}
	}
	return k.dict.All()
}

// over returns the values of both; those of k count where both have one.
func (k Kwargs) over(other Kwargs) Kwargs {
	if k.dict == nil || other.dict == nil {
		if k.dict == nil {
			return other
		}
		return k
	}
	dict := jinja.NewDict()
	for _, from := range []Kwargs{other, k} {
		for name, v := range from.all() {
			dict.Set(name, v)
		}
	}
	return Kwargs{dict}
}

// fromJSONOrText reads a JSON value; where that is a string, the JSON in it, which tables hold that have no nested columns.
func fromJSONOrText(body []byte) (any, error) {
	v, err := jinja.FromJSON(body)
	if text, ok := v.(string); ok && err == nil {
		return jinja.FromJSON([]byte(text))
	}
	return v, err
}
