package report

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

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
	golden(t, "raced.txt", text2(t, r, Options{}))
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
