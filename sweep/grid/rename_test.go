package grid_test

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/grid"
)

// TestRenamed: whatever way a grid has its name, the text is that of a grid with another one, and all else stays.
func TestRenamed(t *testing.T) {
	t.Parallel()
	const rest = "model: builtin:gopher\ndata: {train: builtin:go-doc, sequence_length: 32, validation_split: 0.1} # Größe\n" +
		"lora: {rank: [1, 2], alpha: 8, target_modules: [c_attn]}\ntrain: {steps: 10}\n"
	const flow = "model: builtin:gopher, data: {train: builtin:go-doc, sequence_length: 32, validation_split: 0.1}, " +
		"lora: {rank: [1], alpha: 8, target_modules: [c_attn]}, train: {steps: 10}}"
	for text, want := range map[string]string{
		"name: old # mine\n" + rest:         "name: \"new\" # mine\n" + rest,
		"name:   'old'\n" + rest:            "name:   \"new\"\n" + rest,
		"\"name\": \"old\"\n" + rest:        "\"name\": \"new\"\n" + rest,
		"name:\n  old\n" + rest:             "name:\n  \"new\"\n" + rest,
		rest + "name: old":                  rest + "name: \"new\"",
		rest:                                "name: \"new\"\n" + rest,
		"# name: old\nname: old\r\n" + rest: "# name: old\nname: \"new\"\r\n" + rest,
		"{name: old, " + flow:               "{name: \"new\", " + flow,
	} {
		before, err := grid.Parse("old.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := grid.Renamed(text, "new")
		after, err := grid.Parse("old.yaml", []byte(got))
		if err != nil || got != want {
			t.Errorf("%q:\ngot  %q\nwant %q, %v", text, got, want, err)
		} else if after.Name != "new" || len(before.Diff(after)) != 1 || strings.Count(got, "new") != 1 {
			t.Errorf("%q: named %s, with %v", text, after.Name, before.Diff(after))
		}
	}
}
