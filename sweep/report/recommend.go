package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// recommend picks the ladder whose incumbent has the lowest mean loss. Outraced ladders take no part, and only ladders scored on the
// first ladder's validation tokens do: other tokens, or another tokenizer, make other losses.
func recommend(r Report) Recommendation {
	out := Recommendation{Final: len(r.Ladders) > 0, State: plateau.StateRunning, Missing: missing(r.Ladders)}
	for _, l := range r.Ladders {
		out.Final = out.Final && l.Verdict.State != plateau.StateRunning
	}
	best := bestLadder(r.Ladders)
	if best == nil {
		if len(r.Ladders) > 0 {
			out.State = r.Ladders[0].Verdict.State
		}
		out.Summary = "No recommendation yet: no rank has finished all its seeds."
		if out.Final {
			out.Summary = "No recommendation: no rank finished all its seeds."
			if r.Strategy == sweep.StrategyCurve {
				out.Summary = "No recommendation, but an estimate from one run for each ladder: sweep scout prints its curve."
			}
		}
		return out
	}
	i := recommended(*best)
	rung := best.Rungs[i]
	out.Ladder, out.Cell, out.Rank, out.State = best.Number, best.Cell, &rung.Rank, best.Verdict.State
	out.ValLoss, out.Cost = &rung.ValLoss.Mean, rung.Cost
	out.over = rung.over(r.Rule)
	out.Larger, out.Smaller = larger(best.Rungs, i, r.Rule.Confidence), smaller(best.Rungs, i, r.Rule.Confidence)
	out.Cheapest = cheapest(r.Ladders, *best, rung, r.Rule.Confidence)
	out.Serving = serving(*best, rung)
	out.Summary = summary(out, *best, len(r.Ladders))
	return out
}

// serving says what serves a rung's adapters.
func serving(l Ladder, r Rung) *lora.Serving {
	targets, err := r.lora.Match(l.modules)
	if err != nil {
		targets = nil // of a model that is not described: the rank alone decides
	}
	return new(r.lora.Serving(targets))
}

// bestLadder returns the comparable ladder whose recommended rung has the lowest mean loss, or nil. One that diverged there comes after
// all that work: the loss that counts may be a good one that training then lost.
func bestLadder(ladders []Ladder) *Ladder {
	var best *Ladder
	var top Rung
	for _, l := range ladders {
		i := recommended(l)
		if i < 0 || l.outraced() || l.corpus != ladders[0].corpus {
			continue
		}
		rung := l.Rungs[i]
		if best == nil || top.Diverged && !rung.Diverged || top.Diverged == rung.Diverged && rung.ValLoss.Mean < top.ValLoss.Mean {
			best, top = &l, rung
		}
	}
	return best
}

// recommended returns the index of the recommended rung, -1 while there is none.
func recommended(l Ladder) int {
	return slices.IndexFunc(l.Rungs, func(r Rung) bool {
		return l.Verdict.RecommendedRank != nil && r.Rank == *l.Verdict.RecommendedRank && r.ValLoss != nil
	})
}

func larger(rungs []Rung, i int, confidence float64) *Step {
	for _, r := range rungs[i+1:] {
		if r.ValLoss != nil {
			return newStep(r, rungs[i], r, confidence)
		}
	}
	return nil
}

func smaller(rungs []Rung, i int, confidence float64) *Step {
	for _, r := range slices.Backward(rungs[:i]) {
		if r.ValLoss != nil {
			return newStep(r, r, rungs[i], confidence)
		}
	}
	return nil
}

// newStep describes a neighbour and the gain from one rung to the next larger one, the neighbour being either.
func newStep(neighbour, from, to Rung, confidence float64) *Step {
	return &Step{Rank: neighbour.Rank, Gain: gainOver(from, to, confidence), Cost: neighbour.Cost, shared: len(pairedLosses(from, to))}
}

// gainOver is what one rung of a ladder gains over another: the rule's where it compared the two, so that one difference has one interval.
func gainOver(from, to Rung, confidence float64) plateau.Interval {
	switch {
	case to.Gain != nil && *to.Incumbent == from.Rank:
		return *to.Gain
	case from.Gain != nil && *from.Incumbent == to.Rank:
		return turned(*from.Gain)
	}
	return pairedDifference(from, to, confidence)
}

func turned(gain plateau.Interval) plateau.Interval {
	out := plateau.Interval{Mean: -gain.Mean}
	if gain.Lo != nil && gain.Hi != nil {
		out.Lo, out.Hi = new(-*gain.Hi), new(-*gain.Lo)
	}
	return out
}

// reference is the rung that others are compared with: the recommended one where a plateau is certain, and else the best mean of those that
// count, for the recommended one is itself the cheapest within min_gain of that.
func reference(l Ladder, rung Rung) Rung {
	best := rung
	for _, r := range l.Rungs {
		counts := r.Decision != nil && *r.Decision != plateau.DecisionBeyond && !r.Diverged
		if counts && !l.Verdict.State.Certain() && meanDifference(r, rung) < meanDifference(best, rung) {
			best = r
		}
	}
	return best
}

