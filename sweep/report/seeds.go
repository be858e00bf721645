package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// seedsWithLoss counts the trials of one rank, each of another seed, that ended with a loss, and those of further seeds among them.
func seedsWithLoss(trials []Trial) (all, extra int) {
	for _, t := range trials {
		if t.ValLoss == nil {
			continue
		}
		all++
		if t.Extra {
			extra++
		}
	}
	return all, extra
}

// extraSeeds says which ranks have seeds beyond the grid's, and what the columns of the table average over then; empty where
// no rank has any.
func (l Ladder) extraSeeds() string {
	have := l.seedsOf(func(all, extra int) bool { return extra > 0 })
	if have == "" {
		return ""
	}
	return have + "; val_loss averages the grid's, a gain all that both ranks share"
}

// partialMark stands behind a mean over fewer seeds than the grid has. What it means is said by fewerSeeds.
const partialMark = "*"

func (r Rung) mark() string {
	if r.partial {
		return partialMark
	}
	return ""
}

// over says what a marked mean is over; empty where it is over all seeds of the grid.
func (r Rung) over(rule Rule) string {
	if !r.partial {
		return ""
	}
	return fmt.Sprintf(", over %d of the grid's %d seeds", r.Seeds, rule.seeds)
}

// mean is a judged rung's loss with half the width of its interval, marked where it is over fewer seeds than the grid has.
func (r Rung) mean(decimals int) string { return plusMinus(*r.ValLoss, decimals) + r.mark() }

// fewerSeeds says which ranks were decided on fewer seeds than the grid has, and what their losses are then; empty where none was. A
// climb that takes seeds as needed moves such losses to where they compare (see plateau's level), else they are plain means.
func (l Ladder) fewerSeeds(rule Rule) string {
	have := l.seedsOf(func(all, extra int) bool { return all-extra > 0 && all-extra < rule.seeds })
	if have == "" {
		return ""
	}
	if rule.SeedsPerRank != plateau.NeededSeeds {
		return fmt.Sprintf("%s of the grid's %d, %s: the others ended without a loss, so that a mean beside this mark is over fewer "+
			"than the others. A gain is over the seeds that both ranks have", partialMark, rule.seeds, have)
	}
	text := fmt.Sprintf("%s of the grid's %d, %s: where to climb on needed no more", partialMark, rule.seeds, have)
	if b := l.Verdict.incumbent(); b > 0 {
		text += fmt.Sprintf(". Their val_loss is that of rank %d plus what it gains over them on the seeds that both have", b)
	}
	return text
}

// seedsOf lists ranks by how many seeds they have a loss of.
func (l Ladder) seedsOf(wanted func(all, extra int) bool) string {
	var counts []int
	ranks := map[int][]string{} // by number of seeds
	for _, r := range l.Rungs {
		all, extra := seedsWithLoss(r.Trials)
		if r.Decision == nil || !wanted(all, extra) {
			continue
		}
		if !slices.Contains(counts, all) {
			counts = append(counts, all)
		}
		ranks[all] = append(ranks[all], strconv.Itoa(r.Rank))
	}
	var have []string
	for _, n := range counts {
		verb := "have"
		if len(ranks[n]) == 1 {
			verb = "has"
		}
		have = append(have, fmt.Sprintf("%s %s %s %d %s", plural("rank", len(ranks[n])), prose.List(ranks[n]), verb, n, plural("seed", n)))
	}
	return strings.Join(have, ", ")
}
