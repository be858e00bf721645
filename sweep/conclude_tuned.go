package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// flagEdge marks a tuned axis whose best value was the last of its list at some rank: edge_of_learning_rate.
const flagEdge = "edge_of_"

// adviseTuned says what tuning leaves open: axes whose best value is the last of its list, and that the best of several
// candidates was chosen on the same seeds that it is judged by.
func (s standing) adviseTuned(v *plateau.Verdict) {
	candidates := s.ladder.Candidates
	if len(candidates) < 2 || len(s.counted) == 0 {
		return
	}
	for _, setting := range candidates[0] {
		for _, side := range []EdgeSide{EdgeSmallest, EdgeLargest} {
			ranks := s.ranksAt(Edge{setting.Name, side})
			if len(ranks) == 0 {
				continue
			}
			if flag := flagEdge + setting.Name; !slices.Contains(v.Flags, flag) {
				v.Flags = append(v.Flags, flag)
			}
			v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseEdge, Ranks: ranks, Name: setting.Name, Side: string(side)})
		}
	}
	v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseChosen, Count: len(candidates)})
}

// ranksAt lists the counted ranks whose chosen candidate lies at an edge.
func (s standing) ranksAt(e Edge) []int {
	var ranks []int
	for i := range s.climb.End + 1 {
		rung := s.rung(i)
		if c, ok := rung.Chosen(); ok && slices.Contains(s.ladder.Edges(c), e) {
			ranks = append(ranks, rung.Rank)
		}
	}
	return ranks
}

// adviseScale says when ranks differ in the scale of their updates too: what larger ranks lack is then not shown to be rank.
func (s standing) adviseScale(v *plateau.Verdict) {
	if v.State != plateau.StatePlateau && v.State != plateau.StateLikelyPlateau || s.climb.End == s.climb.Incumbent || s.tunes("alpha") {
		return
	}
	low, high := s.rung(s.climb.Incumbent), s.rung(s.climb.End)
	from, to := scaling(s.chosen[s.climb.Incumbent]), scaling(s.chosen[s.climb.End])
	const equal = 1e-9 // alpha is a decimal number
	if to > from*(1-equal) && to < from*(1+equal) {
		return
	}
	v.Flags = append(v.Flags, plateau.FlagScale)
	v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseScale, Ranks: []int{low.Rank, high.Rank}, Values: []float64{from, to}})
}

// tunes reports whether an axis is tuned.
func (s standing) tunes(name string) bool {
	return len(s.ladder.Candidates) > 0 &&
		slices.ContainsFunc(s.ladder.Candidates[0], func(t Setting) bool { return t.Name == name })
}

// scaling is the factor on the update of the trials of a rung with one candidate.
func scaling(r Rung) float64 { return r.Trials[0].Trial.Spec().LoRA.Scaling() }
