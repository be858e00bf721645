package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func card(t *testing.T, r Report, l Ladder, trial trial.ID, c Card) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Card(&b, l, trial, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCard(t *testing.T) {
	t.Parallel()
	r := Build(cells().snapshot())
	recommended := r.Ladders[1].Rungs[4].Trials[1]
	c := Card{
		Base: "openai-community/gpt2", Snippet: "model = PeftModel.from_pretrained(base, \"folder\")", Note: "A note.",
		Grid: "name: cells\n", Versions: map[string]string{"gomlx": "v0.28.8", "xla:cpu": "0.11.2", "none": ""},
		Train: "notes/*.jsonl", Validation: "notes-val.jsonl",
	}
	golden(t, "card.md", []byte(card(t, r, r.Ladders[1], recommended.ID, c)))

	c.Merged, c.Last, c.Dtype, c.Base = true, true, "float16", "/models/my gpt2: a \"copy\""
	other := r.Ladders[0].Rungs[2].Trials[0]
	text := card(t, r, r.Ladders[0], other.ID, c)
	for _, part := range []string{
		"library_name: transformers\n", "This folder holds rank 4 of ladder 1 (dropout=0) instead.", "(in float16)",
		"the weights of the last step",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the card of another trial lacks %q:\n%s", part, text)
		}
	}
	var front struct {
		Base    string   `yaml:"base_model"`
		Library string   `yaml:"library_name"`
		Tags    []string `yaml:"tags"`
	}
	matter := strings.SplitN(text, "---\n", 3)[1]
	if err := yaml.Unmarshal([]byte(matter), &front); err != nil || front.Base != c.Base || len(front.Tags) != 2 || front.Tags[0] != "lora" {
		t.Errorf("the front matter reads as %+v, %v:\n%s", front, err, matter)
	}
}

// TestCardCountsScouts: what the sweep took has the scouts in it; the reason is given once, and what serves the adapter is said.
func TestCardCountsScouts(t *testing.T) {
	t.Parallel()
	r := Build(outscouted(t))
	text := card(t, r, r.Ladders[0], r.Ladders[0].Rungs[1].Trials[0].ID, Card{Base: "gpt2"})
	for _, part := range []string{"All 10 trials of the sweep together trained for 1m06s", "Serve with vLLM --max-lora-rank 8.\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("the card lacks %q:\n%s", part, text)
		}
	}
	if n := strings.Count(text, "neither shows nor excludes"); n != 1 {
		t.Errorf("the reason is given %d times:\n%s", n, text)
	}
}

func TestCardOfATrialWithoutLoss(t *testing.T) {
	t.Parallel()
	r := Build(states()[plateau.StateMemoryLimited].snapshot())
	if err := r.Card(&bytes.Buffer{}, r.Ladders[0], "none", Card{}); err == nil {
		t.Error("a card was written of a trial that is not there")
	}
}
