package sweep

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// of returns the rung with one candidate's trials only.
func (r Rung) of(candidate int) Rung {
	return r.only(func(t *TrialFacts) bool { return t.Candidate == candidate })
}

// grid returns the rung without its extra seeds: those came later, for one candidate alone, and neither choose it nor end
// the rung.
func (r Rung) grid() Rung {
	return r.only(func(t *TrialFacts) bool { return !t.Extra })
}

// only returns the rung with the trials that are wanted. They are shared with r, most often all of them, and not to be changed.
func (r Rung) only(wanted func(*TrialFacts) bool) Rung {
	first := 0
	for first < len(r.Trials) && wanted(&r.Trials[first]) {
		first++
	}
	if first == len(r.Trials) {
		return r
	}
	kept := slices.Clone(r.Trials[:first])
	for i := first + 1; i < len(r.Trials); i++ {
		if t := &r.Trials[i]; wanted(t) {
			kept = append(kept, *t)
		}
	}
	return Rung{Rank: r.Rank, Trials: kept}
}

// Lost reports whether some trial of the rung is over without a loss.
func (r Rung) Lost() bool {
	return slices.ContainsFunc(r.Trials, func(t TrialFacts) bool { return t.State().Lost() })
}

// candidates returns the numbers of the rung's candidates, ascending.
func (r Rung) candidates() []int {
	var numbers []int
	for i := range r.Trials {
		if c := r.Trials[i].Candidate; !slices.Contains(numbers, c) {
			numbers = append(numbers, c)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// Chosen returns the candidate that stands for the rung: of those that ended with losses the one with the most finished
// seeds of the grid, then with the lowest mean over them, then the first in grid order. It reports false while the rung is
// worked on, and where none ended with losses. A rung of a grid that tunes nothing has one candidate, 0.
func (r Rung) Chosen() (candidate int, ok bool) {
	if end, _ := r.ending(); end != endRanks {
		return 0, false
	}
	return r.best()
}

// best is the choice among the candidates that ended with losses.
func (r Rung) best() (candidate int, ok bool) {
	var most int
	var lowest float64
	for _, c := range r.candidates() {
		grid := r.of(c).grid()
		if end, _ := grid.endingOfOne(); end != endRanks {
			continue
		}
		losses := grid.losses()
		n, m := len(losses.Seeds), stat.Mean(losses.ValLoss, nil)
		if !ok || cmp.Or(cmp.Compare(n, most), cmp.Compare(lowest, m)) > 0 {
			candidate, most, lowest, ok = c, n, m, true
		}
	}
	return candidate, ok
}

// ChosenRung returns the rung with the trials that stand for it alone, extra seeds among them: those of the chosen
// candidate, or all while none is chosen.
func (r Rung) ChosenRung() Rung {
	if c, ok := r.Chosen(); ok {
		return r.of(c)
	}
	return r
}

// Losses returns what the rung's finished trials measured: the chosen candidate's, over the seeds of the grid and extra
// ones.
func (r Rung) Losses() plateau.Losses { return r.ChosenRung().losses() }

// extra returns the trials of extra seeds of a rung with one candidate, and the candidate where it is closed to further
// ones: one was over memory or time, and the others would be too.
func (r Rung) extra() (trials []TrialFacts, closed []int) {
	for i := range r.Trials {
		t := &r.Trials[i]
		if !t.Extra {
			continue
		}
		trials = append(trials, *t)
		if state := t.State(); state == TrialOverMemory || state == TrialOverTime {
			closed = []int{t.Candidate}
		}
	}
	return trials, closed
}

// lost lists the extra seeds of a rung with one candidate that will have no loss.
func (r Rung) lost() []int64 {
	var seeds []int64
	trials, closed := r.extra()
	for i := range trials {
		t := &trials[i]
		state := t.State()
		if !state.Over() && (len(closed) == 0 || state != TrialPending) || state == TrialDone {
			continue
		}
		seeds = append(seeds, t.seed())
	}
	return seeds
}

// losses is Losses of a rung with one candidate. It is complete when every seed of the grid has a loss.
func (r Rung) losses() plateau.Losses {
	l := plateau.Losses{Rank: r.Rank, Complete: true, Train: []float64{}, Last: []float64{}, Lost: r.lost()}
	for i := range r.Trials {
		t := &r.Trials[i]
		if t.State() != TrialDone {
			l.Complete = l.Complete && t.Extra
			if !t.Extra && t.State() == TrialUnstable {
				l.Lost = append(l.Lost, t.seed())
			}
			continue
		}
		o := t.Final()
		l.Seeds = append(l.Seeds, t.seed())
		l.ValLoss = append(l.ValLoss, *o.ValLoss)
		if o.TrainLoss != nil {
			l.Train = append(l.Train, *o.TrainLoss)
		}
		if o.LastValLoss != nil {
			l.Last = append(l.Last, *o.LastValLoss)
		}
	}
	if len(l.Train) < len(l.Seeds) {
		l.Train = nil
	}
	if len(l.Last) < len(l.Seeds) {
		l.Last = nil
	}
	return l
}

// ending says how a rung leaves its ladder: endNone while it is worked on, endRanks when it counts and the next may begin.
// A candidate that ended without losses drops out; a rung whose candidates all did ends the ladder. A trial that failed for
// good ends it too, whatever the others say: what tuning would have chosen is not known. Extra seeds end no rung.
// closed lists the candidates of which no further trial begins.
func (r Rung) ending() (end ending, closed []int) {
	var seen [endOverTime + 1]bool
	for _, c := range r.candidates() {
		end, shut := r.of(c).grid().endingOfOne()
		seen[end] = true
		if shut {
			closed = append(closed, c)
		}
	}
	for _, end := range []ending{endNone, endFailed, endRanks, endUnstable, endOverMemory, endOverTime} {
		if seen[end] {
			return end, closed
		}
	}
	return endRanks, closed
}

// endingOfOne is ending of a rung with one candidate. It is finished whole, whatever its first trials say, so that a report
// does not depend on which seed was the quickest. Only where memory or time ran out does it close: what has not begun would
// meet the same end at the same cost.
func (r Rung) endingOfOne() (end ending, closed bool) {
	begun, pending, failed, unstable, overMemory, overTime := 0, 0, 0, 0, 0, 0
	for i := range r.Trials {
		switch r.Trials[i].State() {
		case TrialPending:
			pending++
		case TrialRunning, TrialInterrupted, TrialCrashed:
			begun++
		case TrialDone:
		case TrialUnstable:
			unstable++
		case TrialOverMemory:
			overMemory++
		case TrialOverTime:
			overTime++
		case TrialFailed:
			failed++
		}
	}
	closed = overMemory+overTime > 0
	switch {
	case begun > 0, pending > 0 && !closed:
		return endNone, closed
	case failed > 0:
		return endFailed, closed
	case 2*unstable > len(r.Trials):
		return endUnstable, closed
	case overMemory > 0:
		return endOverMemory, closed
	case overTime > 0:
		return endOverTime, closed
	}
	return endRanks, closed
}
