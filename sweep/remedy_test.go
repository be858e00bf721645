package sweep

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestFitting: where memory stops a rank, the grid that is offered is the least change that lets the most ranks train.
func TestFitting(t *testing.T) {
	t.Parallel()
	const small, gib = 1 << 20, 1 << 30
	ends := func(low, high int64) MeasuredEnds {
		return MeasuredEnds{Measurement{Rank: 1, StepSeconds: 1, Bytes: low}, Measurement{Rank: 16, StepSeconds: 1, Bytes: high}}
	}
	for name, test := range map[string]struct {
		plain MeasuredEnds
		with  []MeasuredEnds // with each of Changes
		want  string
		says  string // of the limit
	}{
		"everything fits": {ends(small, gib), nil, "", ""},
		"a smaller batch does": {
			ends(small, 4*gib),
			[]MeasuredEnds{ends(small, gib), ends(small, gib)},
			"train:\n  batch_size: 4\n  gradient_accumulation_steps: 6\n",
			"with train.batch_size: 4, train.gradient_accumulation_steps: 6 it would need 1 GiB and 5m0s a trial, and ranks up to 16 fit",
		},
		"checkpointing does": {
			ends(small, 16*gib),
			[]MeasuredEnds{ends(small, 8*gib), ends(small, gib)},
			"train:\n  gradient_checkpointing: true\n",
			"and ranks up to 4 fit; with train.gradient_checkpointing: true it would need",
		},
		"it helps some ranks": {
			ends(4*gib, 8*gib),
			[]MeasuredEnds{ends(4*gib, 8*gib), ends(gib, 5*gib)},
			"lora:\n  rank: [1, 2, 4]\ntrain:\n  gradient_checkpointing: true\n", "too much as well",
		},
		"nothing helps the largest": {
			ends(gib, 8*gib), []MeasuredEnds{ends(gib, 8*gib), ends(gib, 8*gib)}, "lora:\n  rank: [1, 2]\n", "too much as well",
		},
		"nothing helps": {ends(4*gib, 8*gib), []MeasuredEnds{ends(4*gib, 8*gib), ends(4*gib, 8*gib)}, "", "too much as well"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Registration{Ladders: []LadderPlan{forecastLadder(1, 5)}}
			for _, rung := range r.Ladders[0].Rungs {
				for i := range rung.Trials {
					rung.Trials[i].Trial = rung.Trials[i].Trial.Changed(func(s *trial.Spec) {
						s.Train.BatchSize, s.Train.GradientAccumulationSteps = 8, 3
					})
				}
			}
			limits := Limits{Memory: 2 * gib}
			estimates := []LadderEstimate{{Rungs: r.Ladders[0].estimateRungs(test.plain, limits)}}
			f := r.Forecast(Info{Rule: plateau.Rule{Patience: 2, SeedsPerRank: plateau.EverySeed}, Limits: limits}, estimates, Before{}, 1)
			f.ByMachine()
			for i, m := range test.with {
				f.Add(r, Changes()[i], []MeasuredEnds{m}, limits)
			}
			got, ok := f.Fitting(r, estimates, Info{Limits: limits, Seeds: []int64{0, 1, 2}}, 1, gives())
			if got.Grid != test.want || ok != (test.want != "") {
				t.Errorf("%t:\n%swant\n%s", ok, got.Grid, test.want)
			}
			if test.says == "" {
				return
			}
			if said := f.Limits[0].String(); !strings.Contains(said, test.says) || !strings.Contains(said, "more than the machine's 2 GiB") {
				t.Errorf("it says %s", said)
			}
		})
	}
}
