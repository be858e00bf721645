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

// worthMeasuring is how long a sweep must take, in hours, that measuring how many trials at once are best pays: that takes half a
// minute for a model of 124M parameters on two cores.
const worthMeasuring = 0.25

// capacity is what trials may use, of which parallel could run at once. With --jobs auto a long sweep on more cores than one measures
// how many at once are fastest, and remembers it.
func (a *app) capacity(ctx context.Context, choice backend.Choice, r sweep.Registration, parallel int) (sweep.Capacity, error) {
	c, err := a.executor.capacity(choice, a.jobs, parallel)
	if err != nil || a.jobs != jobsAuto || c.Devices > 0 || c.Jobs < 2 || r.Hours(len(local.Cores())) < worthMeasuring {
		return c, err
	}
	path := filepath.Join(a.root, "cache", "jobs", jobsKey(r, c)+".json")
	if text, err := os.ReadFile(path); err == nil {
		var remembered struct{ Jobs int }
		if json.Unmarshal(text, &remembered) == nil && remembered.Jobs >= 1 && remembered.Jobs <= c.Jobs {
			c.Jobs = remembered.Jobs
			return c, nil
		}
	}
	if c.Jobs, err = a.fastestJobs(ctx, r, c); err != nil {
		return c, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return c, err
	}
	return c, trial.WriteAtomic(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(map[string]int{"jobs": c.Jobs}) })
}

// jobsKey names what the measurement depends on: the largest work of the first ladder, the backend and the machine.
func jobsKey(r sweep.Registration, c sweep.Capacity) string {
	l := r.Ladders[0]
	spec := l.Rungs[len(l.Rungs)-1].Specs()[0]
	spec.Seed = 0
	host, err := os.Hostname()
	work := trial.New(spec, l.Model.Fingerprint, l.Corpus.Fingerprint, r.Backend).ID
	sum := sha256.Sum256(fmt.Append(nil, work, host, err, local.Cores(), c))
	return fmt.Sprintf("%x", sum[:8])
}

// fastestJobs measures.
func (a *app) fastestJobs(ctx context.Context, r sweep.Registration, c sweep.Capacity) (int, error) {
	return sweep.FastestJobs(c.Jobs, func(jobs int) (float64, error) {
		a.say("measuring a few steps of %s at once on %s", plural(jobs, "trial"), plural(len(local.Cores()), "core"))
		speed, bytes, err := a.speed(ctx, r, c, jobs)
		if c.HostBytes > 0 && bytes*int64(jobs) > c.HostBytes {
			speed = 0
		}
		if err == nil {
			a.say("  %.3g steps a second together, %s each", speed, trial.FormatBytes(bytes))
		}
		return speed, err
	})
}

func (a *app) speed(ctx context.Context, r sweep.Registration, c sweep.Capacity, jobs int) (_ float64, _ int64, err error) {
	root, err := os.MkdirTemp("", "sweep-jobs-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	c.Jobs = jobs
	executor, err := a.executor.open(root, c)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, release(executor)) }()
	calibrator := sweep.Calibrator{Exec: executor, Registration: r, Jobs: jobs, Say: func(int, int) {}}
	speed, bytes, err := calibrator.Speed(ctx, r.Ladders[0], jobs)
	if errors.Is(err, context.Canceled) {
		err = withCode(exitInterrupted, errors.New("interrupted"))
	}
	return speed, bytes, err
}

// release ends the processes that an executor keeps for further trials.
func release(e sweep.Executor) error {
	if c, ok := e.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
