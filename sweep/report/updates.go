package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Updates is what training at one rank added to the weights of its modules: ΔW = scaling·B·A of the best adapters, mean over the trials
// that stand for the rung.
type Updates struct {
	Rank       int            `json:"rank"`
	Trials     int            `json:"trials"`      // of which the updates are known
	StableRank float64        `json:"stable_rank"` // mean over the modules, weighted by their shares
	Modules    []ModuleUpdate `json:"modules"`     // the largest share first
}

// ModuleUpdate is one module's part.
type ModuleUpdate struct {
	trial.ModuleUpdate
	Share float64 `json:"share"` // of the sum of all modules' ‖ΔW‖²
}

// WithUpdates adds what is known about the updates of trials.
func (e Explanation) WithUpdates(of map[trial.ID][]trial.ModuleUpdate) Explanation {
	e.Updates = nil
	for _, r := range e.ladder.Rungs {
		if u := r.updates(of); u.Trials > 0 {
			e.Updates = append(e.Updates, u)
		}
	}
	return e
}

func (r Rung) updates(of map[trial.ID][]trial.ModuleUpdate) Updates {
	out := Updates{Rank: r.Rank}
	sums := map[string]trial.ModuleUpdate{}
	for _, t := range r.Trials {
		if t.ValLoss == nil || len(of[t.ID]) == 0 {
			continue
		}
		out.Trials++
		for _, u := range of[t.ID] {
			sum := sums[u.Module]
			sums[u.Module] = trial.ModuleUpdate{Module: u.Module, Norm: sum.Norm + u.Norm, StableRank: sum.StableRank + u.StableRank}
		}
	}
	squares := 0.0
	for _, u := range sums {
		u.Norm, u.StableRank = u.Norm/float64(out.Trials), u.StableRank/float64(out.Trials)
		out.Modules = append(out.Modules, ModuleUpdate{ModuleUpdate: u})
	}
	slices.SortFunc(out.Modules, func(a, b ModuleUpdate) int {
		return cmp.Or(cmp.Compare(b.Norm, a.Norm), cmp.Compare(a.Module, b.Module))
	})
	for _, u := range out.Modules {
		squares += u.Norm * u.Norm
	}
	for i, u := range out.Modules {
		if squares > 0 {
			out.Modules[i].Share = u.Norm * u.Norm / squares
		}
		out.StableRank += out.Modules[i].Share * u.StableRank
	}
	return out
}

// shownModules is how many modules are shown to people.
const shownModules = 5

// updates prints where the recommended rank's adapters change the weights most.
func (t *text) updates(e Explanation) {
	i := slices.IndexFunc(e.Updates, func(u Updates) bool { return e.Verdict.RecommendedRank != nil && u.Rank == *e.Verdict.RecommendedRank })
	if i < 0 {
		return
	}
	u := e.Updates[i]
	top := u.Modules[:min(shownModules, len(u.Modules))]
	var rows [][]string
	for _, m := range top {
		rows = append(rows, []string{
			m.Module, number(roundTo(m.Norm, 3)), fixed(100*m.Share, 0) + " %", number(roundTo(m.StableRank, 3)),
		})
	}
	t.print("")
	which := fmt.Sprintf("the %d modules that change most, of %d", len(top), len(u.Modules))
	if len(top) == len(u.Modules) {
		which = fmt.Sprintf("all %d modules", len(top))
	}
	t.heading(fmt.Sprintf("Update ΔW at rank %d, mean of %d %s: %s", u.Rank, u.Trials, plural("trial", u.Trials), which))
	t.tabulate("", Table{[]string{"module", "‖ΔW‖", "share of ‖ΔW‖²", "stable rank"}, rows}, "module")
	t.para("", "%s", stableRankAgreement(e.Updates, u))
}

// stableRankAgreement says how the trained stable rank stands to the recommended rank. It informs: a low one does not show that
// a low rank would have been found by training at it, and a high one does not show that the directions pay.
func stableRankAgreement(all []Updates, recommended Updates) string {
	top, b := all[len(all)-1], recommended.Rank
	stable := number(roundTo(top.StableRank, 2))
	switch {
	case top.Rank == b:
		return fmt.Sprintf("Its stable rank is %s (mean over modules, by share). No larger rank was trained, so that says nothing for or "+
			"against the verdict, which rests on losses.", stable)
	case top.StableRank <= float64(b)*(1+1e-9):
		return fmt.Sprintf("At rank %d, the largest trained, the update's stable rank is %s (mean over modules, by share), not above the "+
			"recommended %d: that agrees with the verdict, which rests on losses. It is weak evidence: updates of low stable rank are common where "+
			"higher ranks pay.", top.Rank, stable, b)
	}
	return fmt.Sprintf("At rank %d, the largest trained, the update's stable rank is %s (mean over modules, by share), above the recommended "+
		"%d: training uses more directions there, though the losses, on which the verdict rests, do not show that they pay.", top.Rank, stable, b)
}
