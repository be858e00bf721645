package report

import (
	"fmt"
	"math"
	"strings"
)

// foreseen is how far a measured peak may be from the predicted one without a word.
const foreseen = 0.1

// error is by what share of the peak the prediction was off: above 0 where it was too high. It is 0 where either is not known.
func (c Cost) error() float64 {
	peak := c.peak()
	if c.PredictedBytes == nil || peak == nil || *peak <= 0 {
		return 0
	}
	return float64(*c.PredictedBytes)/float64(*peak) - 1
}

// predicted is what a rung was predicted to need, with the error where that is large; empty where nothing was predicted.
func (c Cost) predicted() string {
	switch {
	case c.PredictedBytes == nil:
		return ""
	case math.Abs(c.error()) > foreseen:
		return fmt.Sprintf("%s (%+.0f%s%%)", size(*c.PredictedBytes), 100*c.error(), noBreak)
	}
	return size(*c.PredictedBytes)
}

// mispredicted lists the ranks whose peak was predicted badly; empty where none was.
func (l Ladder) mispredicted() string {
	var all []string
	for _, r := range l.rows() {
		if math.Abs(r.Cost.error()) > foreseen {
			all = append(all, fmt.Sprintf("rank %s was predicted to need %s and took %s", r.name(), r.Cost.predicted(), size(*r.Cost.peak())))
		}
	}
	return strings.Join(all, "; ")
}

// footnotes are what a table needs beside it.
func (l Ladder) footnotes(rule Rule) []string {
	var notes []string
	if seeds := l.fewerSeeds(rule); seeds != "" {
		notes = append(notes, upperFirst(seeds)+".")
	}
	if memory := l.mispredicted(); memory != "" {
		notes = append(notes, "Memory: "+memory+".")
	}
	return notes
}
