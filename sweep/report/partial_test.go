package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// twoOfThree is a plateau whose second rank lost a seed to a loss that is not finite, so that its mean is over the two others.
func twoOfThree() sweep.Snapshot {
	nan := trial.Outcome{State: trial.OutcomeUnstable, Error: "loss is not finite"}
	return fixture{name: "partial", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: []rung{
		{rank: 1, losses: []float64{4.8, 4.79, 4.81}, train: 4.7},
		{rank: 2, losses: []float64{4.7, 4.69, 0}, train: 4.6, outcome: map[int]trial.Outcome{2: nan}},
		{rank: 4, losses: []float64{4.699, 4.69, 4.71}, train: 4.6},
	}}}}.snapshot()
}

// TestPartialMeansAreMarked: wherever a mean over two of three seeds stands beside means of three, it says so.
func TestPartialMeansAreMarked(t *testing.T) {
	t.Parallel()
	r := Build(twoOfThree())
	for i, want := range []int{3, 2, 3} {
		if got := r.Ladders[0].Rungs[i].Seeds; got != want {
			t.Errorf("rung %d: %d seeds, want %d", i, got, want)
		}
	}
	text := string(text2(t, r, Options{}))
	var md bytes.Buffer
	if err := r.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	const footnote = "of the grid's 3, rank 2 has 2 seeds: the others ended without a loss"
	for name, has := range map[string]struct {
		text string
		want []string
	}{
		"text": {text, []string{
			"4.695 ±0.064* ", "4.800 ±0.025 ", "4.700 ±0.025 ", "* " + footnote, "(perplexity 109.4, over 2 of the grid's 3 seeds)",
			"loss 4.6950 ±0.0635, over 2 of the grid's 3 seeds",
		}},
		"markdown": {md.String(), []string{`| 4.695 ±0.064\* |`, "| 4.800 ±0.025 |", "| 4.700 ±0.025 |", `\* ` + footnote}},
	} {
		for _, want := range has.want {
			if !strings.Contains(strings.Join(strings.Fields(has.text), " "), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, has.text)
			}
		}
	}
}

// TestMispredictedMemory: a peak that was predicted badly says so, one within a tenth does not.
func TestMispredictedMemory(t *testing.T) {
	t.Parallel()
	s := twoOfThree()
	for i := range s.Ladders[0].Rungs[1].Trials {
		s.Ladders[0].Rungs[1].Trials[i].Prediction = &trial.Prediction{PredictedBytes: 615 << 20}
	}
	text := strings.ReplaceAll(strings.Join(strings.Fields(string(text2(t, Build(s), Options{}))), " "), noBreak, " ")
	if want := "memory rank 2 was predicted to need 615 MiB (+50 %) and took 410 MiB"; !strings.Contains(text, want) {
		t.Errorf("the report lacks %q:\n%s", want, text)
	}
	if strings.Contains(text, "rank 1 was predicted") || strings.Contains(text, "rank 4 was predicted") {
		t.Errorf("a good prediction is reported as a bad one:\n%s", text)
	}
}

// TestHalfBatchesAreSaid: a trial that trained on half batches after it ran out of memory is a warning on top of every report; one that
// ran out of memory so, too, has no loss to warn of.
func TestHalfBatchesAreSaid(t *testing.T) {
	t.Parallel()
	s := twoOfThree()
	rungs := s.Ladders[0].Rungs
	for _, f := range []*sweep.TrialFacts{&rungs[0].Trials[1], &rungs[1].Trials[2]} { // done, and without a loss
		f.Attempts[0].Outcome.MicroBatch = 4
	}
	r := Build(s)
	want := []string{fmt.Sprintf("rank 1, seed 1 (trial %s) ran out of memory with whole batches and trained on 4 sequences at a time, "+
		"accumulated to the same step: its losses are those of whole batches but for rounding", rungs[0].Trials[1].Trial.ID)}
	if diff := cmp.Diff(want, r.Warnings); diff != "" {
		t.Errorf("warnings: -want +got\n%s", diff)
	}
	if text := string(text2(t, r, Options{Width: 10_000})); !strings.Contains(text, "Warning: "+want[0]+"\n") {
		t.Errorf("the text does not warn of half a batch:\n%s", text)
	}
}
