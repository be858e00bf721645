package plateau_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// trainNeeded trains what a sparing rule asks for, and returns its verdict and how many trials it took. all holds every seed of every rank.
func trainNeeded(tb rapid.TB, p plateau.Rule, all []plateau.Losses) (plateau.Verdict, int) {
	tb.Helper()
	asked := map[int][]int64{}
	for {
		c := plateau.NewClimb(p, plateau.Quantiles{})
		for _, full := range all {
			if have := asked[full.Rank]; len(have) == 0 {
				asked[full.Rank] = slices.Clone(c.NextSeeds())
			}
			c.Add(only(full, asked[full.Rank]))
			if c.Draw != nil || c.Stopped {
				break
			}
		}
		if c.Draw == nil {
			c.Finish()
		}
		if c.Draw == nil {
			n := 0
			for _, seeds := range asked {
				n += len(seeds)
			}
			return c.Verdict(), n
		}
		before := 0
		for _, r := range c.Draw.Ranks {
			for _, s := range c.Draw.Seeds {
				if !slices.Contains(asked[r], s) {
					asked[r] = append(asked[r], s)
					before++
				}
			}
		}
		if before == 0 {
			tb.Fatalf("it waits for %+v, which it has", c.Draw)
		}
	}
}

// only returns the losses of some seeds.
func only(l plateau.Losses, seeds []int64) plateau.Losses {
	out := plateau.Losses{Rank: l.Rank}
	for i, s := range l.Seeds {
		if slices.Contains(seeds, s) {
			out.Seeds, out.ValLoss = append(out.Seeds, s), append(out.ValLoss, l.ValLoss[i])
		}
	}
	out.Complete = len(out.Seeds) == len(l.Seeds)
	return out
}

func needed() plateau.Rule {
	p := plateau.DefaultRule()
	p.SeedsPerRank, p.GridSeeds = plateau.NeededSeeds, []int64{0, 1, 2}
	return p
}

// TestNeededSeeds: a clear climb takes few seeds, and the plateau at its end all of them.
func TestNeededSeeds(t *testing.T) {
	t.Parallel()
	curve := []float64{5.0, 4.8, 4.6, 4.5, 4.45, 4.449, 4.4485, 4.448}
	noise := []float64{0.1, 0.0, -0.1}
	var y [][]float64
	for r, loss := range curve {
		row := make([]float64, len(noise))
		for s := range row {
			row[s] = loss + noise[s] + 0.0004*float64((r*7+s*3)%5)
		}
		y = append(y, row)
	}
	v, trials := trainNeeded(t, needed(), ladder([]int{1, 2, 4, 8, 16, 32, 64, 128}, y))
	if v.State != plateau.StatePlateau || v.RecommendedRank != 16 {
		t.Errorf("%s at rank %d, want a plateau at 16", v.State, v.RecommendedRank)
	}
	var seeds []int
	for _, r := range v.Rungs {
		seeds = append(seeds, r.GridSeeds)
	}
	if want := []int{2, 2, 2, 1, 3, 3, 3}; !slices.Equal(seeds, want) || trials != 16 {
		t.Errorf("seeds per rank %v, %d trials, want %v and 16", seeds, trials, want)
	}
	for i, r := range v.Rungs { // of one level, though rank 8 has the unluckiest seed alone
		if want := curve[i] + 0.0008; r.ValLoss.Mean < want-0.002 || r.ValLoss.Mean > want+0.002 {
			t.Errorf("rank %d: mean %g, want about %g", r.Rank, r.ValLoss.Mean, want)
		}
	}
}

// TestNeededSeedsIgnoreOthers: losses that were not asked for change nothing, so that what other ladders trained does not either.
func TestNeededSeedsIgnoreOthers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		ranks := []int{1, 2, 4, 8, 16, 32, 64}
		slope, noise := rapid.Float64Range(0, 0.1).Draw(t, "slope"), rapid.Float64Range(0, 0.05).Draw(t, "noise")
		var y [][]float64
		for r := range ranks {
			row := make([]float64, 3)
			for s := range row {
				row[s] = 5 - slope*float64(min(r, 3)) + noise*random.NormFloat64()
			}
			y = append(y, row)
		}
		all := ladder(ranks, y)
		p := needed()
		sparing, trials := trainNeeded(t, p, all)
		whole, err := p.Judge(all)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, r := range sparing.Rungs {
			asked += r.GridSeeds
		}
		whole.Rungs = whole.Rungs[:len(sparing.Rungs)]
		if sparing.State != whole.State || sparing.RecommendedRank != whole.RecommendedRank || trials != asked {
			t.Errorf("%s at %d with what was asked for, %s at %d with all; %d trials for %d seeds", sparing.State, sparing.RecommendedRank,
				whole.State, whole.RecommendedRank, trials, asked)
		}
		for i := range sparing.Rungs {
			if a, b := sparing.Rungs[i].ValLoss.Mean, whole.Rungs[i].ValLoss.Mean; a != b {
				t.Errorf("rank %d: mean %v with what was asked for, %v with all", ranks[i], a, b)
			}
		}
	})
}

