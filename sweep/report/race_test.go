package report

import (
	"bytes"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func explained(t *testing.T, r Report, ladder string) []byte {
	t.Helper()
	e, err := r.Explain(ladder)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("\n=== explain " + ladder + "\n")
	if err := e.Text(&b, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestOutracedLadders: the report says who is ahead, and leaves the ladder out of the recommendation and of what ranks an axis has.
func TestOutracedLadders(t *testing.T) {
	t.Parallel()
	f := fixture{name: "raced", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{
		{dropout: "0", rungs: measured(4.7, 4.6, 4.599, 4.598)},
		{dropout: "0.1", rungs: measured(5.1, 5.0, 4.5, 4.5)}, // another sweep trained its last two ranks
	}}
	s := f.snapshot()
	s.Sweep.Race = true
	r := Build(s)
	golden(t, "raced.txt", append(text2(t, r, Options{}), explained(t, r, "2")...))
	v := r.Ladders[1].Verdict
	if v.State != plateau.StateOutraced || v.Outraced == nil || v.Outraced.Ladder != 1 || v.Outraced.Cell != "dropout=0" {
		t.Fatalf("%s: %+v", v.State, v.Outraced)
	}
	if rec := r.Recommendation; rec.Ladder != 1 || rec.Cheapest != nil && rec.Cheapest.Ladder == 2 {
		t.Errorf("recommends ladder %d, the cheapest is %+v", rec.Ladder, rec.Cheapest)
	}
	if a := r.Axes[0]; len(a.Values[1].RecommendedRanks) != 0 || a.Reading != "" {
		t.Errorf("ranks %v of the outraced value; reading %q", a.Values[1].RecommendedRanks, a.Reading)
	}
}

// outscouted is a finished race of scouts that the second ladder lost, though another sweep has trained its ranks.
func outscouted(t *testing.T) sweep.Snapshot {
	t.Helper()
	f := fixture{name: "outscouted", seeds: []int64{0}, ladders: []fixtureLadder{
		{dropout: "0", rungs: measured(2.72, 2.67, 2.66, 2.6595)},
		{dropout: "0.1", rungs: measured(3.02, 2.97, 2.96, 2.9595)},
	}}
	s := f.snapshot()
	s.Sweep.Race, s.Sweep.Strategy = true, sweep.StrategyScout
	s.Sweep.Rule.SeedsPerRank = plateau.NeededSeeds
	for _, r := range sweep.Decide(s, nil, sweep.Capacity{Jobs: 2}).Register {
		above := 0.3 * float64(r.Ladder)
		scout := sweep.TrialFacts{Trial: r.Trials[0].Trial, LastStep: 325, Attempts: []sweep.AttemptFacts{{
			Number: 1, Outcome: &trial.Outcome{
				State: trial.OutcomeDone, Step: 325, ValLoss: new(2.6595 + above), BestStep: 325, TrainSeconds: 8, Tokens: 160000,
			},
		}}}
		for rank, loss := range []float64{2.73, 2.675, 2.661} {
			scout.Screened = append(scout.Screened, trial.Screened{Rank: 1 << rank, ValLoss: loss + above, Tokens: 630, Seconds: 1})
		}
		s.Ladders[r.Ladder].Scouts = []sweep.TrialFacts{scout}
	}
	return s
}

// TestOutscoutedLadders: one that lost by its scout alone has no rank, no numbers of its own, and the race's arithmetic instead.
func TestOutscoutedLadders(t *testing.T) {
	t.Parallel()
	s := outscouted(t)
	for l := range s.Ladders { // another number, as a sweep that trained every rank would have it
		for i := range s.Ladders[l].Rungs {
			s.Ladders[l].Rungs[i].Trials[0].Evaluations[2].TokenAccuracy = new(0.4)
		}
	}
	r := Build(s)
	golden(t, "outscouted.txt", append(text2(t, r, Options{}), explained(t, r, "2")...))
	l := r.Ladders[1]
	if l.Verdict.Outraced == nil || !l.Verdict.Outraced.Scouts || l.Verdict.RecommendedRank != nil || l.Metrics != nil {
		t.Errorf("%+v, metrics %+v", l.Verdict, l.Metrics)
	}
	if len(r.Ladders[0].Metrics) == 0 {
		t.Error("the ladder that won has no metrics")
	}
}
