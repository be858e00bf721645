package main

import (
	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// patience and confidence are those of every rule that has them: the defaults of a grid.
const (
	patience   = 2
	confidence = .95
)

// ladder is what a rule sees: losses by rung and seed, and what gain counts.
type ladder struct {
	y     [rungs][]float64 // of all seeds that may be drawn
	seeds int              // y[r][:seeds] are the grid's
	noise float64          // noise_sd as a person would give it
	share float64          // min_gain as a share of the lowest rank's mean
	scout [rungs]float64   // what a scout shows over the losses of seed 0
	// quantiles are shared by all that is judged in one goroutine.
	quantiles plateau.Quantiles
}

// claim is what a rule says of a ladder.
type claim int

const (
	claimNone claim = iota
	claimLikely
	claimPlateau
)

// call is a rule's answer.
type call struct {
	claim   claim
	rung    int     // recommended
	claimed int     // what the claim is about
	used    int     // rungs trained
	knee    *int    // the rung that a scout pointed to
	steps   float64 // of training, in those of one trial
	others  []int   // what each of choices would recommend where no plateau is sure; nil where one is, or for other protocols
}

// protocol is a way to train a ladder and to answer for it.
type protocol struct {
	name  string
	seeds int    // of a grid; 0: as many as the table has
	scout string // how its scout errs, for the table of knees; "" for none
	judge func(ladder) call
}

// means are the rungs' means over the grid's seeds.
func (l ladder) means() []float64 {
	m := make([]float64, rungs)
	for r := range m {
		m[r] = stat.Mean(l.y[r][:l.seeds], nil)
	}
	return m
}

// minGain is in nats, as the rule of this program resolves it.
func (l ladder) minGain() float64 { return l.share * stat.Mean(l.y[0][:l.seeds], nil) }

// climbed is a call of a rule that trains every seed of every rung up to the last one it used.
func (l ladder) climbed(c claim, rung, used int) call {
	return call{claim: c, rung: rung, claimed: rung, used: used, steps: float64(used * l.seeds)}
}
