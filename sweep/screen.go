package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Strategy says which ranks of a ladder are trained to find the one to recommend. The rule that decides is the same.
type Strategy string

// The strategies.
const (
	StrategyLadder Strategy = "ladder" // climbs from the lowest rank
	StrategyScreen Strategy = "screen" // trains the largest rank, truncates it to every lower one, and climbs around their knee
	StrategyScout  Strategy = "scout"  // sees every rank in one trial of the largest, and climbs around their knee
	StrategyCurve  Strategy = "curve"  // ends with what the scout sees: sweep scout
)

// Scouts reports whether ladders begin with one trial that shows every rank.
func (s Strategy) Scouts() bool { return s == StrategyScout || s == StrategyCurve }

// toScreen sees a rung's trials with a screening's eyes: one of the grid's that is done, but not screened at all these ranks,
// goes on. Its worker may have ended in between, or have trained for a sweep that does not screen.
func (r Rung) toScreen(ranks []int) Rung {
	r.Trials = slices.Clone(r.Trials)
	for i := range r.Trials {
		t := &r.Trials[i]
		if t.Extra || len(t.unscreened(ranks)) == 0 {
			continue
		}
		t.Attempts = slices.Clone(t.Attempts)
		for j, a := range t.Attempts {
			if a.Outcome != nil && a.Outcome.State == trial.OutcomeDone {
				t.Attempts[j].Outcome = &trial.Outcome{State: trial.OutcomeInterrupted, Step: a.Outcome.Step}
			}
		}
	}
	return r
}

// unscreened lists those of the ranks that a trial is still to be screened at.
func (t *TrialFacts) unscreened(ranks []int) []int {
	var missing []int
	for _, rank := range ranks {
		if _, ok := t.screenedLoss(rank); !ok {
			missing = append(missing, rank)
		}
	}
	return missing
}

// screenedLoss returns the loss of the trial's adapter truncated to a rank.
func (t *TrialFacts) screenedLoss(rank int) (float64, bool) {
	for _, s := range t.Screened {
		if s.Rank == rank {
			return s.ValLoss, true
		}
	}
	return 0, false
}

// screenedLosses returns what a screened rung's adapters show at a lower rank: one loss per finished seed of the grid.
func (r Rung) screenedLosses(rank int) plateau.Losses {
	l := plateau.Losses{Rank: rank, Complete: true}
	for _, t := range r.ChosenRung().grid().Trials {
		loss, ok := t.screenedLoss(rank)
		if !ok || t.State() != TrialDone {
			l.Complete = false
			continue
		}
		l.Seeds, l.ValLoss = append(l.Seeds, t.seed()), append(l.ValLoss, loss)
	}
	return l
}

// screen applies the rule to a screened rung's truncated losses, and to its own at its rank, as if each rank had been trained.
func (r Rung) screen(rule plateau.Rule, lower []Rung, q plateau.Quantiles) (*plateau.Screening, *plateau.Climb) {
	// Extra seeds were never screened: the knee is the one that the grid's seeds show.
	rule.Stop, rule.Confirm = plateau.StopLikely, false
	c := plateau.NewClimb(rule, q)
	s := &plateau.Screening{Rank: r.Rank, Skipped: []int{}, Losses: []plateau.Interval{}, Ranks: []int{}}
	for _, rung := range lower {
		c.Add(r.screenedLosses(rung.Rank))
		s.Ranks = append(s.Ranks, rung.Rank)
		s.Losses = append(s.Losses, c.Rows[len(c.Rows)-1].ValLoss)
	}
	c.Add(r.grid().Losses())
	s.Knee = c.Rungs[c.Incumbent].Rank
	return s, c
}