// TestListedRungHasALoss: a rung beyond the stop that lost the seeds it would begin with is listed with the first that it has.
func TestListedRungHasALoss(t *testing.T) {
	t.Parallel()
	p := needed()
	p.Patience = 1
	c := plateau.NewClimb(p, plateau.Quantiles{})
	for _, rank := range []int{1, 2} {
		c.Add(plateau.Losses{Rank: rank, Seeds: p.GridSeeds, ValLoss: []float64{4.5, 4.6, 4.7}, Complete: true})
	}
	if !c.Stopped {
		t.Fatal("equal losses do not stop the climb")
	}
	c.Add(plateau.Losses{Rank: 4, Seeds: []int64{1, 2}, ValLoss: []float64{4.4, 4.3}, Lost: []int64{0}})
	listed := c.Verdict().Rungs[2]
	if listed.Decision != plateau.DecisionBeyond || listed.GridSeeds != 2 || !slices.Equal(listed.Seeds, []int64{1}) ||
		math.Abs(listed.ValLoss.Mean-4.4) > 1e-9 {
		t.Errorf("listed as %+v", listed)
	}
}

// TestLastRankOnAllSeeds: what one seed made the incumbent at the ladder's end keeps that only where it improved on all of them.
func TestLastRankOnAllSeeds(t *testing.T) {
	t.Parallel()
	settle, climb := []plateau.Code{plateau.AdviseSeeds}, []plateau.Code{plateau.AdviseLargerRanks}
	low, mid := []float64{2.05, 2.0503, 2.0501}, []float64{2.02, 2.0203, 2.0201}
	before, lucky := []float64{2.0000, 2.0003, 2.0001}, []float64{1.9895, 1.9953, 1.9955}
	for name, tt := range map[string]struct {
		patience  int
		last      []float64
		state     plateau.State
		incumbent int
		count     int
		advice    []plateau.Code
	}{
		"a strike of two":             {2, lucky, plateau.StateInconclusive, 4, 1, []plateau.Code{plateau.AdviseSeeds, plateau.AdviseClimb}},
		"a strike that ends patience": {1, lucky, plateau.StateLikelyPlateau, 4, 1, settle},
		"no strike, not certain":      {2, []float64{1.9695, 1.9923, 1.9995}, plateau.StateInconclusive, 4, 0, settle},
		"certain":                     {2, []float64{1.9795, 1.9803, 1.9802}, plateau.StateStillImproving, 8, 0, climb},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := needed()
			p.MinGain, p.Patience = plateau.MinGain{Value: 0.01}, tt.patience
			all := ladder([]int{1, 2, 4, 8}, [][]float64{low, mid, before, tt.last})
			v, _ := trainNeeded(t, p, all)
			last := v.Rungs[3]
			if v.State != tt.state || v.Incumbent() != tt.incumbent || last.Count != tt.count || len(last.Seeds) != 3 {
				t.Errorf("%s, incumbent %d, last rank %+v; want %s, %d and count %d", v.State, v.Incumbent(), last, tt.state, tt.incumbent, tt.count)
			}
			if last.Promoted || last.WentOnWith != 0 && tt.incumbent != 8 {
				t.Errorf("the last rank is marked as the incumbent: %+v", last)
			}
			var advice []plateau.Code
			for _, f := range v.Advice {
				advice = append(advice, f.Code)
			}
			if !slices.Equal(advice, tt.advice) {
				t.Errorf("advice %v, want %v", advice, tt.advice)
			}
		})
	}
}

// TestNeededSeedsEndAsAllSeeds: at the ladder's end few seeds decide nothing. The climb ends on the last rank only where that improved on
// all of them, or where the plateau below is not likely, as without them. Of two ranks both have all, so everything comes out as if they
// had had them from the first; longer ladders may have come another way.
func TestNeededSeedsEndAsAllSeeds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		ranks := []int{1, 2, 4, 8}[:rapid.IntRange(2, 4).Draw(t, "ranks")]
		p := needed()
		p.MinGain, p.Patience = plateau.MinGain{Value: 0.01}, rapid.IntRange(1, 2).Draw(t, "patience")
		slope, noise := rapid.Float64Range(0, 0.02).Draw(t, "slope"), rapid.Float64Range(0.001, 0.01).Draw(t, "noise")
		var y [][]float64
		for r := range ranks {
			row := make([]float64, 3)
			for s := range row {
				row[s] = 2 - slope*float64(r) + noise*random.NormFloat64()
			}
			y = append(y, row)
		}
		all := ladder(ranks, y)
		got, _ := trainNeeded(t, p, all)
		p.SeedsPerRank = plateau.EverySeed
		want, err := p.Judge(all)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Rungs) < len(ranks) {
			return
		}
		last := got.Rungs[len(ranks)-1]
		onItsGain := got.Incumbent() == last.Rank && (last.WentOnWith > 0 || !last.Promoted)
		if onItsGain && (last.Decision != plateau.DecisionImproved || last.GridSeeds < 3) {
			t.Errorf("it ends on the last rank: %+v", last)
		}
		if other := want.Rungs[len(ranks)-1]; len(ranks) == 2 && (last.Decision != other.Decision ||
			got.State != want.State || got.Incumbent() != want.Incumbent() || got.RecommendedRank != want.RecommendedRank) {
			t.Errorf("as needed: %s at %d, incumbent %d, last %+v; with all seeds: %s at %d, incumbent %d, last %+v", got.State,
				got.RecommendedRank, got.Incumbent(), last, want.State, want.RecommendedRank, want.Incumbent(), other)
		}
	})
}
