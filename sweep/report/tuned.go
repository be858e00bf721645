package report

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// all returns the trials of every candidate; of a rung without candidates its trials.
func (r Rung) all() []Trial {
	if len(r.Candidates) == 0 {
		return r.Trials
	}
	var all []Trial
	for _, c := range r.Candidates {
		all = append(all, c.Trials...)
	}
	return all
}

// tunedText is ", learning_rate=0.001" for a trial of a candidate, and empty where nothing is tuned.
func (r Rung) tunedText(id trial.ID) string {
	if tuned := r.tunedOf(id); len(tuned) > 0 {
		return ", " + sweep.Cell(tuned).String()
	}
	return ""
}

// tunedOf is the candidate that a trial is of, empty where nothing is tuned.
func (r Rung) tunedOf(id trial.ID) Cell {
	for _, c := range r.Candidates {
		if slices.ContainsFunc(c.Trials, func(t Trial) bool { return t.ID == id }) {
			return c.Tuned
		}
	}
	return nil
}
