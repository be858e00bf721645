package plateau_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// TestConfirmAtTheEnd: rank 4 is the last, and one of two that patience asks for. It probably gains nothing worth having over
// rank 2, but with the grid's seeds alone that is not certain.
func TestConfirmAtTheEnd(t *testing.T) {
	t.Parallel()
	rungs := ladder([]int{1, 2, 4}, [][]float64{
		spread(4.8, .001, -.001, 0), spread(4.7, .02, -.02, 0), spread(4.73, -.023, .023, 0),
	})
	plain := plateau.DefaultRule()
	plain.GridSeeds = []int64{0, 1, 2}
	with := func(change func(*plateau.Rule)) plateau.Rule {
		p := plain
		p.Confirm = true
		change(&p)
		return p
	}
	confirm := with(func(*plateau.Rule) {})
	given := func(four ...float64) []plateau.Losses { return drawn(drawn(rungs, 2, 4.72, 4.66, 4.70), 4, four...) }
	even, certain := given(4.75, 4.69, 4.73), slices.Clone(rungs)
	certain[2].ValLoss = spread(4.73, .02, -.02, 0)
	nine := []float64{4.7, 4.7, 4.7, 4.7, 4.7, 4.7, 4.7, 4.7, 4.7}
	gains := drawn(drawn(rungs, 2, nine...), 4, 4.4, 4.41, 4.4, 4.39, 4.4, 4.4, 4.41, 4.4, 4.39)
	lost := drawn(rungs, 2, 4.72, 4.66, 4.70)
	lost[2].Lost = []int64{3, 4, 5}
	tests := map[string]drawCase{
		"not without the wish": {plain, rungs, plateau.StateLikelyPlateau, 2, nil, 3},
		"nor by stop: certified": {
			with(func(p *plateau.Rule) { p.Confirm, p.Stop = false, plateau.StopCertified }), rungs,
			plateau.StateLikelyPlateau, 2, nil, 3,
		},
		"it asks": {
			confirm, rungs, plateau.StateLikelyPlateau, 2,
			&plateau.Draw{Ranks: []int{2, 4}, Seeds: []int64{3, 4, 5}}, 3,
		},
		"also under stop: certified": {
			with(func(p *plateau.Rule) { p.Stop = plateau.StopCertified }), rungs, plateau.StateLikelyPlateau,
			2, &plateau.Draw{Ranks: []int{2, 4}, Seeds: []int64{3, 4, 5}}, 3,
		},
		"up to max_seeds": {
			with(func(p *plateau.Rule) { p.MaxSeeds = 4 }), rungs, plateau.StateLikelyPlateau,
			2, &plateau.Draw{Ranks: []int{2, 4}, Seeds: []int64{3}}, 3,
		},
		"half of it is there": {
			confirm, drawn(rungs, 4, 4.72, 4.66, 4.70), plateau.StateLikelyPlateau, 2,
			&plateau.Draw{Ranks: []int{2}, Seeds: []int64{3, 4, 5}}, 3,
		},
		"certain now, and likely at most":  {confirm, even, plateau.StateLikelyPlateau, 2, nil, 6},
		"the draw shows a gain":            {with(func(p *plateau.Rule) { p.MaxSeeds = 12 }), gains, plateau.StateStillImproving, 4, nil, 12},
		"the draw leaves it open":          {confirm, given(4.66, 4.69, 4.68), plateau.StateInconclusive, 2, nil, 6},
		"no seed gave a loss":              {confirm, lost, plateau.StateLikelyPlateau, 2, nil, 3},
		"nothing to ask where all is flat": {confirm, certain, plateau.StateLikelyPlateau, 2, nil, 3},
		"no seed to draw":                  {with(func(p *plateau.Rule) { p.MaxSeeds = 3 }), rungs, plateau.StateLikelyPlateau, 2, nil, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.check(t)
		})
	}
	if before, after := judge(t, confirm, rungs), judge(t, confirm, even); *after.Probability <= *before.Probability {
		t.Errorf("probability %v of three seeds, %v of six that agree: want more", *before.Probability, *after.Probability)
	}
}

