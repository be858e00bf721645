package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// trialChoice says which trial of a sweep to take.
type trialChoice struct {
	cell []string // KEY=VALUE of a ladder's cell
	rank int      // 0 means the recommended one
	seed *int64   // nil means the one of the lowest val_loss
	best bool     // the lowest val_loss of all
	full bool     // of full fine-tuning
}

// chosenTrial is a finished trial with its place.
type chosenTrial struct {
	report report.Report
	ladder report.Ladder
	facts  sweep.Ladder
	trial  sweep.TrialFacts
}

// choose finds the trial. What is not there or not finished yet is exit 5; what several ladders could be is a usage error that
// lists them.
func (c trialChoice) choose(s sweep.Snapshot) (chosenTrial, error) {
	r := report.Build(s)
	ladders, err := c.matching(r)
	if err != nil {
		return chosenTrial{}, err
	}
	if !c.best {
		l, err := c.one(r, ladders)
		if err != nil {
			return chosenTrial{}, err
		}
		ladders = []report.Ladder{l}
	} else if err := comparable(s, ladders); err != nil {
		return chosenTrial{}, err
	}
	var found []chosenTrial
	for _, l := range ladders {
		for _, t := range c.finished(l, s.Ladders[l.Number-1]) {
			found = append(found, chosenTrial{report: r, ladder: l, facts: s.Ladders[l.Number-1], trial: t})
		}
	}
	if len(found) == 0 {
		return chosenTrial{}, c.nothing(s, ladders)
	}
	return slices.MinFunc(found, func(a, b chosenTrial) int { return byLoss(a.trial, b.trial) }), nil
}

// byLoss orders finished trials by their val_loss.
func byLoss(a, b sweep.TrialFacts) int { return cmp.Compare(*a.Final().ValLoss, *b.Final().ValLoss) }

// matching returns the ladders whose cells have the wanted settings.
func (c trialChoice) matching(r report.Report) ([]report.Ladder, error) {
	if len(r.Ladders) == 0 {
		return nil, notFoundf("sweep %s has no ladder yet: its inputs are still being read", r.Sweep)
	}
	ladders := r.Ladders
	for _, setting := range c.cell {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, usagef("--cell %s: want KEY=VALUE, such as --cell learning_rate=0.001", setting)
		}
		var values []string
		for _, l := range r.Ladders {
			if i := slices.IndexFunc(l.Cell, func(s sweep.Setting) bool { return s.Name == name }); i >= 0 &&
				!slices.Contains(values, l.Cell[i].Value) {
				values = append(values, l.Cell[i].Value)
			}
		}
		if len(values) == 0 {
			return nil, usagef("--cell %s: no cell has a setting %s; these are the cells:\n%s", setting, name, listCells(r.Ladders))
		}
		ladders = slices.DeleteFunc(slices.Clone(ladders), func(l report.Ladder) bool {
			return !slices.ContainsFunc(l.Cell, func(s sweep.Setting) bool { return s.Name == name && s.Value == value })
		})
		if len(ladders) == 0 {
			return nil, notFoundf("no cell has %s; %s is %s in sweep %s", strings.Join(c.cell, " "), name, strings.Join(values, ", "), r.Sweep)
		}
	}
	return ladders, nil
}

// one returns the only ladder, or the recommended one where none was asked for.
func (c trialChoice) one(r report.Report, ladders []report.Ladder) (report.Ladder, error) {
	switch {
	case len(ladders) == 1:
		return ladders[0], nil
	case len(c.cell) > 0:
		return report.Ladder{}, usagef("--cell %s fits %d cells; add settings until one is left (or --best):\n%s",
			strings.Join(c.cell, " "), len(ladders), listCells(ladders))
	case r.Recommendation.Ladder == 0:
		return report.Ladder{}, notFoundf("sweep %s recommends no rank yet; --best takes the best trial so far", r.Sweep)
	}
	return r.Ladders[r.Recommendation.Ladder-1], nil
}

// comparable refuses to look for the lowest loss among losses of different tokens.
func comparable(s sweep.Snapshot, ladders []report.Ladder) error {
	corpus := func(l report.Ladder) string { return s.Ladders[l.Number-1].Corpus.Scored() }
	for _, l := range ladders[1:] {
		if corpus(l) != corpus(ladders[0]) {
			return usagef("ladders %d and %d are scored on other validation tokens, so their losses do not compare; choose with --cell:\n%s",
				ladders[0].Number, l.Number, listCells(ladders))
		}
	}
	return nil
}

// finished returns a ladder's trials that have a loss, of the wanted rank and seed. Where axes are tuned those of the values
// chosen at the rank count, unless the best of all is wanted.
func (c trialChoice) finished(l report.Ladder, facts sweep.Ladder) []sweep.TrialFacts {
	if c.full {
		return c.reference(facts)
	}
	rank := c.rank
	if rank == 0 && !c.best {
		if l.Verdict.RecommendedRank == nil {
			return nil
		}
		rank = *l.Verdict.RecommendedRank
	}
	var found []sweep.TrialFacts
	for _, rung := range facts.Rungs {
		if !c.best {
			rung = rung.ChosenRung()
		}
		for _, t := range rung.Trials {
			fits := (rank == 0 || rung.Rank == rank) && (c.seed == nil || *c.seed == t.Trial.Seed)
			if o := t.Final(); fits && o != nil && o.State == trial.OutcomeDone && o.ValLoss != nil {
				found = append(found, t)
			}
		}
	}
	return found
}

// reference returns the trials of a ladder's full fine-tuning at its best learning rate, of the wanted seed.
func (c trialChoice) reference(facts sweep.Ladder) []sweep.TrialFacts {
	candidate, ok := facts.ReferenceChoice()
	return slices.DeleteFunc(slices.Clone(facts.Reference), func(t sweep.TrialFacts) bool {
		return !ok || t.Candidate != candidate || c.seed != nil && *c.seed != t.Trial.Seed
	})
}

// nothing says what there is instead of the trial that was asked for.
func (c trialChoice) nothing(s sweep.Snapshot, ladders []report.Ladder) error {
	any := trialChoice{best: !c.full, full: c.full}
	var there []string
	for _, l := range ladders {
		for _, t := range any.finished(l, s.Ladders[l.Number-1]) {
			there = append(there, fmt.Sprintf("%s seed %d", t.Trial.Spec().LoRA.RankName(), t.Trial.Seed))
		}
	}
	if len(there) == 0 && c.full {
		return notFoundf("sweep %s has no full fine-tuning there that has finished all seeds of a learning rate; end lora.rank in full, or wait",
			s.Sweep.Name)
	}
	if len(there) == 0 {
		return notFoundf("sweep %s has no finished trial there yet", s.Sweep.Name)
	}
	return notFoundf("sweep %s has no such finished trial; there are: %s", s.Sweep.Name, strings.Join(there, ", "))
}

func listCells(ladders []report.Ladder) string {
	lines := make([]string, len(ladders))
	for i, l := range ladders {
		lines[i] = fmt.Sprintf("  ladder %d: %s", l.Number, planCell(l.Cell))
	}
	return strings.Join(lines, "\n")
}
