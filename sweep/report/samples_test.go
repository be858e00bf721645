package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// samplesOf has answers of the base model and of a trial of a report.
func samplesOf(r Report) Samples {
	rung := r.Ladders[0].Rungs[1]
	long := strings.Repeat("one more line\n", 20)
	return Samples{
		Sweep: r.Sweep, Ladder: 1, Cell: r.Ladders[0].Cell, Model: "acme/small", MaxNewTokens: 64,
		Writers: []SampleWriter{
			{Name: "base"},
			{
				Name: "rank 2", Rank: new(rung.Rank), Seed: new(rung.Trials[0].Seed), Trial: rung.Trials[0].ID, ValLoss: rung.Trials[0].ValLoss,
				Recommended: true,
			},
		},
		Samples: []Sample{
			{Row: new(3), Prompt: long + "func add(a, b int) int {", PromptTokens: 90, Expected: new("\treturn a + b\n}"), Answers: []SampleAnswer{
				{Text: long, Tokens: 64},
				{Text: "\treturn a + b\n}", Tokens: 9, Ended: true, Exact: true},
			}},
			{Prompt: "Where is the **sea**?", PromptTokens: 5, Answers: []SampleAnswer{
				{Tokens: 0, Ended: true},
				{Text: strings.Repeat("wide ", 30) + "```\nfenced\n```", Tokens: 40, Ended: true},
			}},
		},
		Warnings: []string{},
	}
}

func TestSamples(t *testing.T) {
	t.Parallel()
	s := samplesOf(Build(states()[plateau.StatePlateau].snapshot()))
	for name, write := range map[string]func(*bytes.Buffer) error{
		"samples.txt":    func(b *bytes.Buffer) error { return s.Text(b, Options{}) },
		"samples-40.txt": func(b *bytes.Buffer) error { return s.Text(b, Options{Width: 40, Fit: true}) },
		"samples.md":     func(b *bytes.Buffer) error { return s.Markdown(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		for line := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); name == "samples-40.txt" && n > 40 {
				t.Errorf("a line of %d columns: %s", n, line)
			}
		}
	}
}

// TestReadSamples: what a page shows is what was printed, and of its sweep.
func TestReadSamples(t *testing.T) {
	t.Parallel()
	r := Build(states()[plateau.StatePlateau].snapshot())
	printed := func(change func(*Samples)) string {
		s := samplesOf(r)
		change(&s)
		body, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"schema": %q, %s`, SamplesSchema, body[1:])
	}
	got, err := r.ReadSamples(strings.NewReader(printed(func(*Samples) {})))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(samplesOf(r), got); diff != "" {
		t.Errorf("ReadSamples (-printed +read):\n%s", diff)
	}
	for want, text := range map[string]string{
		"no JSON of sweep samples":                             "row,prompt",
		`schema is "sweep.report/v1", want "sweep.samples/v1"`: `{"schema": "sweep.report/v1"}`,
		"of sweep other, and this":                             printed(func(s *Samples) { s.Sweep = "other" }),
		"of ladder 2, and the sweep has 1":                     printed(func(s *Samples) { s.Ladder = 2 }),
		`rank 2 is of trial "0123", which is not the sweep's`:  printed(func(s *Samples) { s.Writers[1].Trial = "0123" }),
		"sample 2 has 1 answers":                               printed(func(s *Samples) { s.Samples[1].Answers = s.Samples[1].Answers[:1] }),
	} {
		if _, err := r.ReadSamples(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadSamples = %v, want %q", err, want)
		}
	}
}
