package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// workPilot trains one attempt after another as a cluster's job: each in a child, which stays for the next where that is of its kind. A
// trial that kills its process takes no other along.
func workPilot(ctx context.Context, folder string) error {
	dir, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	p, err := cluster.OpenPilot(dir)
	if err != nil {
		return err
	}
	return errors.Join(fly(ctx, p, dir), p.Close())
}

// fly trains attempts until the pilot's time is up, or nobody has work for it.
func fly(ctx context.Context, p *cluster.Pilot, dir string) error {
	host, err := backend.HostMemory()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	workers := &local.Executor{
		Root: p.Root(), Command: []string{self, "worker"}, Env: backend.Environment(os.Environ()), HostBytes: host, Attached: true,
	}
	cluster.EndWithScript()
	ctx, cancel := cluster.UntilAsked(ctx, dir)
	defer cancel()
	var last trial.Assignment
	for {
		a, ok, err := p.Next(ctx, last)
		if err != nil || !ok {
			return errors.Join(err, workers.Close())
		}
		began := time.Now()
		ended, err := trainInChild(ctx, workers, a)
		if err := errors.Join(err, p.Ended(a.Attempt, ended, time.Since(began))); err != nil {
			return errors.Join(err, workers.Close())
		}
		last = a
	}
}

// childPoll is how often a pilot looks at the attempt that it trains.
const childPoll = 50 * time.Millisecond

// trainInChild trains an attempt, asks it to end once the pilot or the attempt is asked to, and says how its worker ended.
func trainInChild(ctx context.Context, workers *local.Executor, a trial.Assignment) (sweep.Process, error) {
	asked, cancel := cluster.UntilAsked(ctx, a.Attempt.Dir(workers.Root))
	defer cancel()
	ctx = context.WithoutCancel(ctx)
	if err := workers.Start(ctx, a); err != nil {
		return notStarted(workers.Root, a.Attempt, err)
	}
	done := asked.Done()
	for {
		p, err := workers.Probe(ctx, a.Attempt)
		if err != nil || !p.Alive {
			return p, err
		}
		select {
		case <-done:
			done = nil
			if err := workers.Stop(ctx, a.Attempt, false); err != nil {
				return p, err
			}
		case <-time.After(childPoll):
		}
	}
}

// notStarted writes why there is no worker to where the coordinator looks for it.
func notStarted(root string, id trial.AttemptID, why error) (sweep.Process, error) {
	log, err := trial.OpenFile(filepath.Join(id.Dir(root), trial.StderrFile), os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return sweep.Process{}, errors.Join(why, err)
	}
	_, err = fmt.Fprintln(log, why)
	return sweep.Process{Exit: fmt.Sprintf("exit status %d", exitCode(withWorkerCode(why)))}, errors.Join(err, log.Close())
}
