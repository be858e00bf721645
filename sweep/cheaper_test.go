package sweep

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCheaper: what is given up follows the documented order, stops as soon as the time fits, and is not offered in vain.
func TestCheaper(t *testing.T) {
	t.Parallel()
	r := Registration{Ladders: []LadderPlan{forecastLadder(1, 6)}}
	r.Ladders[0].Corpus.ValidationSequences = 256
	for i := range r.Ladders[0].Rungs {
		for j := range r.Ladders[0].Rungs[i].Trials {
			r.Ladders[0].Rungs[i].Trials[j].Trial.Shared.Spec.Data.SequenceLength = 128
		}
	}
	m := Measurement{Startup: 0.001, EvalSeconds: 10, StepSeconds: 3} // a trial takes 900 s and 110 of evaluation, eighteen 18 180 s
	low, high := m, m
	low.Rank, high.Rank, high.Bytes = 1, 32, 1<<30
	ends := MeasuredEnds{low, high}
	for name, test := range map[string]struct {
		limits Limits
		want   string
	}{
		"no limit of time": {Limits{Memory: 1 << 40}, ""},
		"validation rows":  {Limits{Time: 4*time.Hour + 47*time.Minute}, "data:\n  validation_sequences: 128\n"},
		"then steps":       {Limits{TrialTime: 8 * time.Minute}, "data:\n  validation_sequences: 64\ntrain:\n  steps: 150\n"},
		"then the length": {
			Limits{Time: time.Hour}, "data:\n  validation_sequences: 64\n  sequence_length: 64\ntrain:\n  steps: 100\n",
		},
		"then seeds and ranks": {
			Limits{Time: 20 * time.Minute},
			"data:\n  validation_sequences: 64\n  sequence_length: 64\nlora:\n  rank: [1, 4, 16]\ntrain:\n  steps: 100\nseeds: [0, 1]\n",
		},
		"tokens, which validation takes none of": {Limits{Tokens: 18 * 160 * 127}, "train:\n  steps: 150\n"},
		"in vain":                                {Limits{Time: time.Minute}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := r.Cheaper([]LadderEstimate{{Rungs: r.Ladders[0].estimateRungs(ends, test.limits)}}, test.limits, []int64{0, 1, 2}, 1)
			if got.Grid != test.want || ok != (test.want != "") {
				t.Errorf("%t, %.0f s:\n%s", ok, got.Seconds, got.Grid)
			}
			if ok && test.limits.Time > 0 && got.Seconds > test.limits.Time.Seconds() {
				t.Errorf("%v s do not fit", got.Seconds)
			}
		})
	}
}

// TestCheaperFits: planned again, what is offered fits the limit, also where starting a trial is most of its time.
func TestCheaperFits(t *testing.T) {
	t.Parallel()
	for _, startup := range []float64{0, 5, 50} {
		r := Registration{Ladders: []LadderPlan{forecastLadder(1, 6)}}
		m := Measurement{Startup: startup, EvalSeconds: 0.1, StepSeconds: 0.05}
		low, high := m, m
		low.Rank, high.Rank = 1, 32
		limits := Limits{Time: 200 * time.Second}
		estimates := []LadderEstimate{{Rungs: r.Ladders[0].estimateRungs(MeasuredEnds{low, high}, limits)}}
		offered, ok := r.Cheaper(estimates, limits, []int64{0, 1, 2}, 1)
		if startup == 50 {
			if ok {
				t.Errorf("six starts of 50 s do not fit 200 s, but %s is offered", offered.Grid)
			}
			continue
		}
		steps, trials := r.Ladders[0].Spec().Train.Steps, 18
		if _, after, found := strings.Cut(offered.Grid, "steps: "); found {
			if _, err := fmt.Sscan(after, &steps); err != nil {
				t.Fatal(err)
			}
		}
		if strings.Contains(offered.Grid, "seeds") {
			trials = 12
		}
		if strings.Contains(offered.Grid, "rank") {
			trials /= 2
		}
		if least := float64(trials) * (startup + float64(steps)*m.StepSeconds); !ok || offered.Seconds < least || offered.Seconds > 200 {
			t.Errorf("startup %g: %t, %.0f s, at least %.0f s:\n%s", startup, ok, offered.Seconds, least, offered.Grid)
		}
	}
}
