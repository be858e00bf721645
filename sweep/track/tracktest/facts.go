// Package tracktest has a sweep's facts for the tests of trackers.
package tracktest

import (
	"context"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Facts are of a sweep of one trial after so many of its four steps, with an evaluation after every second, and done after the fourth.
// Where again is not 0 the trial's first attempt was killed after its last step, and a second one took the steps after that one again. It
// also evaluated at that step where an evaluation is due there.
func Facts(steps, again int) track.Facts { return facts(steps, again, sweeptest.Steps) }

// Restarted is Facts(4, 2) of a trial that had been killed before its first checkpoint, after an evaluation and a step.
func Restarted() track.Facts {
	f := Facts(sweeptest.Steps, sweeptest.EvalSteps)
	var events []sweep.CurveEvent
	for i, steps := range [][2]int{{0, 1}, {0, sweeptest.EvalSteps + 1}, {sweeptest.EvalSteps, sweeptest.Steps}} {
		events = append(events, curve(i+1, steps[0], steps[1])...)
	}
	f.Curve = func(context.Context, trial.ID) ([]sweep.CurveEvent, error) { return events, nil }
	return f
}

// Long is of a sweep whose trial is done after so many steps.
func Long(steps int) track.Facts { return facts(steps, 0, steps) }

func facts(steps, again, whole int) track.Facts {
	t := sweep.TrialFacts{Trial: sweeptest.Trial(16, 2, 0).Brief(), LastStep: steps, TrainableParams: 1024}
	events := curve(1, 0, steps)
	first := sweep.AttemptFacts{
		ID: trial.NewAttemptID(t.Trial.ID, 1), Number: 1, Sweep: "test", Intended: at(1, 0), LastSeq: int64(len(events)), LastAt: at(1, steps),
	}
	last := &first
	t.Attempts = []sweep.AttemptFacts{first}
	if again > 0 {
		more := curve(2, again, steps)
		second := first
		second.ID, second.Number, second.Intended = trial.NewAttemptID(t.Trial.ID, 2), 2, at(2, again)
		second.LastSeq, second.LastAt = int64(len(more)), at(2, steps)
		first.Outcome = &trial.Outcome{State: trial.OutcomeCrashed, Error: "gone"}
		t.Attempts, last, events = []sweep.AttemptFacts{first, second}, &second, append(events, more...)
	}
	done := steps == whole
	if done {
		loss := 4.0
		last.Outcome = &trial.Outcome{State: trial.OutcomeDone, ValLoss: &loss, BestStep: steps, TrainLoss: &loss, Step: steps, TrainSeconds: 1}
		t.Attempts[len(t.Attempts)-1] = *last
	}
	info := sweeptest.Info("test", 0)
	info.ID = 1
	return track.Facts{
		Snapshot: sweep.Snapshot{Sweep: info, Ladders: []sweep.Ladder{{
			ID: 1, Cell: sweep.Cell{{Name: "alpha", Value: "16"}, {Name: "dropout", Value: "0.1", Axis: true}},
			Rungs: []sweep.Rung{{Rank: 2, Trials: []sweep.TrialFacts{t}}},
		}}},
		Verdicts: []plateau.Verdict{{State: plateau.StateInconclusive, RecommendedRank: 2}},
		Done:     done,
		Curve:    func(context.Context, trial.ID) ([]sweep.CurveEvent, error) { return events, nil },
	}
}

func at(attempt, step int) time.Time {
	return time.Date(2026, 11, 29, 12, attempt, step, 0, time.UTC)
}

// curve is what an attempt reports of the steps after from.
func curve(attempt, from, to int) []sweep.CurveEvent {
	var events []sweep.CurveEvent
	add := func(e trial.Event) {
		e.Seq, e.At = int64(len(events)+1), at(attempt, e.Step)
		events = append(events, sweep.CurveEvent{Attempt: attempt, Event: e})
	}
	evaluate := func(step int) {
		peak := int64(1<<20 + step)
		loss := 5 - 0.25*float64(step)
		add(trial.Event{Kind: trial.EventEval, Step: step, Evaluation: &trial.Evaluation{ValLoss: loss, Tokens: 630, Seconds: 0.5}})
		add(trial.Event{Kind: trial.EventMemory, Step: step, Memory: &trial.Memory{PeakHostBytes: &peak}})
	}
	if from%sweeptest.EvalSteps == 0 {
		evaluate(from)
	}
	for step := from + 1; step <= to; step++ {
		add(trial.Event{Kind: trial.EventPoint, Step: step, Point: &trial.Point{
			Tokens: int64(504 * step), TrainLoss: 5 - 0.125*float64(step), GradNorm: 1, LearningRate: 3e-3,
		}})
		if step%sweeptest.EvalSteps == 0 {
			evaluate(step)
		}
	}
	return events
}
