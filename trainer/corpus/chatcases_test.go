package corpus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// templateNamed returns one of the templates of trainer/chat's golden of masks.
func templateNamed(t *testing.T, name string) string {
	t.Helper()
	var golden struct {
		Templates []struct{ Name, Own string }
	}
	body, err := os.ReadFile("../chat/testdata/masks.json")
	if err == nil {
		err = json.Unmarshal(body, &golden)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range golden.Templates {
		if template.Name == name {
			return template.Own
		}
	}
	t.Fatalf("no template %q", name)
	return ""
}

// scoredTexts returns of each sample what is scored, a stretch each.
func scoredTexts(t *testing.T, samples []Sample) (texts [][]string) {
	t.Helper()
	for _, s := range samples {
		list, run := []string{}, []int32{}
		for i := range len(s.Labels) + 1 {
			if i < len(s.Labels) && s.Labels[i] != trial.IgnoredLabel {
				run = append(run, s.Labels[i])
			} else if len(run) > 0 {
				list, run = append(list, goldenTokenizer(t).Decode(run)), nil
			}
		}
		texts = append(texts, list)
	}
	return texts
}

// TestChatsAsPeopleHaveThem: rows of kinds that others reported to go wrong in silence or to be refused.
func TestChatsAsPeopleHaveThem(t *testing.T) {
	t.Parallel()
	const (
		header = `{% for m in messages %}{{ '<|start|>' + m['role'] + '<|end|>' + m['content'] | trim + '<|eot|>' }}{% endfor %}` +
			`{% if add_generation_prompt %}{{ '<|start|>assistant<|end|>' }}{% endif %}`
		called  = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call><|im_end|>\n"
		four    = "<think>\n\n</think>\n\n4<|im_end|>\n"
		thought = "<think>\ntwo and two\n</think>\n\n4<|im_end|>\n"
		end     = "<|endoftext|>"
	)
	last, none := templateNamed(t, "thoughts in the last turn only"), templateNamed(t, "thoughts in no turn")
	for file, c := range map[string]struct {
		template string
		scored   [][]string
		text     string // in the first row
		warning  string
	}{
		"null-content.jsonl": {template: header, scored: [][]string{{"<|eot|>", "Sunny.<|eot|>"}}, text: "<|start|>assistant<|end|><|eot|>"},
		"multi-turn.jsonl": {
			template: last, scored: [][]string{{four}, {strings.Replace(four, "4", "6", 1)}}, text: four,
			warning: "in 1 conversation (the first at testdata/chats/multi-turn.jsonl:1) the model's chat template writes earlier turns " +
				"otherwise once others follow, so each assistant turn is a row of its own, in the context that the model will see: 2 rows",
		},
		"thoughts.jsonl":      {template: none, scored: [][]string{{"sum\n</think>\n\n4" + end}}, text: "<think>\nsum\n</think>\n\n4"},
		"thoughts-pair.jsonl": {template: none, scored: [][]string{{"sum\n</think>\n\n4" + end}}, text: "<think>\nsum\n</think>\n\n4"},
		"reasoning.jsonl":     {template: last, scored: [][]string{{thought}, {thought}, {thought}}, text: thought},
		"tools.jsonl": {
			template: last, scored: [][]string{{"<think>\n\n</think>\n\n" + called}},
			text: `{"type": "function", "function": {"name": "get_weather", "description": "Weather now.", `,
		},
		"weight.jsonl": {template: chatML, scored: [][]string{{"d<|im_end|>\n"}}, text: "b<|im_end|>"},
		"train.jsonl":  {template: chatML, scored: [][]string{{"d<|im_end|>\n"}}, text: "b<|im_end|>"},
	} {
		path := filepath.Join("testdata/chats", file)
		spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 512, Packing: true}
		samples, warnings, err := Samples(t.Context(), chatSource(t, c.template, spec), 0)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if diff := cmp.Diff(c.scored, scoredTexts(t, samples)); diff != "" || !strings.Contains(samples[0].Text, c.text) {
			t.Errorf("%s: text %q, scored: -want +got\n%s", file, samples[0].Text, diff)
		}
		if told := strings.Join(warnings, "\n"); (told == "") != (c.warning == "") || !strings.Contains(told, c.warning) {
			t.Errorf("%s: warnings %q, want %q", file, warnings, c.warning)
		}
	}
}

// TestRowsOfOneChatStayTogether: on one side of the split, in one place, and those that lie beyond the sequence length are left out.
func TestRowsOfOneChatStayTogether(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 40 {
		turns := `{"role": "user", "content": "` + strings.Repeat("a", i+1) + `"}, {"role": "assistant", "content": "b"}`
		lines = append(lines, `{"messages": [`+turns+`, `+turns+`, {"role": "user", "content": "x"}]}`)
	}
	path := recordstest.Write(t, t.TempDir(), "a.jsonl", strings.Join(lines, "\n"))
	spec := trial.DataSpec{Train: []string{path}, ValidationSplit: 0.3, SequenceLength: 120}
	p, err := newPlan(t.Context(), chatSource(t, templateNamed(t, "thoughts in the last turn only"), spec))
	if err != nil {
		t.Fatal(err)
	}
	sides := map[string][]string{} // by place
	rows := map[string]int{}
	keep := func(side string) func(row) error {
		return func(r row) error {
			sides[r.place] = append(sides[r.place], side)
			rows[side]++
			return nil
		}
	}
	if err := p.run(t.Context(), sink{train: keep("train"), validation: keep("validation"), progress: func(int64) {}}); err != nil {
		t.Fatal(err)
	}
	for place, of := range sides {
		if len(slices.Compact(slices.Clone(of))) != 1 || len(of) > 2 {
			t.Errorf("%s: rows on %v, want at most two on one side", place, of)
		}
	}
	left := 80 - rows["train"] - rows["validation"]
	want := fmt.Sprintf("data: %d assistant turns left out, for as a row of its own it would begin beyond sequence_length", left)
	told := strings.Join(p.enc.Warnings(), "\n")
	if len(sides) != 40 || rows["validation"] == 0 || left == 0 || !strings.Contains(told, want) {
		t.Errorf("%d chats, rows %v, warnings %q, want 40 chats with 80 rows, and %q", len(sides), rows, told, want)
	}
}

// TestChatsKeepTheirFingerprint where they become the rows that they were.
func TestChatsKeepTheirFingerprint(t *testing.T) {
	t.Parallel()
	const marked = `{% for m in messages %}{{ m.role }}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}`
	none := templateNamed(t, "thoughts in no turn")
	for row, c := range map[string]struct {
		template string
		differs  bool
	}{
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}`:                             {chatML, false},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]}`:                             {marked, true},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "c"}]}`:   {chatML, false},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning": "c"}]}`:           {chatML, true},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null}]}`:                            {chatML, true},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "tools": []}`:                {chatML, true},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>b</think>c"}]}`:             {chatML, false},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>b</think>c", "weight":1}]}`: {none, true},
		`{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>d</think>c"}]}`:             {none, true},
		`{"text": "a", "tools": null}`: {marked, false},
	} {
		path := recordstest.Write(t, t.TempDir(), "a.jsonl", row)
		spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
		p, err := newPlan(t.Context(), chatSource(t, c.template, spec))
		if err != nil || (p.chats != "") != c.differs {
			t.Errorf("%s: chats %q, %v, want it set: %v", row, p.chats, err, c.differs)
		}
	}
}
