package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// confirmed adds further seeds to ranks of a snapshot's first ladder, from the one after the grid's largest on.
func confirmed(s sweep.Snapshot, extra map[int][]float64) sweep.Snapshot {
	grid := len(s.Sweep.Seeds)
	for i, r := range s.Ladders[0].Rungs {
		for j, y := range extra[r.Rank] {
			more := rung{rank: r.Rank, losses: make([]float64, grid+j+1), train: y - 0.05}
			more.losses[grid+j] = y
			facts := more.trial(grid+j, s.Sweep.Seeds[grid-1]+int64(j)+1, fixtureLadder{dropout: "0"})
			facts.Extra = true
			s.Ladders[0].Rungs[i].Trials = append(s.Ladders[0].Rungs[i].Trials, facts)
			s.Sweep.Confirm(grid + j + 1)
		}
	}
	return s
}

// endedLikely is a sweep whose grid ended on a likely plateau at rank 2, before patience ran out.
func endedLikely(name string) fixture {
	return fixture{name: name, seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: []rung{
		{rank: 1, losses: []float64{4.801, 4.799, 4.8}, train: 4.7},
		{rank: 2, losses: []float64{4.72, 4.68, 4.7}, train: 4.6},
		{rank: 4, losses: []float64{4.707, 4.753, 4.73}, train: 4.6},
	}}}}
}

// TestTextOfExtraSeeds: after a confirmation the report names the further seeds, and says what its means are over.
func TestTextOfExtraSeeds(t *testing.T) {
	t.Parallel()
	ended := endedLikely("confirmed")
	golden(t, "confirmed.txt", text2(t, Build(confirmed(ended.snapshot(), map[int][]float64{
		2: {4.72, 4.66, 4.70}, 4: {4.75, 4.69, 4.73},
	})), Options{}))
	one := fixture{name: "confirmed-one", seeds: []int64{7}, rule: plateau.DefaultRule(), ladders: []fixtureLadder{{
		dropout: "0", rungs: measured(4.793, 4.712, 4.71, 4.709),
	}}}
	golden(t, "confirmed-one-seed.txt", text2(t, Build(confirmed(one.snapshot(), map[int][]float64{
		2: {4.75}, 4: {4.749}, 8: {4.748},
	})), Options{}))
}

// TestTextOfASeedsGain: a rank whose gain the further seeds show takes over, and nothing says that its gain is uncertain.
func TestTextOfASeedsGain(t *testing.T) {
	t.Parallel()
	f := endedLikely("gain")
	more := []float64{4.4, 4.41, 4.4, 4.39, 4.4, 4.4, 4.41, 4.4, 4.39}
	golden(t, "confirmed-gain.txt", text2(t, Build(confirmed(f.snapshot(), map[int][]float64{
		2: {4.7, 4.7, 4.7, 4.7, 4.7, 4.7, 4.7, 4.7, 4.7}, 4: more,
	})), Options{}))
}

// TestExtraSeedsAreCounted: ranks are listed by how many seeds gave them a loss.
func TestExtraSeedsAreCounted(t *testing.T) {
	t.Parallel()
	s := confirmed(states()[plateau.StatePlateau].snapshot(), map[int][]float64{8: {4.6, 4.6}, 16: {4.6, 4.6}, 32: {4.6}})
	if got, want := Build(s).Ladders[0].extraSeeds(), "ranks 8 and 16 have 5 seeds, rank 32 has 4 seeds; "+
		"val_loss averages the grid's, a gain all that both ranks share"; got != want {
		t.Errorf("extraSeeds = %q, want %q", got, want)
	}
	if got := Build(states()[plateau.StatePlateau].snapshot()).Ladders[0].extraSeeds(); got != "" {
		t.Errorf("extraSeeds without any = %q", got)
	}
}

// needed lets a sweep of the fixture train the seeds that it needs, one trial after the other.
func needed(t *testing.T, f fixture) sweep.Snapshot {
	t.Helper()
	f.rule = plateau.DefaultRule()
	f.rule.SeedsPerRank = plateau.NeededSeeds
	s, full := f.snapshot(), f.snapshot()
	for _, l := range s.Ladders {
		for _, r := range l.Rungs {
			for i := range r.Trials {
				r.Trials[i] = sweep.TrialFacts{Trial: r.Trials[i].Trial}
			}
		}
	}
	for range 1000 {
		d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 1})
		if d.Done {
			return s
		}
		for i, r := range s.Ladders[0].Rungs {
			for j := range r.Trials {
				if r.Trials[j].Trial.ID == d.Start[0].Trial {
					r.Trials[j] = full.Ladders[0].Rungs[i].Trials[j]
				}
			}
		}
	}
	t.Fatal("the sweep does not end")
	return s
}

