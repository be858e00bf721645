package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// sizes is a sweep of two models and two lists of targets: the larger model needs a higher rank, more targets a lower one.
func sizes() sweep.Snapshot {
	ladder := func(means ...float64) fixtureLadder { return fixtureLadder{dropout: "0", rungs: measured(means...)} }
	f := fixture{name: "sizes", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{
		ladder(4.90, 4.80, 4.799, 4.798), ladder(4.85, 4.849, 4.848),
		ladder(4.80, 4.70, 4.60, 4.599, 4.598), ladder(4.70, 4.60, 4.599, 4.598),
	}}
	s := f.snapshot()
	for i := range s.Ladders {
		l := &s.Ladders[i]
		model, targets := []string{"builtin:small", "builtin:large"}[i/2], []string{"[c_attn]", "all-linear"}[i%2]
		l.Model.Params = []int64{200_000, 1_000_000}[i/2]
		l.Cell = sweep.Cell{
			{Name: "model", Value: model, Axis: true},
			{Name: "target_modules", Value: targets, Axis: true},
			{Name: "alpha", Value: "16"},
			{Name: "learning_rate", Value: "0.003"},
		}
		for r := range l.Rungs {
			for j := range l.Rungs[r].Trials {
				l.Rungs[r].Trials[j].TrainableParams *= int64(1 + i/2 + 3*(i%2))
			}
		}
	}
	return s
}

func TestAxes(t *testing.T) {
	t.Parallel()
	r := Build(sizes())
	golden(t, "axes.txt", text2(t, r, Options{}))
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "axes.json", b.Bytes())
}

