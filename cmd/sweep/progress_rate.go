package main

import (
	"fmt"
	"math"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// rates measures how fast the running trials go.
type rates map[trial.AttemptID][]sweep.Passed

// add takes note of how far an attempt is.
func (r rates) add(a sweep.LiveAttempt, now time.Time) {
	samples := r[a.ID]
	if a.Tokens == 0 || len(samples) > 0 && samples[len(samples)-1].Step == a.Step {
		return
	}
	samples = append(samples, sweep.Passed{At: now, Step: a.Step, Tokens: a.Tokens})
	for len(samples) > 2 && now.Sub(samples[1].At) >= sweep.SpeedWindow {
		samples = samples[1:]
	}
	r[a.ID] = samples
}

func (r rates) drop(id trial.AttemptID) { delete(r, id) }

// speed returns supervised tokens per second and what is left at that speed; ok is false before two steps were seen.
func (r rates) speed(a sweep.LiveAttempt) (tokens float64, left time.Duration, ok bool) {
	speed := sweep.SpeedOf(r[a.ID])
	left, ok = speed.Left(a.Steps - a.Step)
	return speed.Tokens, left, ok
}

// parts says how a running attempt comes along, the most important first.
func (r rates) parts(a sweep.LiveAttempt) []string {
	parts := []string{fmt.Sprintf("step %d/%d", a.Step, a.Steps)}
	if a.TrainLoss != nil {
		parts = append(parts, fmt.Sprintf("train_loss %.4f", *a.TrainLoss))
	}
	tokens, left, ok := r.speed(a)
	if ok {
		parts = append(parts, report.Foreseen(left)+" left")
	}
	if a.ValLoss != nil {
		parts = append(parts, fmt.Sprintf("val_loss %.4f", *a.ValLoss))
	}
	if a.Epochs > 0 {
		parts = append(parts, epochText(a.Epochs, a.Step, a.Steps))
	}
	if ok {
		parts = append(parts, report.Count(int64(tokens))+" tok/s")
	}
	return parts
}

// epochText is how often a trial has seen its rows so far, of how often it will: with two decimals, and more where it sees few of them.
func epochText(epochs float64, step, steps int) string {
	decimals := max(2, 2-int(math.Floor(math.Log10(epochs))))
	return fmt.Sprintf("epoch %.*f/%.*f", decimals, epochs*float64(step)/float64(max(steps, 1)), decimals, epochs)
}