// TestTextOfNeededSeeds: where ranks have different numbers of seeds the report says which, what their losses are, and why the climb went
// on from a rank whose gain is not certain.
func TestTextOfNeededSeeds(t *testing.T) {
	t.Parallel()
	f := fixture{name: "needed", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0"}}}
	for i, losses := range [][]float64{
		{4.99, 4.93, 4.93},
		{4.89, 4.864, 4.826},
		{4.825, 4.793, 4.761},
		{4.742, 4.715, 4.68},
		{4.716, 4.692, 4.63},
		{4.71, 4.677, 4.65},
		{4.708, 4.68, 4.646},
	} {
		f.ladders[0].rungs = append(f.ladders[0].rungs, rung{rank: 1 << i, losses: losses, train: 4.6})
	}
	golden(t, "needed.txt", text2(t, Build(needed(t, f)), Options{}))
}

// TestStepsArePairedBySharedSeeds: a neighbour that the rule never compared has the interval of the seeds that both ranks have, and where
// they share one the report says so.
func TestStepsArePairedBySharedSeeds(t *testing.T) {
	t.Parallel()
	rungs := measured(4.8, 4.7, 4.699)
	for n, want := range map[int]string{2: "Going down to 1 costs 0.10", 1: "nats (the two share one seed only), for"} {
		from, to := newRungOf(rungs[0], n), newRungOf(rungs[1], 3)
		step := newStep(from, from, to, 0.95)
		got := Recommendation{Smaller: step}.smaller(3)
		if (step.Gain.Lo != nil) != (n > 1) || !strings.Contains(got, want) {
			t.Errorf("%d shared seeds: %+v, %s", n, step.Gain, got)
		}
	}
}

// newRungOf is a rung with the first seeds of a fixture.
func newRungOf(r rung, seeds int) Rung {
	out := Rung{Rank: r.rank, ValLoss: &plateau.Interval{Mean: r.losses[0]}}
	for i := range seeds {
		out.Trials = append(out.Trials, Trial{Seed: int64(i), ValLoss: &r.losses[i]})
	}
	return out
}

// TestMissingIsWhatTheReasonCounts: a ladder that needs two of the grid's three seeds at its first rank waits for two trials, in its
// reason, its table and what the report says is missing. Where nobody works on the sweep, its last line says how it goes on.
func TestMissingIsWhatTheReasonCounts(t *testing.T) {
	t.Parallel()
	for _, rule := range []plateau.SeedsPerRank{plateau.EverySeed, plateau.NeededSeeds} {
		f := fixture{name: "left", seeds: []int64{0, 1, 2}, rule: plateau.DefaultRule(), ladders: []fixtureLadder{{dropout: "0", rungs: []rung{
			{rank: 1, waiting: true}, {rank: 2, waiting: true},
		}}}}
		f.rule.SeedsPerRank = rule
		s := f.snapshot()
		s.Ladders[0].Rungs[0].Trials[0].Attempts = []sweep.AttemptFacts{{Number: 1, Outcome: &trial.Outcome{State: trial.OutcomeInterrupted}}}
		r := Build(s)
		missing, n := r.Recommendation.Missing, 3
		if rule == plateau.NeededSeeds {
			n = 2
		}
		if len(missing) != 1 || !slices.Equal(missing[0].Seeds, f.seeds[:n]) || missing[0].Rank != 1 {
			t.Errorf("%s: missing %+v, want %d seeds of rank 1", rule, missing, n)
		}
		reason, done := fmt.Sprintf("rank 1: 0 of %d trials finished", n), fmt.Sprintf("0/%d done", n)
		if l := r.Ladders[0]; l.Verdict.Reason != reason || l.Rungs[0].Finding() != done {
			t.Errorf("%s: %q and %q, want %q and %q", rule, l.Verdict.Reason, l.Rungs[0].Finding(), reason, done)
		}
		for _, r.Left = range []bool{false, true} {
			var text strings.Builder
			if err := r.Text(&text, Options{}); err != nil {
				t.Fatal(err)
			}
			if says := strings.HasSuffix(text.String(), "\nNext: sweep resume left\n"); says != r.Left {
				t.Errorf("left %t:\n%s", r.Left, text.String())
			}
		}
	}
}