func TestReading(t *testing.T) {
	t.Parallel()
	// Recommended ranks of ladders whose cells vary in steps and, where there are four, in init.
	for name, tt := range map[string]struct {
		ranks []int
		steps []string
		want  string
	}{
		"rises":             {[]int{2, 4, 4}, []string{"10", "20", "40"}, "steps: the larger, the higher the recommended rank"},
		"falls, any order":  {[]int{2, 4}, []string{"20", "10"}, "steps: the larger, the lower the recommended rank"},
		"stays":             {[]int{4, 4}, []string{"10", "20"}, "the recommended rank does not depend on steps here"},
		"both ways":         {[]int{2, 4, 2}, []string{"10", "20", "40"}, "the recommended rank moves both ways with steps"},
		"words":             {[]int{2, 4}, []string{"few", "many"}, ""},
		"within each group": {[]int{2, 4, 8, 16}, []string{"10", "20", "10", "20"}, "steps: the larger, the higher the recommended rank"},
		"not finished":      {[]int{2, 0}, []string{"10", "20"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ladders []Ladder
			for i, rank := range tt.ranks {
				l := Ladder{Number: i + 1, Cell: Cell{{Name: "steps", Value: tt.steps[i], Axis: true}}, Verdict: Verdict{State: plateau.StatePlateau}}
				l.Cell = append(l.Cell, sweep.Setting{Name: "init", Value: []string{"kaiming", "gaussian"}[i/2%2], Axis: len(tt.ranks) == 4})
				if rank > 0 {
					l.Verdict.RecommendedRank = &rank
					l.Rungs = []Rung{{Rank: rank, ValLoss: &plateau.Interval{Mean: 4}}}
				}
				ladders = append(ladders, l)
			}
			if got := reading(ladders, "steps"); got != tt.want {
				t.Errorf("reading = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEdge(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values []string
		best   string
		want   sweep.EdgeSide
	}{
		"inside":            {[]string{"0.001", "0.003", "0.01"}, "0.003", ""},
		"the largest":       {[]string{"0.001", "0.003", "0.01"}, "0.01", "largest"},
		"the smallest":      {[]string{"0.01", "0.001"}, "0.001", "smallest"},
		"nothing is beyond": {[]string{"0", "0.1"}, "0", ""},
		"words":             {[]string{"linear", "cosine"}, "linear", ""},
		"a mixed policy":    {[]string{"16", "2r"}, "16", ""},
		"a policy":          {[]string{"1r", "2r", "4r"}, "4r", "largest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a Axis
			for _, v := range tt.values {
				a.Values = append(a.Values, AxisValue{text: v})
			}
			if got := edge(a, tt.best); got != tt.want {
				t.Errorf("edge = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestTunedReport shows a ladder whose learning rate is tuned at each rank, one of whose candidates is unstable.
func TestTunedReport(t *testing.T) {
	t.Parallel()
	f := fixture{name: "tuned", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: measured(4.80, 4.70, 4.699, 4.698)}}}
	s := f.snapshot()
	l := &s.Ladders[0]
	l.Cell = l.Cell[:3]
	l.Candidates = []sweep.Cell{{{Name: "learning_rate", Value: "0.003", Axis: true}}, {{Name: "learning_rate", Value: "0.01", Axis: true}}}
	for i := range l.Rungs {
		other := f.snapshot().Ladders[0].Rungs[i].Trials
		for j := range other {
			tr := &other[j].Trial
			*tr = tr.Changed(func(s *trial.Spec) { s.Train.LearningRate = 0.01 })
			other[j].Candidate = 1
			outcome := *other[j].Attempts[0].Outcome
			worse := *outcome.ValLoss + 0.05 - 0.08*float64(i%2)
			outcome.ValLoss, outcome.LastValLoss = &worse, &worse
			if i == 2 && j > 0 {
				outcome = trial.Outcome{State: trial.OutcomeUnstable, Error: "loss is not finite", Step: 17}
			}
			other[j].Attempts[0].Outcome = &outcome
		}
		l.Rungs[i].Trials = append(l.Rungs[i].Trials, other...)
	}
	r := Build(s)
	golden(t, "tuned.txt", text2(t, r, Options{}))
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "tuned.json", b.Bytes())
	b.Reset()
	if err := r.CSV(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "tuned.csv", b.Bytes())
	// What stands beside a rung's loss are the trials that it is the mean of.
	for _, rung := range r.Ladders[0].Rungs {
		sum := 0.0
		for _, trial := range rung.Trials {
			sum += *trial.ValLoss / float64(len(rung.Trials))
		}
		if d := sum - rung.ValLoss.Mean; d > 1e-9 || d < -1e-9 || len(rung.Trials) != 3 {
			t.Errorf("rank %d: val_loss %v, mean of its %d trials %v", rung.Rank, rung.ValLoss.Mean, len(rung.Trials), sum)
		}
	}
}

// TestReadingOfUnsettledLadders: what the recommended ranks seem to do is qualified where ladders show no plateau.
func TestReadingOfUnsettledLadders(t *testing.T) {
	t.Parallel()
	ladder := func(steps string, rank int, state plateau.State) Ladder {
		return Ladder{
			Cell: Cell{{Name: "steps", Value: steps, Axis: true}}, Verdict: Verdict{State: state, RecommendedRank: &rank},
			Rungs: []Rung{{Rank: rank, ValLoss: &plateau.Interval{Mean: 4}}},
		}
	}
	want := "steps: the larger, the higher the recommended rank (1 of 2 ladders show no plateau yet, so this may change)"
	if got := reading([]Ladder{ladder("10", 2, plateau.StatePlateau), ladder("20", 4, plateau.StateStillImproving)}, "steps"); got != want {
		t.Errorf("reading = %q, want %q", got, want)
	}
}

// TestFractionsCompare: ladders of shares of one corpus are scored on its validation rows, so that they compare, and no more data is
// called for than there is.
func TestFractionsCompare(t *testing.T) {
	t.Parallel()
	ladder := func(corpus string, means ...float64) fixtureLadder {
		return fixtureLadder{dropout: "0", rungs: measured(means...), corpus: corpus}
	}
	s := fixture{name: "fractions", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{
		ladder("half", 4.90, 4.899, 4.898), ladder("whole", 4.85, 4.75, 4.749, 4.748),
	}}.snapshot()
	s.Ladders[0].Corpus.Whole = "whole"
	for i := range s.Ladders {
		s.Ladders[i].Cell = sweep.Cell{{Name: "fraction", Value: []string{"0.5", "1"}[i], Axis: true}, {Name: "alpha", Value: "16"}}
	}
	r := Build(s)
	if len(r.Warnings) > 0 || r.Recommendation.Ladder != 2 || *r.Recommendation.Rank != 2 {
		t.Errorf("warnings %q, recommendation %+v, want rank 2 of ladder 2", r.Warnings, r.Recommendation)
	}
	if a := r.Axes[0]; a.Edge != sweep.EdgeNone || a.Reading != "fraction: the larger, the higher the recommended rank" {
		t.Errorf("axis %+v", a)
	}
	for i := range s.Ladders {
		s.Ladders[i].Corpus.TrainSequences = 4000 * (i + 1)
	}
	if r := Build(s); len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "data.fraction 0.5 and 1: no trial sees all rows") {
		t.Errorf("warnings %q, want one of trials that see no epoch", r.Warnings)
	}
	s.Ladders[0].Corpus.TrainSequences = 500
	if r := Build(s); len(r.Warnings) > 0 {
		t.Errorf("warnings %q of a fraction that was seen in full", r.Warnings)
	}
	s.Ladders[1].Corpus.Fingerprint = "other"
	if r := Build(s); len(r.Warnings) != 1 {
		t.Errorf("warnings %q, want one about ladders that do not compare", r.Warnings)
	}
}
