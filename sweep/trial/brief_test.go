package trial_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestBriefIsTheTrial: a trial in few bytes is the trial in full, and one of its family has the identity that New gives it, also where
// a text that the grid gives is spelled like what stands around the numbers.
func TestBriefIsTheTrial(t *testing.T) {
	t.Parallel()
	number := rapid.Float64Range(0, 1e9)
	text := rapid.SampledFrom([]string{"", "x", `","seed":0,"`, `"lora":{"r":0,"lora_alpha":0,`, "<é\u2028>"})
	rapid.Check(t, func(t *rapid.T) {
		spec := trial.Spec{
			Model: text.Draw(t, "model"), Seed: rapid.Int64().Draw(t, "seed"),
			Data: trial.DataSpec{Train: []string{text.Draw(t, "data")}, Columns: map[string]string{text.Draw(t, "column"): text.Draw(t, "of")}},
			LoRA: lora.Spec{
				Rank: rapid.IntRange(0, 4096).Draw(t, "rank"), Alpha: number.Draw(t, "alpha"), Init: text.Draw(t, "init"),
				RankPattern: lora.Patterns{{Key: "seed", Value: float64(rapid.IntRange(0, 9).Draw(t, "pattern"))}},
			},
			Train: trial.TrainSpec{LearningRate: number.Draw(t, "rate")},
		}
		if rapid.Bool().Draw(t, "kwargs") {
			spec.Data.ChatTemplateKwargs = json.RawMessage(`{"lora":{"r":0,"lora_alpha":0,"seed":0},"seed":0}`)
		}
		if rapid.Bool().Draw(t, "scout") {
			spec = spec.ShrinkTo([]lora.Spec{{Rank: 2, Alpha: number.Draw(t, "lower")}})
		}
		want := trial.New(spec, text.Draw(t, "base"), "data", text.Draw(t, "backend"))
		brief := want.Brief()
		if diff := cmp.Diff(want, brief.Trial()); diff != "" {
			t.Fatalf("in full (-want +got):\n%s", diff)
		}
		if got := brief.WithSeed(spec.Seed); got != brief {
			t.Fatalf("of its family it is %+v, not %+v", got, brief)
		}
		other := spec
		other.LoRA.Rank, other.LoRA.Alpha, other.Seed = other.LoRA.Rank+1, 2*other.LoRA.Alpha, other.Seed/2
		got := brief.Shared.Family().With(other.LoRA.Rank, other.LoRA.Alpha, other.Seed)
		if diff := cmp.Diff(trial.New(other, want.Base, want.Data, want.Backend), got.Trial()); diff != "" {
			t.Fatalf("another of its family (-want +got):\n%s", diff)
		}
	})
}
