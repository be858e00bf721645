package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go"

	"github.com/ranksweep/ranksweep/trainer/chat"
)

// readRecord reads the next row of all columns.
func readRecord(columns []*columnReader) (doc Document, err error) {
	defer recovered(&err)
	var r record
	chats := map[string][]map[string]string{} // messages by field
	for _, c := range columns {
		if c.key == "" {
			err = c.readInto(&r)
		} else {
			err = c.addTo(chats)
		}
		if err != nil {
			return Document{}, fmt.Errorf("column %s: %w", c.path, err)
		}
	}
	for field, chat := range chats {
		messages, err := messagesOf(chat)
		if err != nil {
			return Document{}, fmt.Errorf("column %s: %w", field, err)
		}
		switch field {
		case "messages":
			r.Messages = messages
		case "prompt":
			r.Prompt = &turns{messages: messages}
		default:
			r.Completion = &turns{messages: messages}
		}
	}
	return r.document(func() []string {
		var names []string
		for _, c := range columns {
			names = append(names, c.path)
		}
		return names
	})
}

// addTo reads one key of a row's messages. A list that is null adds nothing.
func (c *columnReader) addTo(chats map[string][]map[string]string) error {
	i := 0
	return c.row(func(v parquet.Value) error {
		if v.DefinitionLevel() < c.item {
			if v.DefinitionLevel() == c.item-1 && chats[c.field] == nil {
				chats[c.field] = []map[string]string{}
			}
			return nil
		}
		if i == len(chats[c.field]) {
			chats[c.field] = append(chats[c.field], map[string]string{})
		}
		i++
		if v.IsNull() {
			return nil
		}
		text, err := textOf(v)
		chats[c.field][i-1][c.key] = text
		return err
	})
}

// messagesOf reads messages as jsonl has them.
func messagesOf(conversation []map[string]string) ([]chat.Message, error) {
	body, err := json.Marshal(conversation)
	if err != nil {
		return nil, err
	}
	messages := []chat.Message{}
	return messages, json.Unmarshal(body, &messages)
}

func (c *columnReader) readInto(r *record) error {
	if c.text {
		return c.row(func(v parquet.Value) error {
			if v.IsNull() {
				return nil
			}
			text, err := textOf(v)
			switch c.field {
			case "text":
				r.Text = &text
			case "prompt":
				r.Prompt = &turns{text: text}
			default:
				r.Completion = &turns{text: text}
			}
			return err
		})
	}
	var ids []int32
	null := false
	err := c.row(func(v parquet.Value) error {
		if v.DefinitionLevel() < c.item {
			null = v.DefinitionLevel() < c.item-1
			return nil
		}
		id, err := idOf(v)
		ids = append(ids, id)
		return err
	})
	if null || err != nil {
		return err
	}
	switch c.field {
	case "input_ids":
		r.InputIDs = &ids
	case "labels":
		r.Labels = &ids
	default:
		r.AttentionMask = ids
	}
	return nil
}

func textOf(v parquet.Value) (string, error) {
	b := v.ByteArray()
	if len(b) > maxRecord {
		return "", errLong
	}
	return string(b), checkText(b)
}

func idOf(v parquet.Value) (int32, error) {
	if v.IsNull() {
		return 0, errors.New("null among the numbers")
	}
	n := v.Int64()
	if v.Kind() == parquet.Int32 {
		n = int64(v.Int32())
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%d is no token id", n)
	}
	return int32(n), nil
}
