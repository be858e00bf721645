package main

import (
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// rateWindow is how far back the speed of a trial looks: long enough to smooth, short enough to follow a busy machine.
const rateWindow = 20 * time.Second

// rates measures how fast the running trials go, on the wall: evaluations and checkpoints count.
type rates map[trial.AttemptID][]sample

type sample struct {
	at     time.Time
	step   int
	tokens int64
}

// add takes note of how far an attempt is.
func (r rates) add(a sweep.LiveAttempt, now time.Time) {
	samples := r[a.ID]
	if a.Tokens == 0 || len(samples) > 0 && samples[len(samples)-1].step == a.Step {
		return
	}
	samples = append(samples, sample{now, a.Step, a.Tokens})
	for len(samples) > 2 && now.Sub(samples[1].at) >= rateWindow {
		samples = samples[1:]
	}
	r[a.ID] = samples
}

func (r rates) drop(id trial.AttemptID) { delete(r, id) }

// speed returns supervised tokens per second and what is left at that speed; ok is false before two steps were seen.
func (r rates) speed(a sweep.LiveAttempt) (tokens float64, left time.Duration, ok bool) {
	samples := r[a.ID]
	if len(samples) < 2 {
		return 0, 0, false
	}
	from, to := samples[0], samples[len(samples)-1]
	elapsed := to.at.Sub(from.at)
	if elapsed <= 0 || to.step <= from.step {
		return 0, 0, false
	}
	perStep := elapsed / time.Duration(to.step-from.step)
	return float64(to.tokens-from.tokens) / elapsed.Seconds(), perStep * time.Duration(max(0, a.Steps-a.Step)), true
}

// parts says how a running attempt comes along, the most important first.
func (r rates) parts(a sweep.LiveAttempt) []string {
	parts := []string{fmt.Sprintf("step %d/%d", a.Step, a.Steps)}
	if a.TrainLoss != nil {
		parts = append(parts, fmt.Sprintf("train_loss %.4f", *a.TrainLoss))
	}
	tokens, left, ok := r.speed(a)
	if ok {
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	if a.ValLoss != nil {
		parts = append(parts, fmt.Sprintf("val_loss %.4f", *a.ValLoss))
	}
	if a.Epochs > 0 {
		parts = append(parts, fmt.Sprintf("epoch %.2f/%.2f", a.Epochs*float64(a.Step)/float64(a.Steps), a.Epochs))
	}
	if ok {
		parts = append(parts, report.Count(int64(tokens))+" tok/s")
	}
	return parts
}
