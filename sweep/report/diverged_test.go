package report

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// blowUp lets the trials of a ladder end at what guessing among 2048 tokens costs, from the rung with that index on.
func blowUp(l *sweep.Ladder, from int) {
	l.Model.VocabSize = 2048
	for i := range l.Rungs[from:] {
		for j := range l.Rungs[from+i].Trials {
			t := &l.Rungs[from+i].Trials[j]
			t.Final().LastValLoss = new(7.62)
			t.Evaluations[len(t.Evaluations)-1].ValLoss = 7.62
		}
	}
}

// TestDivergedLadders: a cell that diverged is not recommended over one that works, whatever its best evaluation was; where no cell
// works the report says so first and counts nothing else.
func TestDivergedLadders(t *testing.T) {
	t.Parallel()
	f := fixture{name: "diverged", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{
		{dropout: "0", rungs: measured(4.812, 4.712, 4.71, 4.709)},
		{dropout: "0.1", rungs: measured(4.7, 4.6, 4.599, 4.598)},
		{dropout: "0.2", rungs: measured(4.8, 4.7, 4.699, 4.698)},
	}}
	s := f.snapshot()
	blowUp(&s.Ladders[1], 0)
	blowUp(&s.Ladders[2], 2)
	r := Build(s)
	golden(t, "diverged-some.txt", text2(t, r, Options{}))
	if rec := r.Recommendation; rec.Ladder != 3 || r.Ladders[1].Verdict.State != plateau.StateUnstable || !r.Ladders[1].Rungs[0].Diverged {
		t.Errorf("recommends ladder %d; ladder 2 is %s", rec.Ladder, r.Ladders[1].Verdict.State)
	}
	f.ladders = f.ladders[:1]
	s = f.snapshot()
	blowUp(&s.Ladders[0], 0)
	golden(t, "diverged-all.txt", text2(t, Build(s), Options{}))
}
