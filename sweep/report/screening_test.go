package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// screenedSnapshot is a finished screening: rank 64 was trained and truncated, then the ranks from 4 to 32.
func screenedSnapshot() sweep.Snapshot {
	rungs := measured(4.793, 4.712, 4.630, 4.570, 4.560, 4.556, 4.555)
	rungs[0].waiting, rungs[1].waiting = true, true
	s := fixture{name: "screened", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: rungs}}}.snapshot()
	s.Sweep.Strategy = sweep.StrategyScreen
	truncated := []float64{5.0, 4.87, 4.66, 4.59, 4.563, 4.556}
	top := s.Ladders[0].Rungs[6]
	for i := range top.Trials {
		for r, mean := range truncated {
			loss := mean + []float64{0.037, -0.002, -0.035}[i] + 0.0005*float64((i*(r+1))%3)
			top.Trials[i].Screened = append(top.Trials[i].Screened, trial.Screened{Rank: 1 << r, ValLoss: loss, Tokens: 630, Seconds: 1})
		}
	}
	return s
}

// TestTextOfAScreening: truncated losses stand in a column of their own, ranks that were not trained are none's equal, and the
// steps that were saved are counted.
func TestTextOfAScreening(t *testing.T) {
	t.Parallel()
	s := screenedSnapshot()
	r := Build(s)
	golden(t, "screened.txt", text2(t, r, Options{Width: 120}))
	l := r.Ladders[0]
	want := &Screening{
		Rank: 64, Knee: 16, From: 4, Skipped: []int{1, 2}, StepsSpent: 15 * 250, StepsExhaustive: 21 * 250,
		StepsLadder: new(18 * 250),
	}
	if diff := cmp.Diff(want, l.Verdict.Screening); diff != "" {
		t.Errorf("screening (-want +got):\n%s", diff)
	}
	if l.Rungs[0].ScreenedLoss == nil || l.Rungs[0].ValLoss != nil || l.Rungs[6].ScreenedLoss != nil || *l.Verdict.RecommendedRank != 8 {
		t.Errorf("rungs %+v", l.Rungs)
	}
	if _, rows := r.rows(); len(rows) != 15 {
		t.Errorf("%d rows of trials, want those of the 15 that were started", len(rows))
	}
	s.Sweep.Strategy = sweep.StrategyLadder
	if l := Build(s).Ladders[0]; l.Verdict.Screening != nil || len(l.NotStarted) != 2 || l.Verdict.State != plateau.StateRunning {
		t.Errorf("as a ladder: %+v", l.Verdict)
	}
}

// TestTextWithoutAScout: no column, no footnote about it.
func TestTextWithoutAScout(t *testing.T) {
	t.Parallel()
	s := fixture{name: "one", seeds: []int64{0, 1}, ladders: []fixtureLadder{{dropout: "0", rungs: measured(4.793)}}}.snapshot()
	s.Sweep.Strategy = sweep.StrategyScout
	if text := string(text2(t, Build(s), Options{})); strings.Contains(text, "scouted") {
		t.Errorf("one rank was not scouted:\n%s", text)
	}
}

// TestTextOfAScout: what one trial showed stands in a column of its own at every rank, its steps are counted, and ranks that were left
// out are named, the scout's own among them.
func TestTextOfAScout(t *testing.T) {
	t.Parallel()
	rungs := measured(4.793, 4.712, 4.630, 4.570, 4.560, 4.556, 4.555)
	for _, i := range []int{0, 1, 6} {
		rungs[i].waiting = true
	}
	s := fixture{name: "scouted", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: rungs}}}.snapshot()
	s.Sweep.Strategy = sweep.StrategyScout
	before := sweep.Decide(s, nil, sweep.Capacity{Jobs: 1})
	scout := sweep.TrialFacts{Trial: before.Register[0].Trials[0].Trial, LastStep: 400, Attempts: []sweep.AttemptFacts{{
		Number: 1, Outcome: &trial.Outcome{State: trial.OutcomeDone, Step: 400, ValLoss: new(4.555)},
	}}}
	for r, loss := range []float64{4.9, 4.75, 4.64, 4.575, 4.56, 4.556} {
		scout.Screened = append(scout.Screened, trial.Screened{Rank: 1 << r, ValLoss: loss, Tokens: 630, Seconds: 1})
	}
	s.Ladders[0].Scouts = []sweep.TrialFacts{scout}
	r := Build(s)
	golden(t, "scouted.txt", text2(t, r, Options{Width: 120}))
	want := &Screening{
		Scout: true, Rank: 64, Knee: 8, From: 4, Skipped: []int{1, 2, 64}, StepsSpent: 12*250 + 400, StepsExhaustive: 21 * 250,
		StepsLadder: new(18 * 250),
	}
	if diff := cmp.Diff(want, r.Ladders[0].Verdict.Screening); diff != "" {
		t.Errorf("screening (-want +got):\n%s", diff)
	}
	s.Sweep.Strategy = sweep.StrategyCurve
	v := Build(s).Ladders[0].Verdict
	if *v.RecommendedRank != 8 || v.Code != plateau.ReasonScouted || v.Screening.StepsSpent != 400 {
		t.Errorf("the curve alone: %+v", v)
	}
}

// TestEndedScreeningShowsItsTrials: whatever ended a ladder that was screened, what was trained for it stands in its report.
func TestEndedScreeningShowsItsTrials(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rung int // whose trials are unstable; what was not reached then was not trained
		want []int
	}{
		"the screened rank":              {6, []int{64}},
		"the lowest rank of the climb":   {3, []int{8, 64}},
		"a rank that it went on down to": {2, []int{4, 8, 16, 32, 64}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := screenedSnapshot()
			rungs := s.Ladders[0].Rungs
			for r := range rungs {
				for i := range rungs[r].Trials {
					switch f := &rungs[r].Trials[i]; {
					case r == tt.rung:
						f.Attempts[0].Outcome = &trial.Outcome{State: trial.OutcomeUnstable, Step: 1, Error: "not finite"}
					case r < 6 && tt.rung != 2:
						f.Attempts = nil
					}
				}
			}
			l := Build(s).Ladders[0]
			var shown []int
			for _, r := range l.Rungs {
				if r.started {
					shown = append(shown, r.Rank)
				}
			}
			if diff := cmp.Diff(tt.want, shown); diff != "" || l.Verdict.State != plateau.StateUnstable {
				t.Errorf("%s: trained ranks (-want +got):\n%s", l.Verdict.State, diff)
			}
		})
	}
}
