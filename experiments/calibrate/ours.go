package main

import (
	"cmp"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// ours are the modes of this program's rule.
func ours() []protocol {
	mode := func(name string, set func(*plateau.Rule, ladder)) protocol {
		return protocol{name: name, judge: func(l ladder) call {
			p := ruleFor(l)
			set(&p, l)
			return answer(climb(p, l, 0))
		}}
	}
	given := mode("likely, noise given", func(p *plateau.Rule, l ladder) { p.NoiseSD, p.NoiseSource = l.noise, plateau.NoiseFromGrid })
	given.seeds = 1 // with more the noise is measured
	return append([]protocol{
		{name: "stop: likely", judge: likely},
		given,
		mode("likely + confirm", func(p *plateau.Rule, _ ladder) { p.Confirm = true }),
		mode("seeds as needed", func(p *plateau.Rule, _ ladder) { p.SeedsPerRank = plateau.NeededSeeds }),
		mode("stop: certified", func(p *plateau.Rule, _ ladder) { p.Stop = plateau.StopCertified }),
	}, scouting()...)
}

// ruleFor is the rule that every mode begins with.
func ruleFor(l ladder) plateau.Rule {
	p := plateau.DefaultRule()
	p.MinGain, p.Patience, p.Confidence = plateau.MinGain{Value: l.share, Relative: true}, patience, confidence
	for s := range l.seeds {
		p.GridSeeds = append(p.GridSeeds, int64(s))
	}
	return p
}

// likely is the plain rule, and what each of choices would recommend in its place.
func likely(l ladder) call {
	v, trained := climb(ruleFor(l), l, 0)
	c := answer(v, trained)
	if v.State == plateau.StatePlateau {
		return c
	}
	for _, choice := range choices() {
		c.others = append(c.others, choice.rung(v))
	}
	return c
}

// climb climbs a ladder from a rung with plateau.Climb, as a sweep does: up to where the rule stops, and again with what it drew. It
// also says how many trials each rung took.
func climb(p plateau.Rule, l ladder, from int) (v plateau.Verdict, trained [rungs]int) {
	losses := make([]plateau.Losses, rungs)
	for r := range losses {
		losses[r] = plateau.Losses{Rank: ranks[r], Seeds: p.GridSeeds, ValLoss: l.y[r][:l.seeds], Complete: true}
	}
	c := climbOnce(p, l, losses[from:])
	for ; c.Draw != nil; c = climbOnce(p, l, losses[from:]) {
		for _, rank := range c.Draw.Ranks {
			r := slices.Index(ranks[:], rank)
			losses[r].Seeds = append(slices.Clone(p.GridSeeds), c.Draw.Seeds...)
			losses[r].ValLoss = l.y[r][:len(losses[r].Seeds)]
		}
	}
	v = c.Verdict()
	for i, row := range v.Rungs {
		r := from + i
		trained[r] = cmp.Or(row.GridSeeds, l.seeds) + len(losses[r].Seeds) - l.seeds
	}
	return v, trained
}

func climbOnce(p plateau.Rule, l ladder, losses []plateau.Losses) *plateau.Climb {
	c := plateau.NewClimb(p, l.quantiles)
	for _, rung := range losses {
		if c.Add(rung); c.Stopped || c.Draw != nil {
			return c
		}
	}
	c.Finish()
	return c
}

// answer is a call of so many trials by rung.
func answer(v plateau.Verdict, trained [rungs]int) call {
	c := call{rung: slices.Index(ranks[:], v.RecommendedRank), claimed: slices.Index(ranks[:], v.Incumbent())}
	for _, n := range trained {
		c.used += one(n > 0)
		c.steps += float64(n)
	}
	switch v.State {
	case plateau.StatePlateau:
		c.claim = claimPlateau
	case plateau.StateLikelyPlateau:
		c.claim = claimLikely
	default:
	}
	return c
}

// ruleVersion is the release that the tables are of.
const ruleVersion = plateau.Version
