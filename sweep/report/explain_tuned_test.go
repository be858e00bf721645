package report

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// tunedSnapshot is a ladder of three ranks that are tuned over three learning rates and two lists of targets: the best rate is
// 0.003 at rank 1 and 0.01 at rank 2, the best targets are [c_attn], and of rank 4 only the first candidate has begun.
func tunedSnapshot() sweep.Snapshot {
	f := fixture{name: "tuned", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: measured(4.80, 4.70, 4.699)}}}
	s := f.snapshot()
	l := &s.Ladders[0]
	for i := range l.Rungs {
		l.Rungs[i].Trials = nil
	}
	for _, targets := range []string{"[c_attn]", "all-linear"} {
		for _, rate := range []struct {
			text  string
			value float64
		}{{"0.001", 0.001}, {"0.003", 0.003}, {"0.01", 0.01}} {
			number := len(l.Candidates)
			l.Candidates = append(l.Candidates, sweep.Cell{
				{Name: "target_modules", Value: targets, Axis: true}, {Name: "learning_rate", Value: rate.text, Axis: true},
			})
			for i := range l.Rungs {
				l.Rungs[i].Trials = append(l.Rungs[i].Trials, f.candidate(i, number, rate.value, []float64{0.003, 0.01, 0.01}[i])...)
			}
		}
	}
	return s
}

// candidate is the trials of a candidate at the i-th rung: the better, the nearer its rate is to the best one.
func (f fixture) candidate(i, number int, rate, best float64) []sweep.TrialFacts {
	trials := f.snapshot().Ladders[0].Rungs[i].Trials
	for j := range trials {
		tr := &trials[j].Trial
		*tr = tr.Changed(func(s *trial.Spec) {
			s.Train.LearningRate, s.LoRA.Dropout = rate, float64(number)/100 // tells the targets apart
		})
		trials[j].Candidate = number
		if i == 2 && number > 0 {
			trials[j].Attempts, trials[j].TrainableParams, trials[j].Memory, trials[j].Prediction = nil, 0, trial.Memory{}, nil
			continue
		}
		outcome := *trials[j].Attempts[0].Outcome
		loss := *outcome.ValLoss + 0.01*float64(number/3) + 10*max(rate-best, best-rate)
		outcome.ValLoss, outcome.LastValLoss = &loss, &loss
		trials[j].Attempts[0].Outcome = &outcome
	}
	return trials
}

// TestExplainTuned: the explanation lists every candidate of each rank with its mean and its cost, says which one stands for
// the rank, and where that lies at the edge of a list.
func TestExplainTuned(t *testing.T) {
	t.Parallel()
	r := Build(tunedSnapshot())
	golden(t, "explain-tuned.txt", text2(t, r, Options{}))
	e, err := r.Explain("1")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.MarshalIndent(e.Tuning, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "explain-tuned.json", append(body, '\n'))
	want := []struct {
		rank, chosen int
		edges        []sweep.Edge
	}{
		{1, 1, []sweep.Edge{}}, {2, 2, []sweep.Edge{{Axis: "learning_rate", Side: sweep.EdgeLargest}}}, {4, -1, []sweep.Edge{}},
	}
	for i, got := range e.Tuning {
		chosen := slices.IndexFunc(got.Candidates, func(c TunedCandidate) bool { return c.Chosen })
		if diff := cmp.Diff(want[i].edges, got.Edges); got.Rank != want[i].rank || chosen != want[i].chosen || diff != "" {
			t.Errorf("rank %d stands on candidate %d at edges %v, want %+v", got.Rank, chosen, got.Edges, want[i])
		}
	}
	if e, err := Build(states()[plateau.StatePlateau].snapshot()).Explain("1"); err != nil || e.Tuning != nil {
		t.Errorf("a ladder that tunes nothing has tuning %v (%v)", e.Tuning, err)
	}
}
