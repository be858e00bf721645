package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// calibrationSteps is how many optimiser steps a calibration takes: the first is slower than the rest and not counted.
// calibrationBatches is how many batches its evaluations score.
const (
	calibrationSteps   = 3
	calibrationBatches = 2
)

// calibrationPoll is how often a calibrating worker's events are read.
const calibrationPoll = 100 * time.Millisecond

// Calibrator trains a few steps of a rung's trial of the largest batch in a worker of its own, as a run would.
type Calibrator struct {
	Exec         Executor // on a folder of its own, which the caller removes
	Registration Registration
	MemoryLimit  int64                // bytes per trial; 0 means none
	Jobs         int                  // from 2 on, both ends of a ladder are measured at once, as a run trains on each core
	Say          func(rank, step int) // is told how far each rank is: 0 is the start; one call at a time

	mu    sync.Mutex
	known map[string]Measurement // ladders that differ in what costs nothing share a measurement
}

// Measure measures the lowest and the highest rank of each ladder.
func (c *Calibrator) Measure(ctx context.Context) ([]MeasuredEnds, error) {
	c.known = map[string]Measurement{}
	measured := make([]MeasuredEnds, len(c.Registration.Ladders))
	for i, l := range c.Registration.Ladders {
		ends, ctx := errgroup.WithContext(ctx)
		ends.SetLimit(max(1, min(2, c.Jobs)))
		high := &measured[i].High
		ends.Go(func() error { return c.measureInto(ctx, l, l.Rungs[0], &measured[i].Low) })
		if len(l.Rungs) > 1 {
			ends.Go(func() error { return c.measureInto(ctx, l, l.Rungs[len(l.Rungs)-1], high) })
		}
		if err := ends.Wait(); err != nil {
			return nil, err
		}
		if len(l.Rungs) == 1 {
			*high = measured[i].Low
		}
	}
	return measured, nil
}

func (c *Calibrator) measureInto(ctx context.Context, l LadderPlan, rung RungPlan, into *Measurement) error {
	m, err := c.measure(ctx, l, rung)
	if err != nil {
		return fmt.Errorf("calibrate rank %d: %w", rung.Rank, err)
	}
	*into = m
	return nil
}

func (c *Calibrator) say(rank, step int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Say(rank, step)
}

func (c *Calibrator) remembered(key string) (Measurement, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.known[key]
	return m, ok
}

// measure trains a few steps of one rung, or remembers an equally expensive one.
func (c *Calibrator) measure(ctx context.Context, l LadderPlan, rung RungPlan) (Measurement, error) {
	spec := largestBatch(rung)
	t := spec.Train
	adapter := spec.LoRA
	key := fmt.Sprint(l.Model.Fingerprint, l.Corpus.Fingerprint, adapter.TargetModules, adapter.ExcludeModules, adapter.LayersToTransform,
		adapter.LayersPattern,
		adapter.ModulesToSave, adapter.RankPattern, adapter.UseDoRA, adapter.Bias, adapter.Rank, adapter.Dropout > 0,
		t.BatchSize, t.GradientAccumulationSteps, t.Dtype, t.ComputeDtype, t.GradientCheckpointing)
	if m, ok := c.remembered(key); ok {
		return m, nil
	}
	m, err := c.shortly(ctx, l, spec)
	if err != nil {
		return m, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[key] = m
	return m, nil
}

// shortly trains the first steps of a spec.
func (c *Calibrator) shortly(ctx context.Context, l LadderPlan, spec trial.Spec) (Measurement, error) {
	t := &spec.Train
	t.Steps = min(t.Steps, calibrationSteps)
	t.EvalSteps, t.WarmupSteps = t.Steps, min(t.WarmupSteps, t.Steps)
	short := trial.New(spec, l.Model.Fingerprint, l.Corpus.Fingerprint, c.Registration.Backend)
	c.say(spec.LoRA.Rank, 0)
	events, err := c.train(ctx, trial.Assignment{
		Attempt: trial.NewAttemptID(short.ID, 1), Trial: short, Model: l.Model, Corpus: l.Corpus,
		Platform: c.Registration.Platform, PluginPath: c.Registration.PluginPath, MemoryLimit: c.MemoryLimit,
		Probe: calibrationBatches,
	})
	if err != nil {
		return Measurement{}, err
	}
	return readMeasurement(spec.LoRA.Rank, c.Registration.Platform, events)
}

// largestBatch is the spec that needs the most memory where candidates differ.
func largestBatch(rung RungPlan) trial.Spec {
	specs := rung.Specs()
	largest := specs[0]
	for _, s := range specs {
		if s.Train.BatchSize > largest.Train.BatchSize {
			largest = s
		}
	}
	return largest
}

// train runs one worker to its end and returns its events.
func (c *Calibrator) train(ctx context.Context, a trial.Assignment) ([]trial.Event, error) {
	if err := c.Exec.Start(ctx, a); err != nil {
		return nil, err
	}
	var events []trial.Event
	for {
		process, err := c.Exec.Probe(ctx, a.Attempt)
		if err != nil {
			return nil, err
		}
		news, err := c.Exec.Events(ctx, a.Attempt, int64(len(events)))
		if err != nil {
			return nil, err
		}
		events = append(events, news...)
		for _, e := range news {
			if e.Point != nil {
				c.say(a.Trial.Spec.LoRA.Rank, e.Step)
			}
		}
		if !process.Alive {
			return events, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), c.Exec.Stop(context.WithoutCancel(ctx), a.Attempt, true))
		case <-time.After(calibrationPoll):
		}
	}
}

// readMeasurement reads what a calibrating worker's events say.
func readMeasurement(rank int, platform string, events []trial.Event) (Measurement, error) {
	m := Measurement{Rank: rank}
	var evaluating float64
	var points []time.Time
	var outcome *trial.Outcome
	for _, e := range events {
		switch {
		case e.Prediction != nil:
			m.Bytes = max(m.Bytes, e.Prediction.PredictedBytes)
		case e.Evaluation != nil:
			m.EvalSeconds = e.Evaluation.Seconds
			if share := e.Evaluation.Share; share > 0 {
				m.EvalSeconds /= share
			}
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
