package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	var counts []int
	ranks := map[int][]string{} // by number of seeds
	for _, r := range l.Rungs {
		all, extra := seedsWithLoss(r.Trials)
		if extra == 0 {
			continue
		}
		if !slices.Contains(counts, all) {
			counts = append(counts, all)
		}
		ranks[all] = append(ranks[all], strconv.Itoa(r.Rank))
	}
	if len(counts) == 0 {
		return ""
	}
	var have []string
	for _, n := range counts {
		verb := "have"
		if len(ranks[n]) == 1 {
			verb = "has"
		}
		have = append(have, fmt.Sprintf("%s %s %s %d seeds", plural("rank", len(ranks[n])), prose.List(ranks[n]), verb, n))
	}
	return strings.Join(have, ", ") + "; val_loss averages the grid's, a gain all that both ranks share"
}
