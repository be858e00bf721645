package report

import (
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// Screening is how a ladder's ranks to train were chosen from truncated adapters, and what that took. The losses stand with
// the rungs.
type Screening struct {
	Scout   bool  `json:"scout,omitempty"` // what follows is of one trial that showed every rank, not of truncated adapters
	Rank    int   `json:"rank"`            // trained first, its adapters truncated to every lower rank
	Knee    int   `json:"knee"`            // what the rule says of the truncated losses
	From    int   `json:"from"`            // the lowest rank trained
	Skipped []int `json:"skipped"`         // lower ranks that were left out
	// Optimiser steps over all trials.
	StepsSpent      int `json:"steps_spent"`
	StepsExhaustive int `json:"steps_exhaustive"` // of every rank and seed of the grid
	// of climbing from the lowest rank to where this ladder stopped; nil where no rule stopped it, or a climb would have taken fewer seeds
	StepsLadder *int `json:"steps_ladder"`
}

// newScreening counts the steps of the trials that the verdict asked for, and beside them those of the whole ladder.
func newScreening(whole, l sweep.Ladder, v plateau.Verdict) *Screening {
	if v.Screening == nil {
		return nil
	}
	s := Screening{
		Scout: v.Screening.Scout, Rank: v.Screening.Rank, Knee: v.Screening.Knee, From: v.Screening.From,
		Skipped: notNil(v.Screening.Skipped),
	}
	of := newSteps(whole, l, v)
	s.StepsSpent, s.StepsExhaustive = of.Spent, of.Exhaustive
	stop := stopRank(v)
	ladder := 0
	for _, r := range l.Rungs {
		for _, t := range r.Trials {
			if t.Extra {
				if r.Rank <= stop {
					ladder += t.LastStep
				}
				continue
			}
			if r.Rank <= stop {
				ladder += t.Trial.Spec().Train.Steps
			}
		}
	}
	sparing := slices.ContainsFunc(v.Rungs, func(r plateau.RungVerdict) bool { return r.GridSeeds > 0 })
	if sparing || v.Reason.Code == plateau.ReasonScouted || v.Reason.Code == plateau.ReasonOutscouted {
		return &s
	}
	switch v.State {
	case plateau.StatePlateau, plateau.StateLikelyPlateau, plateau.StateOverfit, plateau.StateStillImproving, plateau.StateInconclusive:
		s.StepsLadder = &ladder
	case plateau.StateRunning, plateau.StateIncomplete, plateau.StateUnstable, plateau.StateMemoryLimited, plateau.StateTimeLimited,
		plateau.StateOutraced:
	}
	return &s
}

// Steps are optimiser steps over trials.
type Steps struct {
	Spent      int `json:"spent"`      // of the trials that verdicts asked for, scouts among them
	Exhaustive int `json:"exhaustive"` // of every rank and seed of the grid
}

// newSteps counts those of a ladder, l being what its verdict asked for of the whole.
func newSteps(whole, l sweep.Ladder, v plateau.Verdict) Steps {
	var s Steps
	for _, t := range l.Scouts {
		s.Spent += t.LastStep
	}
	for _, r := range whole.Rungs {
		for _, t := range r.Trials {
			if !t.Extra {
				s.Exhaustive += t.Trial.Spec().Train.Steps
			}
		}
	}
	stop := stopRank(v)
	for _, r := range l.Rungs {
		skipped := v.Screening != nil && slices.Contains(v.Screening.Skipped, r.Rank)
		if skipped || v.State == plateau.StateOutraced && r.Rank > stop { // another sweep may have trained those
			continue
		}
		for _, t := range r.Trials {
			s.Spent += t.LastStep
		}
	}
	return s
}

// steps says what all ladders together took; empty of one ladder.
func (r Report) steps() string {
	if r.Steps == nil {
		return ""
	}
	return fmt.Sprintf("%s of the %s trial-steps of all ranks and seeds (%s%s%%).", count(int64(r.Steps.Spent)),
		count(int64(r.Steps.Exhaustive)), fixed(100*float64(r.Steps.Spent)/float64(max(1, r.Steps.Exhaustive)), 0), noBreak)
}

// stopRank is the last rank that counted.
func stopRank(v plateau.Verdict) int {
	stop := 0
	for _, r := range v.Rungs {
		if r.Decision != plateau.DecisionBeyond {
			stop = r.Rank
		}
	}
	return stop
}

// column is the header of the losses that chose the ranks.
func (s *Screening) column() string {
	if s != nil && s.Scout {
		return "scouted"
	}
	return "screened"
}

// label begins the line that String makes.
func (s *Screening) label() string {
	if s.Scout {
		return "  scout   "
	}
	return "  screen  "
}

// String says what was screened and what it took.
func (s Screening) String() string {
	how := "truncated"
	if s.Scout {
		how = "cut down"
	}
	text := fmt.Sprintf("rank %d %s to every lower rank pointed to rank %d; %s of the %s trial-steps of all ranks (%s%s%%)",
		s.Rank, how, s.Knee, count(int64(s.StepsSpent)), count(int64(s.StepsExhaustive)),
		fixed(100*float64(s.StepsSpent)/float64(max(1, s.StepsExhaustive)), 0), noBreak)
	if s.StepsLadder != nil {
		text += fmt.Sprintf("; climbing from the lowest rank to the same stop takes %s", count(int64(*s.StepsLadder)))
	}
	return text
}
