package jinja

import (
	"encoding/json"
	"os"
	"testing"
)

// TestFiltersAgreeWithJinja2 compares every filter over every kind of value with testdata/filters.json, made by filters.py.
func TestFiltersAgreeWithJinja2(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/filters.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases [][]string `json:"cases"`
	}
	if err := json.Unmarshal(body, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		text, err := render(c[0], NewDict())
		switch {
		case len(c) == 1 && err == nil:
			t.Errorf("Render(%q) = %q, want an error", c[0], text)
		case len(c) == 2 && err != nil:
			t.Errorf("Render(%q): %v, want %q", c[0], err, c[1])
		case len(c) == 2 && text != c[1]:
			t.Errorf("Render(%q) = %q, want %q", c[0], text, c[1])
		}
	}
}
