package jinja

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// golden is testdata/golden.json: what transformers renders, versions in the file. Made by golden.py.
type golden struct {
	Values json.RawMessage `json:"values"`
	Cases  []struct {
		Template string  `json:"template"`
		Text     *string `json:"text"`
		Error    string  `json:"error"`
	} `json:"cases"`
}

func TestRenderAgreesWithTransformers(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(body, &g); err != nil {
		t.Fatal(err)
	}
	values, err := FromJSON(g.Values)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		text, err := render(c.Template, values.(*Dict))
		switch {
		case c.Text == nil && err == nil:
			t.Errorf("Render(%q) = %q, want an error as Python's %s", c.Template, text, c.Error)
		case c.Text != nil && err != nil:
			t.Errorf("Render(%q): %v, want %q", c.Template, err, *c.Text)
		case c.Text != nil && text != *c.Text:
			t.Errorf("Render(%q) = %q, want %q", c.Template, text, *c.Text)
		}
	}
}

func render(source string, values *Dict) (string, error) {
	template, err := Parse(source)
	if err != nil {
		return "", err
	}
	names := map[string]any{}
	for _, key := range values.keys {
		names[key.(string)] = values.values[key]
	}
	return template.Render(names, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
}