// cheapest returns the complete rung with the fewest parameters within min_gain of the reference, by the seeds that both
// have, nil when that is the recommended rung itself. Measured memory does not decide: it would make the choice depend on the weather.
func cheapest(ladders []Ladder, best Ladder, rung Rung, confidence float64) *Equivalent {
	bestLadder, bestRung, to := best, rung, reference(best, rung)
	for _, l := range ladders {
		for _, r := range l.Rungs {
			if l.outraced() || l.corpus != best.corpus || r.ValLoss == nil || r.Diverged || meanDifference(r, to) >= best.Verdict.minGain() {
				continue
			}
			if cmp.Or(cmp.Compare(r.Cost.TrainableParams, bestRung.Cost.TrainableParams),
				cmp.Compare(r.ValLoss.Mean, bestRung.ValLoss.Mean)) < 0 {
				bestLadder, bestRung = l, r
			}
		}
	}
	if bestLadder.Number == best.Number && bestRung.Rank == rung.Rank {
		return nil
	}
	loss := pairedDifference(bestRung, rung, confidence)
	if bestLadder.Number == best.Number {
		loss = gainOver(bestRung, rung, confidence)
	}
	return &Equivalent{
		Ladder: bestLadder.Number, Cell: bestLadder.Cell, Rank: bestRung.Rank, ValLoss: bestRung.ValLoss.Mean, Cost: bestRung.Cost, Loss: loss,
	}
}

// missing lists each unfinished ladder's first rung that lacks trials, and of one that goes on all that its reason waits for.
func missing(ladders []Ladder) []Missing {
	out := []Missing{}
	for _, l := range ladders {
		if waits := l.Verdict.found.Reason; waits.Code == plateau.ReasonRunning {
			out = append(out, awaited(l.Number, waits.Trials)...)
			continue
		}
		switch l.Verdict.State {
		case plateau.StateRunning, plateau.StateIncomplete, plateau.StateTimeLimited:
		default:
			continue
		}
		for _, r := range l.Rungs {
			if seeds := undone(r); r.started && len(seeds) > 0 {
				out = append(out, Missing{Ladder: l.Number, Rank: r.Rank, Seeds: seeds})
				break
			}
		}
	}
	return out
}

// awaited are the rungs of trials, which follow one another by rank.
func awaited(ladder int, trials []plateau.Failure) (out []Missing) {
	for _, t := range trials {
		if len(out) == 0 || out[len(out)-1].Rank != t.Rank {
			out = append(out, Missing{Ladder: ladder, Rank: t.Rank})
		}
		if last := &out[len(out)-1]; !slices.Contains(last.Seeds, t.Seed) {
			last.Seeds = append(last.Seeds, t.Seed)
		}
	}
	return out
}

func undone(r Rung) []int64 {
	var seeds []int64
	for _, t := range r.Trials {
		if t.State != sweep.TrialDone && !slices.Contains(seeds, t.Seed) {
			seeds = append(seeds, t.Seed)
		}
	}
	return seeds
}

// widest reports whether no larger rank exists.
func (l Ladder) widest() bool { return slices.Contains(l.Verdict.AdviceCodes, plateau.AdviseWidest) }

// incomparable warns of ladders that the recommendation could not take into account.
func incomparable(ladders []Ladder) []string {
	var numbers []string
	for _, l := range ladders {
		if l.corpus != ladders[0].corpus {
			numbers = append(numbers, fmt.Sprint(l.Number))
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("ladder %s: scored on other validation tokens (another data set or tokenizer) than ladder %d; "+
		"the losses do not compare, so the recommendation leaves them out", strings.Join(numbers, ", "), ladders[0].Number)}
}

func summary(r Recommendation, l Ladder, ladders int) string {
	where := ""
	if axes := l.Cell.Axes(); axes != "" && ladders > 1 {
		where = fmt.Sprintf(" with %s", axes)
	}
	use := fmt.Sprintf("Use rank %d%s", *r.Rank, where)
	switch {
	case l.Verdict.State == plateau.StateStillImproving && l.widest():
		use = fmt.Sprintf("Use rank %d%s, the largest that its targets allow", *r.Rank, where)
	case l.Verdict.State == plateau.StateStillImproving:
		use = fmt.Sprintf("Not settled: at least rank %d%s", *r.Rank, where)
	}
	if l.Verdict.State == plateau.StateInconclusive {
		use = fmt.Sprintf("Inconclusive: rank %d%s for now", *r.Rank, where)
	}
	if l.Verdict.Code == plateau.ReasonDiverged {
		use = "No rank worked" + where
	}
	if !r.Final {
		use = fmt.Sprintf("Rank %d%s leads so far, the sweep is not finished", *r.Rank, where)
	}
	why := strings.TrimSuffix(l.Verdict.Reason, ".")
	if l.Verdict.found.Leads() {
		lowest := slices.Min(append([]int{l.Rungs[0].Rank}, l.NotStarted...))
		why = fmt.Sprintf("rank %d, the lowest, is not complete, and the others are compared with it; ", lowest) + why
	}
	if l.Verdict.Choice != "" {
		why = l.Verdict.Choice + ". " + strings.ToUpper(why[:1]) + why[1:]
	}
	return fmt.Sprintf("%s: %s.", use, why)
}
