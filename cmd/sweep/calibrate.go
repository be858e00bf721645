package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// calibrationSteps is how many optimiser steps a calibration takes: the first is slower than the rest and not counted.
const calibrationSteps = 6

// calibrationPoll is how often a calibrating worker's events are read.
const calibrationPoll = 100 * time.Millisecond

// measurement is what a few real steps of one trial showed.
type measurement struct {
	Rank        int
	Startup     float64 // seconds before the first step: process, weights, compiling
	EvalSeconds float64 // of one evaluation
	StepSeconds float64 // of one optimiser step
	Bytes       int64   // peak of the process or, on a GPU, of the device; predicted where OverMemory
	OverMemory  bool
}

// calibrator trains a few steps of a rung's first trial in a worker of its own, as a run would, in a folder that is removed.
type calibrator struct {
	app          *app
	registration sweep.Registration
	limits       sweep.Limits
	executor     *local.Executor
	known        map[string]measurement // ladders that differ in what costs nothing share a measurement
}

// calibrate measures the lowest and the highest rank of each ladder.
func (a *app) calibrate(ctx context.Context, r sweep.Registration, limits sweep.Limits, jobs int) (_ [][2]measurement, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp("", "sweep-calibration-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	c := calibrator{
		app: a, registration: r, limits: limits, known: map[string]measurement{},
		executor: &local.Executor{Root: root, Command: []string{self, "worker"}},
	}
	if r.Platform != backend.PlatformCUDA {
		c.executor.Slots = local.Slots(local.Cores(), jobs)
	}
	measured := make([][2]measurement, len(r.Ladders))
	for i, l := range r.Ladders {
		for j, rung := range []int{0, len(l.Ranks) - 1} {
			if measured[i][j], err = c.measure(ctx, l, rung); err != nil {
				return nil, fmt.Errorf("calibrate rank %d: %w", l.Ranks[rung], err)
			}
		}
	}
	return measured, nil
}

// measure trains a few steps of one rung, or remembers an equally expensive one.
func (c *calibrator) measure(ctx context.Context, l sweep.LadderPlan, rung int) (measurement, error) {
	spec := largestBatch(l.Trials[rung])
	t := spec.Train
	lora := spec.LoRA
	key := fmt.Sprint(l.Model.Fingerprint, l.Corpus.Fingerprint, lora.TargetModules, lora.ExcludeModules, lora.LayersToTransform, lora.LayersPattern,
		lora.ModulesToSave, lora.RankPattern, lora.UseDoRA, lora.Bias, lora.Rank, lora.Dropout > 0,
		t.BatchSize, t.GradientAccumulationSteps, t.Dtype)
	if m, ok := c.known[key]; ok {
		return m, nil
	}
	spec.Train.Steps = min(t.Steps, calibrationSteps)
	spec.Train.EvalSteps, spec.Train.WarmupSteps = spec.Train.Steps, min(t.WarmupSteps, spec.Train.Steps)
	tr := trial.New(spec, l.Model.Fingerprint, l.Corpus.Fingerprint, c.registration.Backend)
	c.app.say("calibrating rank %d: %d steps and two evaluations", spec.LoRA.Rank, spec.Train.Steps)
	events, err := c.train(ctx, trial.Assignment{
		Attempt: trial.NewAttemptID(tr.ID, 1), Trial: tr, Model: l.Model, Corpus: l.Corpus,
		Platform: c.registration.Platform, PluginPath: c.registration.PluginPath, MemoryLimit: c.limits.Memory,
	})
	if err != nil {
		return measurement{}, err
	}
	m, err := readMeasurement(spec.LoRA.Rank, c.registration.Platform, events)
	if err == nil {
		c.known[key] = m
	}
	return m, err
}

// largestBatch is the spec that needs the most memory where candidates differ.
func largestBatch(trials []trial.Trial) trial.Spec {
	spec := trials[0].Spec
	for _, t := range trials {
		if t.Spec.Train.BatchSize > spec.Train.BatchSize {
			spec = t.Spec
		}
	}
	return spec
}

