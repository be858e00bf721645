package plateau_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// drawn adds losses of seeds 3, 4, … to the rung of a rank.
func drawn(rungs []plateau.Losses, rank int, losses ...float64) []plateau.Losses {
	rungs = slices.Clone(rungs)
	for i := range rungs {
		if rungs[i].Rank != rank {
			continue
		}
		r := &rungs[i]
		r.Seeds, r.ValLoss = slices.Clone(r.Seeds), slices.Clone(r.ValLoss)
		for k, y := range losses {
			r.Seeds, r.ValLoss = append(r.Seeds, int64(3+k)), append(r.ValLoss, y)
		}
	}
	return rungs
}

// drawCase is a ladder, what it is judged to be, and what it asks for.
type drawCase struct {
	rule  plateau.Rule
	rungs []plateau.Losses
	state plateau.State
	rank  int // the incumbent
	draw  *plateau.Draw
	seeds int // that rank 4 is compared over in the end
}

func (c drawCase) check(t *testing.T) {
	t.Helper()
	v := judge(t, c.rule, c.rungs)
	if v.State != c.state || v.Incumbent() != c.rank {
		t.Errorf("Judge = %s, rank %d, want %s, rank %d (%s)\n%+v", v.State, v.Incumbent(), c.state, c.rank, prose.Reason(v), v.Rungs)
	}
	if diff := cmp.Diff(c.draw, v.Draw); diff != "" {
		t.Errorf("draw (-want +got):\n%s", diff)
	}
	if got := len(v.Rungs[2].Seeds); got != c.seeds {
		t.Errorf("rank 4 is compared over %d seeds, want %d", got, c.seeds)
	}
}

// TestJudgeDraws: rank 4 is unresolved over rank 2 with the grid's seeds 0, 1, 2 (gains .018, −.018, .005), though a gain is
// unlikely; ranks 8 and 16 are flat. So the stop at 8 hangs on rank 4 alone.
func TestJudgeDraws(t *testing.T) {
	t.Parallel()
	ranks := []int{1, 2, 4, 8, 16, 32}
	rungs := ladder(ranks[:5], [][]float64{
		spread(4.8, .001, -.001, 0), spread(4.7, 0, .001, -.001), spread(4.7, -.018, .019, -.006),
		spread(4.699, -.001, 0, .001), spread(4.6985, 0, 0, .001),
	})
	certified := plateau.DefaultRule()
	certified.Stop, certified.GridSeeds = plateau.StopCertified, []int64{0, 1, 2}
	confirm := plateau.DefaultRule()
	confirm.Patience, confirm.Confirm, confirm.GridSeeds = 2, true, certified.GridSeeds
	with := func(p plateau.Rule, change func(*plateau.Rule)) plateau.Rule {
		change(&p)
		return p
	}
	even := drawn(drawn(rungs, 2, 4.72, 4.66, 4.70), 4, 4.7195, 4.66, 4.6995)
	gains := drawn(drawn(rungs, 2, 4.72, 4.66, 4.70), 4, 4.67, 4.615, 4.65)
	wild := drawn(drawn(rungs, 2, 4.72, 4.66, 4.70), 4, 4.66, 4.69, 4.68)
	doubt := drawn(drawn(rungs, 2, 4.72, 4.66, 4.70), 4, 4.68, 4.70, 4.70)
	lost := drawn(drawn(rungs, 2, 4.72, 4.66), 4, 4.73, 4.665)
	lost[1].Lost, lost[2].Lost = []int64{5}, []int64{5}
	next := &plateau.Draw{Ranks: []int{8, 16}, Seeds: []int64{3, 4, 5}}
	asks := &plateau.Draw{Ranks: []int{2, 4}, Seeds: []int64{3, 4, 5}}
	tests := map[string]drawCase{
		"likely never draws": {
			with(confirm, func(p *plateau.Rule) { p.Confirm = false }), rungs, plateau.StateLikelyPlateau, 2, nil,
			3,
		},
		"certified asks": {certified, rungs, plateau.StateLikelyPlateau, 2, asks, 3},
		"confirm asks":   {confirm, rungs, plateau.StateLikelyPlateau, 2, asks, 3},
		"up to max_seeds": {
			with(certified, func(p *plateau.Rule) { p.MaxSeeds = 4 }), rungs, plateau.StateLikelyPlateau, 2,
			&plateau.Draw{Ranks: []int{2, 4}, Seeds: []int64{3}}, 3,
		},
		"half of it is there": {
			certified, drawn(rungs, 2, 4.72, 4.66, 4.7), plateau.StateLikelyPlateau, 2,
			&plateau.Draw{Ranks: []int{4}, Seeds: []int64{3, 4, 5}}, 3,
		},
		"certified by the draw":        {certified, even, plateau.StatePlateau, 2, nil, 6},
		"confirmed by the draw":        {confirm, even, plateau.StatePlateau, 2, nil, 6},
		"the draw shows a gain":        {confirm, gains, plateau.StateLikelyPlateau, 4, next, 6},
		"undecided, so likely":         {confirm, doubt, plateau.StateLikelyPlateau, 2, nil, 6},
		"undecided, so it climbs on":   {certified, wild, plateau.StateLikelyPlateau, 4, next, 6},
		"no seed to draw: climbs on":   {with(certified, func(p *plateau.Rule) { p.MaxSeeds = 3 }), rungs, plateau.StateInconclusive, 16, nil, 3},
		"lost seeds are not asked for": {certified, lost, plateau.StatePlateau, 2, nil, 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.check(t)
		})
	}
}

