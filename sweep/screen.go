package sweep

import "slices"

// Strategy says which ranks of a ladder are trained to find the one to recommend. The rule that decides is the same.
type Strategy string

// The strategies.
const (
	StrategyLadder Strategy = "ladder" // climbs from the lowest rank
	StrategyScreen Strategy = "screen" // trains the largest rank, truncates it to every lower one, and climbs around their knee
)

// Screened is the loss of a trial's best adapter whose updates were replaced by their best approximations of a lower rank
// (Eckart and Young 1936). It says little of a rank far below the trial's own: training there would have found a better
// adapter than what is left of a larger one.
type Screened struct {
	Rank    int     `json:"rank"`
	ValLoss float64 `json:"val_loss"` // on all validation rows, as val_loss
	Tokens  int64   `json:"tokens"`   // supervised validation tokens
	Seconds float64 `json:"seconds"`  // truncation and evaluation
}

// Screening is how StrategyScreen chose where to climb. Its losses are those of truncated adapters: they point to ranks, and
// nothing is claimed from them.
type Screening struct {
	Rank    int        `json:"rank"`    // the largest affordable one, whose adapters were truncated
	Knee    int        `json:"knee"`    // what the rule says of the truncated losses
	From    int        `json:"from"`    // the lowest rank that was trained, or is to be
	Skipped []int      `json:"skipped"` // ranks of which no trial was needed
	Losses  []Interval `json:"losses"`  // means over the grid's seeds, one per rank of Ranks
	Ranks   []int      `json:"ranks"`   // ascending, without Rank itself
}

// Loss returns the mean loss of the adapters truncated to a rank, nil where there is none.
func (s *Screening) Loss(rank int) *Interval {
	if s == nil {
		return nil
	}
	if i := slices.Index(s.Ranks, rank); i >= 0 {
		return &s.Losses[i]
	}
	return nil
}

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
			if a.Outcome != nil && a.Outcome.State == OutcomeDone {
				t.Attempts[j].Outcome = &Outcome{State: OutcomeInterrupted, Step: a.Outcome.Step}
			}
		}
	}
	return r
}

// unscreened lists those of the ranks that a trial is still to be screened at.
func (t TrialFacts) unscreened(ranks []int) []int {
	var missing []int
	for _, rank := range ranks {
		if _, ok := t.screenedLoss(rank); !ok {
			missing = append(missing, rank)
		}
	}
	return missing
}

// screenedLoss returns the loss of the trial's adapter truncated to a rank.
func (t TrialFacts) screenedLoss(rank int) (float64, bool) {
	for _, s := range t.Screened {
		if s.Rank == rank {
			return s.ValLoss, true
		}
	}
	return 0, false
}

// screenedLosses returns what a screened rung's adapters show at a lower rank: one loss per finished seed of the grid.
func (r Rung) screenedLosses(rank int) Losses {
	l := Losses{Rank: rank, Complete: true}
	for _, t := range r.ChosenRung().grid().Trials {
		loss, ok := t.screenedLoss(rank)
		if !ok || t.state() != trialDone {
			l.Complete = false
			continue
		}
		l.Seeds, l.ValLoss = append(l.Seeds, t.seed()), append(l.ValLoss, loss)
	}
	return l
}

// screen applies the rule to a screened rung's truncated losses, and to its own at its rank, as if each rank had been trained.
func (r Rung) screen(rule Plateau, lower []Rung) *Screening {
	// Extra seeds were never screened: the knee is the one that the grid's seeds show.
	rule.Stop, rule.Confirm = StopLikely, false
	c := newClimb(rule)
	s := &Screening{Rank: r.Rank, Skipped: []int{}, Losses: []Interval{}, Ranks: []int{}}
	for _, rung := range lower {
		c.add(r.screenedLosses(rung.Rank))
		s.Ranks = append(s.Ranks, rung.Rank)
		s.Losses = append(s.Losses, c.rows[len(c.rows)-1].ValLoss)
	}
	c.add(r.grid().Losses())
	s.Knee = c.rungs[c.incumbent].Rank
	return s
}
