package sweep

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// flagEdge marks a tuned axis whose best value was the last of its list at some rank: edge_of_learning_rate.
const flagEdge = "edge_of_"

// adviseTuned says what tuning leaves open: axes whose best value is the last of its list, and that the best of several
// candidates was chosen on the same seeds that it is judged by.
func (s standing) adviseTuned(v *Verdict) {
	candidates := s.ladder.Candidates
	if len(candidates) < 2 || len(s.counted) == 0 {
		return
	}
	for i, setting := range candidates[0] {
		smallest, largest := s.edges(i)
		for _, e := range []struct {
			ranks      []int
			word, step string
		}{{smallest, "smallest", "smaller"}, {largest, "largest", "larger"}} {
			if len(e.ranks) == 0 {
				continue
			}
			if flag := flagEdge + setting.Name; !slices.Contains(v.Flags, flag) {
				v.Flags = append(v.Flags, flag)
			}
			v.Advice = append(v.Advice, fmt.Sprintf("the best %s of %s %s is the %s of its list: add a %s value, for a rank that is tuned "+
				"worse than others looks worse than it is", setting.Name, either(len(e.ranks), "rank", "ranks"), listInts(e.ranks), e.word, e.step))
		}
	}
	v.Advice = append(v.Advice, fmt.Sprintf("each rank stands for the best of its %d candidates on the same seeds: that makes every loss a little "+
		"too low, the more so the larger the noise, and the intervals do not count the choice", len(candidates)))
}

// edges lists the counted ranks whose chosen value of a tuned axis is the smallest or the largest of its list. An axis whose
// values are no numbers has no edges, and nothing lies below 0.
func (s standing) edges(axis int) (smallest, largest []int) {
	values := make([]float64, len(s.ladder.Candidates))
	for c, candidate := range s.ladder.Candidates {
		v, err := strconv.ParseFloat(strings.TrimSuffix(candidate[axis].Value, "r"), 64)
		if err != nil {
			return nil, nil
		}
		values[c] = v
	}
	lowest, highest := slices.Min(values), slices.Max(values)
	for i := range s.climb.end + 1 {
		rung := s.rung(i)
		c, ok := rung.Chosen()
		switch {
		case !ok:
		case values[c] == lowest && lowest != 0:
			smallest = append(smallest, rung.Rank)
		case values[c] == highest:
			largest = append(largest, rung.Rank)
		}
	}
	return smallest, largest
}

// adviseScale says when ranks differ in the scale of their updates too: what larger ranks lack is then not shown to be rank.
func (s standing) adviseScale(v *Verdict) {
	if v.State != StatePlateau && v.State != StateLikelyPlateau || s.climb.end == s.climb.incumbent || s.tunes("alpha") {
		return
	}
	low, high := s.rung(s.climb.incumbent), s.rung(s.climb.end)
	from, to := low.scaling(), high.scaling()
	const equal = 1e-9 // alpha is a decimal number
	if to > from*(1-equal) && to < from*(1+equal) {
		return
	}
	v.Flags = append(v.Flags, FlagScale)
	change, remedy := "falls", "alpha: 2r keeps it the same at every rank, use_rslora lets it fall more slowly"
	if to > from {
		change, remedy = "grows", "a fixed alpha, or 2r without use_rslora, does not let it grow"
	}
	v.Advice = append(v.Advice, fmt.Sprintf("the scaling of the update %s from %s at rank %d to %s at rank %d, so this plateau may be one of scale "+
		"rather than of rank: %s", change, threeDigits(from), low.Rank, threeDigits(to), high.Rank, remedy))
}

// tunes reports whether an axis is tuned.
func (s standing) tunes(name string) bool {
	return len(s.ladder.Candidates) > 0 &&
		slices.ContainsFunc(s.ladder.Candidates[0], func(t Setting) bool { return t.Name == name })
}

// scaling is the factor on the update of the trials that stand for the rung.
func (r Rung) scaling() float64 { return r.ChosenRung().Trials[0].Trial.Spec.LoRA.Scaling() }