// train runs one worker to its end and returns its events.
func (c *calibrator) train(ctx context.Context, a trial.Assignment) ([]trial.Event, error) {
	if err := c.executor.Start(ctx, a); err != nil {
		return nil, err
	}
	var events []trial.Event
	for {
		process, err := c.executor.Probe(ctx, a.Attempt)
		if err != nil {
			return nil, err
		}
		news, err := c.executor.Events(ctx, a.Attempt, int64(len(events)))
		if err != nil {
			return nil, err
		}
		events = append(events, news...)
		if !process.Alive {
			return events, nil
		}
		select {
		case <-ctx.Done():
			err := c.executor.Stop(context.WithoutCancel(ctx), a.Attempt, true)
			return nil, errors.Join(withCode(exitInterrupted, errors.New("interrupted")), err)
		case <-time.After(calibrationPoll):
		}
	}
}

// readMeasurement reads what a calibrating worker's events say.
func readMeasurement(rank int, platform string, events []trial.Event) (measurement, error) {
	m := measurement{Rank: rank}
	var evaluating float64
	var points []time.Time
	var outcome *trial.Outcome
	for _, e := range events {
		switch {
		case e.Prediction != nil:
			m.Bytes = max(m.Bytes, e.Prediction.PredictedBytes)
		case e.Evaluation != nil:
			m.EvalSeconds = e.Evaluation.Seconds
			evaluating += e.Evaluation.Seconds
		case e.Point != nil:
			points = append(points, e.At)
		case e.Memory != nil:
			if peak := e.Memory.Peak(platform); peak > 0 {
				m.Bytes = peak
			}
		case e.Outcome != nil:
			outcome = e.Outcome
		}
	}
	switch {
	case outcome == nil:
		return m, errors.New("the worker ended without a word")
	case outcome.State == trial.OutcomeOverMemory:
		m.OverMemory = true
		return m, nil
	case len(points) == 0:
		return m, fmt.Errorf("the worker %s: %s", outcome.State, outcome.Error)
	}
	m.StepSeconds = outcome.TrainSeconds / float64(len(points))
	if len(points) > 1 {
		m.StepSeconds = medianGap(points)
	}
	m.Startup = max(0, outcome.TotalSeconds-outcome.TrainSeconds-evaluating)
	return m, nil
}

// medianGap returns the median time between neighbours, in seconds.
func medianGap(times []time.Time) float64 {
	gaps := make([]float64, len(times)-1)
	for i := range gaps {
		gaps[i] = times[i+1].Sub(times[i]).Seconds()
	}
	slices.Sort(gaps)
	return (gaps[(len(gaps)-1)/2] + gaps[len(gaps)/2]) / 2
}

// estimate interpolates between the measured ranks: what a rank adds to memory and time is proportional to it.
func estimate(ends [2]measurement, rank int) measurement {
	low, high := ends[0], ends[1]
	if rank == low.Rank {
		return low
	}
	if high.OverMemory { // it was not trained: its times are the lower rank's
		high.Startup, high.EvalSeconds, high.StepSeconds = low.Startup, low.EvalSeconds, low.StepSeconds
	}
	if rank == high.Rank {
		return high
	}
	share := float64(rank-low.Rank) / float64(high.Rank-low.Rank)
	between := func(a, b float64) float64 { return a + share*(b-a) }
	return measurement{
		Rank: rank, Startup: between(low.Startup, high.Startup), EvalSeconds: between(low.EvalSeconds, high.EvalSeconds),
		StepSeconds: between(low.StepSeconds, high.StepSeconds), Bytes: int64(between(float64(low.Bytes), float64(high.Bytes))),
	}
}

// meanSeconds is the mean of seconds over trials that may differ in what they train.
func (m measurement) meanSeconds(trials []trial.Spec) float64 {
	var sum float64
	for _, t := range trials {
		sum += m.seconds(t.Train)
	}
	return sum / float64(len(trials))
}

// seconds is what one trial of this spec takes.
func (m measurement) seconds(t trial.TrainSpec) float64 {
	evaluations := 1 + (t.Steps+t.EvalSteps-1)/t.EvalSteps
	return m.Startup + float64(evaluations)*m.EvalSeconds + float64(t.Steps)*m.StepSeconds
}
