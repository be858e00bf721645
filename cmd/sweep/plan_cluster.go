package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// planBatch is what a cluster is handed first: jobs that ask for the same.
type planBatch struct {
	Jobs          int     `json:"jobs"`
	MemoryBytes   int64   `json:"memory_bytes"`   // that each asks for; 0: the queue's default
	TimeSeconds   float64 `json:"time_seconds"`   // that each asks for; 0: the queue's default
	Devices       int     `json:"devices"`        // GPUs of each
	Script        string  `json:"script"`         // what the queue gets; BATCH stands for the name, which is new each time
	JobScript     string  `json:"job_script"`     // what runs on the machine, from the trials' shared folder
	AttemptFolder string  `json:"attempt_folder"` // of the first of them
}

// batchName stands in a plan for the name of a batch.
const batchName = "BATCH"

// planOnCluster reads the inputs as a run would, measures nothing, for this machine is none of the cluster's, and says what the first jobs
// are handed in as.
func (a *app) planOnCluster(ctx context.Context, path string) (planView, error) {
	in, err := a.readToPlan(ctx, path)
	if err != nil {
		return planView{}, err
	}
	g, r, capacity := in.grid, in.Registration, in.capacity
	a.sayUnseen(in.choice, r)
	view := newPlanView(g, r.Warnings)
	view.Backend, view.Jobs = in.choice.Identity, capacity.Jobs
	for _, l := range r.Ladders {
		view.add(l)
	}
	view.compare(g, r, nil, nil, capacity.Jobs)
	view.Batches, err = a.firstBatches(ctx, r, planned(g, r.Platform, capacity), capacity)
	return view, err
}

// firstBatches are those of the trials that a sweep begins with, or of the pilots that train them.
func (a *app) firstBatches(ctx context.Context, r sweep.Registration, info sweep.Info, c sweep.Capacity) ([]planBatch, error) {
	s := a.executor.cluster
	if err := s.ready(); err != nil {
		a.say("warning: %v", err)
	}
	queue := s.queue(a.clusterLog())
	most, err := queue.Most(ctx)
	if err != nil {
		a.say("warning: the queue does not answer, so that its longest array is not known: %v", err)
		most = c.Jobs
	}
	if s.pilot {
		most = 1
	}
	groups := cluster.Grouped(r.First(info, c), most, func(trial.ID) cluster.Request {
		return s.request(trial.Assignment{Platform: r.Platform, TrialTime: info.Limits.TrialTime})
	})
	var all []planBatch
	for _, g := range groups {
		script, batch := s.Script, cluster.Batch{Name: batchName, Folder: cluster.BatchFolder(a.root, batchName), Request: g.Request}
		for _, id := range g.Items {
			batch.Dirs = append(batch.Dirs, trial.NewAttemptID(id, 1).Dir(a.root))
		}
		if s.pilot {
			script, batch = s.pilots(queue, a.root, c.Jobs, a.clock, nil, true).Preview(g.Request, batchName)
		}
		preview, err := s.preview(batch)
		if err != nil {
			return nil, err
		}
		all = append(all, planBatch{
			Jobs: len(batch.Dirs), MemoryBytes: batch.Request.Memory, TimeSeconds: batch.Request.Time.Seconds(), Devices: batch.Request.Devices,
			Script: preview, JobScript: script.Body(batch.Folder), AttemptFolder: batch.Dirs[0],
		})
	}
	return all, nil
}

// writeBatches prints what the queue gets first. Batches whose scripts are the same are counted.
func (v planView) writeBatches(w io.Writer) error {
	for at := 0; at < len(v.Batches); {
		b, same := v.Batches[at], 1
		for at+same < len(v.Batches) && v.Batches[at+same].Script == b.Script {
			same++
		}
		times := ""
		if same > 1 {
			times = fmt.Sprintf(", %d times", same)
		}
		if _, err := fmt.Fprintf(w, "\nthe queue gets this for %s%s (%s is a name of its own each time):\n\n%s", plural(b.Jobs, "job"), times,
			batchName, indented(b.Script)); err != nil {
			return err
		}
		at += same
	}
	if len(v.Batches) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\neach job then runs, with the attempts' folders beside it (the first: %s):\n\n%s", v.Batches[0].AttemptFolder,
		indented(v.Batches[0].JobScript))
	return err
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}