// TestUnaskedSeedsChangeNothing: losses of seeds that the rule did not draw move no number of a verdict. So a plateau that
// the grid's seeds certify is final: no further seed turns it into another claim. That drawn seeds do not make false claims
// more frequent is a statistical matter, which experiments/calibrate measures.
func TestUnaskedSeedsChangeNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p, rungs := drawCertified(rt)
		want := judge(t, p, rungs)
		more := slices.Clone(rungs)
		for _, r := range rungs {
			if want.Draw == nil || !slices.Contains(want.Draw.Ranks, r.Rank) {
				more = drawn(more, r.Rank, 3, 5, 4)
			}
		}
		if diff := cmp.Diff(want, judge(t, p, more)); diff != "" {
			rt.Fatalf("with unasked seeds (-want +got):\n%s", diff)
		}
	})
}

// TestDrawEnds: a ladder whose draws are answered asks for each trial at most once, in any order of its finished trials
// ends with the same verdict, and never moves what it said of a rung before the draw.
func TestDrawEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p, rungs := drawCertified(rt)
		asked := map[int]bool{}
		v := judge(t, p, rungs)
		for ; v.Draw != nil; v = judge(t, p, rungs) {
			if diff := cmp.Diff([]int64{3, 4, 5}, v.Draw.Seeds); diff != "" {
				rt.Fatalf("seeds (-want +got):\n%s", diff)
			}
			for _, rank := range v.Draw.Ranks {
				if asked[rank] {
					rt.Fatalf("rank %d is asked for twice", rank)
				}
				asked[rank] = true
				var y []float64
				for range v.Draw.Seeds {
					y = append(y, drawLoss(rt))
				}
				rungs = drawn(rungs, rank, y...)
			}
		}
		shuffled := slices.Clone(rungs)
		for i, r := range rungs {
			order := rapid.Permutation(indices(len(r.Seeds))).Draw(rt, "order")
			shuffled[i].Seeds, shuffled[i].ValLoss = nil, nil
			for _, o := range order {
				shuffled[i].Seeds = append(shuffled[i].Seeds, r.Seeds[o])
				shuffled[i].ValLoss = append(shuffled[i].ValLoss, r.ValLoss[o])
			}
		}
		if diff := cmp.Diff(v, judge(t, p, shuffled)); diff != "" {
			rt.Fatalf("shuffled (-want +got):\n%s", diff)
		}
	})
}

func drawLoss(rt *rapid.T) float64 {
	return 4 + float64(rapid.IntRange(0, 900).Draw(rt, "loss"))*1e-4
}

// drawCertified draws a ladder of three seeds whose noise is of the size of min_gain, so that stops need certifying.
func drawCertified(rt *rapid.T) (plateau.Rule, []plateau.Losses) {
	n := rapid.IntRange(1, 8).Draw(rt, "rungs")
	ranks, y := make([]int, n), make([][]float64, n)
	for i := range n {
		ranks[i] = 1 << i
		for range 3 {
			y[i] = append(y[i], drawLoss(rt))
		}
	}
	p := plateau.Rule{
		MinGain: plateau.MinGain{Value: 0.06}, Patience: rapid.IntRange(1, 3).Draw(rt, "patience"), Confidence: 0.9,
		Stop: plateau.StopLikely, Confirm: true, GridSeeds: []int64{0, 1, 2},
	}
	if rapid.Bool().Draw(rt, "certified") {
		p.Stop, p.Confirm = plateau.StopCertified, false
	}
	return p, ladder(ranks, y)
}
