package main

import (
	"cmp"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// ours are the modes of this program's rule.
func ours() []protocol {
	mode := func(name string, set func(*plateau.Rule, ladder)) protocol {
		return protocol{name: name, judge: func(l ladder) (call, error) {
			p := plateau.DefaultRule()
			p.MinGain, p.Patience, p.Confidence = plateau.MinGain{Value: l.share, Relative: true}, patience, confidence
			set(&p, l)
			return climb(p, l)
		}}
	}
	given := mode("likely, noise given", func(p *plateau.Rule, l ladder) { p.NoiseSD, p.NoiseSource = l.noise, plateau.NoiseFromGrid })
	given.seeds = 1 // with more the noise is measured
	return []protocol{
		mode("stop: likely", func(*plateau.Rule, ladder) {}),
		given,
		mode("likely + confirm", func(p *plateau.Rule, _ ladder) { p.Confirm = true }),
		mode("seeds as needed", func(p *plateau.Rule, _ ladder) { p.SeedsPerRank = plateau.NeededSeeds }),
		mode("stop: certified", func(p *plateau.Rule, _ ladder) { p.Stop = plateau.StopCertified }),
	}
}

// climb lets Rule.Judge climb a ladder and answers its draws. It may see all rungs at once, for what it says of a rung
// does not depend on later ones; those past the stop cost nothing.
func climb(p plateau.Rule, l ladder) (call, error) {
	losses := make([]plateau.Losses, rungs)
	for s := range l.seeds {
		p.GridSeeds = append(p.GridSeeds, int64(s))
	}
	for r := range losses {
		losses[r] = plateau.Losses{Rank: ranks[r], Seeds: p.GridSeeds, ValLoss: l.y[r][:l.seeds], Complete: true}
	}
	drawn := 0
	v, err := p.Judge(losses)
	for ; err == nil && v.Draw != nil; v, err = p.Judge(losses) {
		for _, rank := range v.Draw.Ranks {
			r := slices.Index(ranks[:], rank)
			n := len(losses[r].Seeds)
			losses[r].Seeds = append(slices.Clone(p.GridSeeds), v.Draw.Seeds...)
			losses[r].ValLoss = l.y[r][:len(losses[r].Seeds)]
			drawn += len(losses[r].Seeds) - n
		}
	}
	if err != nil {
		return call{}, err
	}
	counted := countedRungs(v)
	c := call{rung: slices.Index(ranks[:], v.RecommendedRank), claimed: slices.Index(ranks[:], v.Incumbent()), used: len(counted)}
	c.steps = float64(drawn)
	for _, r := range v.Rungs[:c.used] {
		c.steps += float64(cmp.Or(r.GridSeeds, l.seeds))
	}
	if v.State != plateau.StatePlateau {
		for _, choice := range choices() {
			c.others = append(c.others, choice.rung(v, counted))
		}
	}
	switch v.State {
	case plateau.StatePlateau:
		c.claim = claimPlateau
	case plateau.StateLikelyPlateau:
		c.claim = claimLikely
	default:
	}
	return c, nil
}

// ruleVersion is the release that the tables are of.
const ruleVersion = plateau.Version
