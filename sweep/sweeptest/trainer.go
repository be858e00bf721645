package sweeptest

import (
	"math"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Trainer writes what a healthy worker would: it evaluates at step 0, every EvalSteps and the last step, writes a
// checkpoint and its memory after each, and continues from the newest checkpoint. Its losses depend on the trial alone, so
// a resumed trial equals an uninterrupted one.
type Trainer struct {
	Boot     time.Duration               // from the start of the process to the compiled step
	StepTime time.Duration               // per optimiser step
	Loss     func(t trial.Trial) float64 // the validation loss of the last step
	Peak     func(t trial.Trial) int64   // bytes; nil means 1 MiB
	// Screened is the loss of the trial's adapter truncated to a rank; nil means what training at that rank gives.
	Screened func(t trial.Trial, rank int) float64
	Unstable func(t trial.Trial) bool     // its loss becomes NaN at step 1; nil means never
	Crash    func(a trial.Assignment) int // the worker vanishes after so many lines; 0 means never; nil means never
	Hang     func(a trial.Assignment) int // the worker goes no further after so many lines; 0 means never; nil means never
}

// Script is the trainer's Script for a FakeExecutor.
func (tr Trainer) Script(a trial.Assignment, from int) []Line {
	s := &writer{trainer: tr, trial: a.Trial, screen: a.Screen, at: tr.Boot}
	s.boot()
	if a.MemoryLimit > 0 && s.peak() > a.MemoryLimit {
		s.end(trial.Outcome{State: trial.OutcomeOverMemory, Error: "predicted to need more than it may"})
		return s.lines
	}
	if from < 0 {
		s.evaluate(0)
	} else {
		s.write(trial.Event{Kind: trial.EventResumed, Step: from})
	}
	s.train(max(from, 0))
	if tr.Crash != nil {
		if n := tr.Crash(a); n > 0 && n < len(s.lines) {
			return s.lines[:n]
		}
	}
	if tr.Hang != nil {
		const forEver = 1000 * time.Hour
		if n := tr.Hang(a); n > 0 && n < len(s.lines) {
			s.lines[n].After += forEver
			return s.lines[:n+1]
		}
	}
	return s.lines
}

// writer gathers a worker's lines.
type writer struct {
	trainer Trainer
	trial   trial.Trial
	screen  []int
	at      time.Duration
	lines   []Line
}

func (s *writer) write(e trial.Event) { s.lines = append(s.lines, Line{s.at, e}) }

func (s *writer) peak() int64 {
	if s.trainer.Peak == nil {
		return 1 << 20
	}
	return s.trainer.Peak(s.trial)
}

func (s *writer) boot() {
	s.write(trial.Event{Kind: trial.EventStarted, Environment: &trial.Environment{
		PID: 42, Host: "here", Backend: s.trial.Backend, Platform: "xla:cpu", Versions: map[string]string{"program": "test"},
		TrainableParams: int64(s.trial.Spec.LoRA.Rank) * 512,
	}})
	s.write(trial.Event{Kind: trial.EventPredicted, Prediction: &trial.Prediction{
		AnalysisBytes: s.peak() / 2, PredictedBytes: s.peak(), Source: "test",
	}})
}

// train does the steps after from.
func (s *writer) train(from int) {
	spec := s.trial.Spec.Train
	for step := from + 1; step <= s.trial.Spec.TotalSteps(); step++ {
		s.at += s.trainer.StepTime
		if s.trainer.Unstable != nil && s.trainer.Unstable(s.trial) {
			s.end(trial.Outcome{State: trial.OutcomeUnstable, Error: "loss is NaN", Step: step})
			return
		}
		s.write(trial.Event{Kind: trial.EventPoint, Step: step, Point: &trial.Point{
			Tokens: int64(504 * step), TrainLoss: s.loss(step) - 0.1, GradNorm: 1, LearningRate: spec.LearningRate,
		}})
		cuts, since := s.trial.Spec.StageAt(step)
		switch {
		case cuts > 0 && since == s.trial.Spec.Shrink.Steps:
			rank := s.trial.Spec.LoRAAfter(cuts).Rank
			shown := trial.Screened{Rank: rank, ValLoss: s.screened(rank), Tokens: 630, Seconds: 1}
			s.write(trial.Event{Kind: trial.EventScreened, Screened: &shown})
			s.write(trial.Event{Kind: trial.EventCheckpoint, Step: step})
		case cuts == 0 && (step%spec.EvalSteps == 0 || step == spec.Steps):
			s.evaluate(step)
		}
	}
	for _, rank := range s.screen {
		s.at += time.Second
		s.write(trial.Event{Kind: trial.EventScreened, Screened: &trial.Screened{Rank: rank, ValLoss: s.screened(rank), Tokens: 630, Seconds: 1}})
	}
	final, train := s.loss(spec.Steps), s.loss(spec.Steps)-0.1
	s.end(trial.Outcome{
		State: trial.OutcomeDone, Step: s.trial.Spec.TotalSteps(), ValLoss: &final, BestStep: spec.Steps, LastValLoss: &final, TrainLoss: &train,
		Tokens: int64(504 * spec.Steps), TrainSeconds: 1, TotalSeconds: 2,
	})
}

// loss falls to the trial's final loss; an exact power of two keeps sums exact.
func (s *writer) loss(step int) float64 {
	return s.trainer.Loss(s.trial) + math.Ldexp(1, -8)*float64(s.trial.Spec.Train.Steps-step)
}

// screened is the loss at a lower rank.
func (s *writer) screened(rank int) float64 {
	if s.trainer.Screened != nil {
		return s.trainer.Screened(s.trial, rank)
	}
	lower := s.trial
	lower.Spec.LoRA.Rank = rank
	return s.trainer.Loss(lower)
}

// evaluate writes an evaluation, and then that the state is safe.
func (s *writer) evaluate(step int) {
	peak := s.peak()
	s.write(trial.Event{Kind: trial.EventEval, Step: step, Evaluation: &trial.Evaluation{ValLoss: s.loss(step), Tokens: 630, Seconds: 0.5}})
	s.write(trial.Event{Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: &peak, HostSource: "test"}})
	s.write(trial.Event{Kind: trial.EventCheckpoint, Step: step})
}

func (s *writer) end(o trial.Outcome) {
	s.write(trial.Event{Kind: trial.EventEnded, Step: o.Step, Outcome: &o})
}