// TestConfirmAtTheEndKeepsTheClimb: a ladder that ends before patience does is confirmed where its plateau is likely and
// nowhere else, for the incumbent and the ranks that are not certain, once. Whatever the seeds show, the climb up to there
// stays as it was, a rank becomes the incumbent only by a certain gain, and the verdict is a likely plateau at most.
func TestConfirmAtTheEndKeepsTheClimb(t *testing.T) {
	t.Parallel()
	draws := 0
	rapid.Check(t, func(rt *rapid.T) {
		p, rungs := drawEnded(rt)
		plain := judge(t, p, rungs)
		p.Confirm = true
		asked := judge(t, p, rungs)
		if diff := cmp.Diff(wantDraw(plain, p.MaxSeeds), asked.Draw); diff != "" {
			rt.Fatalf("%s: draw (-want +got):\n%s", plain.State, diff)
		}
		if asked.Draw == nil {
			if diff := cmp.Diff(plain, asked); diff != "" {
				rt.Fatalf("nothing is drawn, but the verdict moves (-plain +confirmed):\n%s", diff)
			}
			return
		}
		draws++
		shift := rapid.SampledFrom([]float64{0, 0.3, 0.3}).Draw(rt, "shift")
		for _, rank := range asked.Draw.Ranks {
			var y []float64
			for range asked.Draw.Seeds {
				y = append(y, drawLoss(rt))
				if rank == asked.Draw.Ranks[len(asked.Draw.Ranks)-1] {
					y[len(y)-1] -= shift
				}
			}
			rungs = drawn(rungs, rank, y...)
		}
		got := judge(t, p, rungs)
		if got.Draw != nil {
			rt.Fatalf("it draws again: %+v", got.Draw)
		}
		if !slices.Contains([]plateau.State{plateau.StateLikelyPlateau, plateau.StateStillImproving, plateau.StateInconclusive}, got.State) {
			rt.Fatalf("%s after a ladder that ended before patience did", got.State)
		}
		if diff := cmp.Diff(firstLooks(plain), firstLooks(got)); diff != "" {
			rt.Fatalf("the climb (-plain +confirmed):\n%s", diff)
		}
		i := slices.IndexFunc(got.Rungs, func(r plateau.RungVerdict) bool { return r.Rank == got.Incumbent() })
		moved := got.Incumbent() != plain.Incumbent()
		if moved && (got.Incumbent() < plain.Incumbent() || got.Rungs[i].Decision != plateau.DecisionImproved) {
			rt.Fatalf("rank %d takes over from %d: %+v", got.Incumbent(), plain.Incumbent(), got.Rungs[i])
		}
	})
	if draws == 0 {
		t.Error("no ladder drew: the property was not tried")
	}
}

// drawEnded draws a ladder of three seeds with fewer ranks above its first than patience asks for.
func drawEnded(rt *rapid.T) (plateau.Rule, []plateau.Losses) {
	n := rapid.IntRange(2, 4).Draw(rt, "rungs")
	noise := rapid.SampledFrom([]float64{3e-4, 4e-4, 6e-4}).Draw(rt, "noise")
	ranks, y := make([]int, n), make([][]float64, n)
	for i := range n {
		ranks[i] = 1 << i
		for range 3 {
			y[i] = append(y[i], 4+noise*float64(rapid.IntRange(0, 100).Draw(rt, "loss")))
		}
	}
	return plateau.Rule{
		MinGain: plateau.MinGain{Value: 0.06}, Patience: n + rapid.IntRange(0, 1).Draw(rt, "patience"), Confidence: 0.99,
		Stop: plateau.StopLikely, GridSeeds: []int64{0, 1, 2}, MaxSeeds: rapid.SampledFrom([]int{4, 12, 12}).Draw(rt, "max seeds"),
	}, ladder(ranks, y)
}

// wantDraw is what a confirmation of a verdict on three seeds, whose ladder ended before patience did, asks for.
func wantDraw(v plateau.Verdict, maxSeeds int) *plateau.Draw {
	if v.State != plateau.StateLikelyPlateau {
		return nil
	}
	ranks := []int{v.Incumbent()}
	for _, r := range v.Rungs {
		if r.Rank > v.Incumbent() && *r.Gain.Hi >= v.MinGain {
			ranks = append(ranks, r.Rank)
		}
	}
	if len(ranks) == 1 {
		return nil
	}
	d := &plateau.Draw{Ranks: ranks}
	for s := 3; s < maxSeeds; s++ {
		d.Seeds = append(d.Seeds, int64(s))
	}
	return d
}
