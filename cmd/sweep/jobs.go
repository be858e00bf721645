package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// worthMeasuring is how long a sweep must take, in hours, that measuring how many trials at once are best pays: for each number it takes
// starting, compiling, three steps and an evaluation's first batches.
const worthMeasuring = 0.25

// capacity is what trials may use, of which parallel could run at once. With --jobs auto a long sweep on more cores than one measures
// how many at once are fastest, and remembers it. Where that fails there is one for each core, as for a short sweep.
func (a *app) capacity(ctx context.Context, choice backend.Choice, r sweep.Registration, parallel int) (sweep.Capacity, error) {
	c, err := a.executor.capacity(choice, a.jobs, parallel)
	if err != nil || a.jobs != jobsAuto || c.Devices > 0 || c.Apart || c.Jobs < 2 {
		return c, err
	}
	l, hours := r.Heaviest(len(local.Cores()))
	if hours < worthMeasuring {
		return c, nil
	}
	path := filepath.Join(a.root, "cache", "jobs", jobsKey(r.LargestKind(l), c)+".json")
	if text, err := trial.ReadRegular(path, trial.MostWord); err == nil {
		var remembered jobsAnswer
		if json.Unmarshal(text, &remembered) == nil && remembered.Jobs >= 1 && remembered.Jobs <= c.Jobs {
			c.Jobs = remembered.Jobs
			return c, nil
		}
	}
	jobs, err := sweep.FastestJobs(c.Jobs, c.HostBytes, func(jobs int) (sweep.JobsMeasurement, error) {
		return a.speed(ctx, r, l, c, jobs)
	})
	switch {
	case ctx.Err() != nil:
		return c, ctx.Err()
	case err != nil:
		a.say("%v; training %s at once", err, plural(c.Jobs, "trial"))
		return c, nil
	}
	c.Jobs = jobs
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return c, err
	}
	return c, trial.WriteAtomic(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(jobsAnswer{jobs}) })
}

// jobsAnswer is what the cache remembers.
type jobsAnswer struct {
	Jobs int `json:"jobs"`
}

// jobsKey names what the measurement depends on: the work, and the machine.
func jobsKey(kind string, c sweep.Capacity) string {
	host, err := os.Hostname()
	sum := sha256.Sum256(fmt.Append(nil, kind, host, err, local.Cores(), c))
	return fmt.Sprintf("%x", sum[:8])
}

func (a *app) speed(ctx context.Context, r sweep.Registration, l sweep.LadderPlan, c sweep.Capacity, jobs int,
) (m sweep.JobsMeasurement, err error) {
	a.say("measuring a few steps of %s at once on %s", plural(jobs, "trial"), plural(len(local.Cores()), "core"))
	c.Jobs = jobs
	err = a.withCalibrator(r, c, c.HostBytes, func(int, int) {}, func(calibrator *sweep.Calibrator) (err error) {
		m, err = calibrator.Speed(ctx, l, jobs)
		return err
	})
	if err == nil {
		a.say("  %.3g steps a second together, %s each", m.StepsPerSecond, trial.FormatBytes(m.Bytes))
	}
	return m, err
}

// withCalibrator lends a calibrator that trains what memory allows on this machine, in a folder that is gone afterwards, as its workers
// are. say is told of progress.
func (a *app) withCalibrator(r sweep.Registration, c sweep.Capacity, memory int64, say func(rank, step int),
	do func(*sweep.Calibrator) error,
) (err error) {
	root, err := os.MkdirTemp("", "sweep-calibration-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	executor, err := openLocal(root, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release(executor)) }()
	return do(&sweep.Calibrator{Exec: executor, Registration: r, MemoryLimit: memory, Jobs: c.Jobs, Say: say})
}

// release ends the processes that an executor keeps for further trials.
func release(e sweep.Executor) error {
	if c, ok := e.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
