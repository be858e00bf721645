package slurm

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
)

// accounts is what is known of the site's sacct.
type accounts struct {
	absent bool // it keeps none
	failed bool // the last question was not answered
	asked  time.Time
	ended  map[cluster.JobID]cluster.Job // what it said of jobs that have ended, which changes no more
}

// accountsPeriod is the shortest time between two questions to sacct: slurmctld's reports reach it a few seconds later.
const accountsPeriod = 5 * time.Second

// addAccounts adds to jobs those of the batches that have ended by sacct's word. What it says of others is old.
func (q *Queue) addAccounts(ctx context.Context, batches []string, jobs map[cluster.JobID]cluster.Job) {
	a := &q.accounts
	if now := q.now(); !a.absent && now.Sub(a.asked) >= accountsPeriod {
		a.asked = now
		q.askAccounts(ctx, batches)
	}
	wanted := named(batches)
	maps.DeleteFunc(a.ended, func(id cluster.JobID, _ cluster.Job) bool { return !wanted[id.Batch] })
	for id, job := range a.ended {
		if _, known := jobs[id]; !known {
			jobs[id] = job
		}
	}
}

func (q *Queue) now() time.Time {
	if q.Now == nil {
		return time.Now()
	}
	return q.Now()
}

// namesAtOnce is of how many batches sacct is asked: an argument has 128 KiB at most (MAX_ARG_STRLEN of execve(2)), and a name some 40.
const namesAtOnce = 1000

func (q *Queue) askAccounts(ctx context.Context, batches []string) {
	a := &q.accounts
	var records []record
	var err error
	for names := range slices.Chunk(batches, namesAtOnce) {
		var text string
		text, err = q.output(ctx, cmp.Or(q.Settings.Sacct, "sacct"), "--allocations", "--noheader", "--parsable2",
			"--user="+strconv.Itoa(os.Getuid()), "--name="+strings.Join(names, ","), "--starttime=now-30days", "--format="+sacctFormat)
		var some []record
		if err == nil {
			some, err = parseSacct(text)
		}
		if records = append(records, some...); err != nil {
			break
		}
	}
	if err != nil {
		a.absent = errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) ||
			strings.Contains(err.Error(), "accounting storage is disabled")
		if !a.failed && !a.absent && q.Log != nil {
			q.Log.WarnContext(ctx, "Slurm's accounts cannot be read; jobs that squeue has forgotten are judged by their files", "error", err)
		}
		a.failed = true
		return
	}
	a.failed = false
	if a.ended == nil {
		a.ended = map[cluster.JobID]cluster.Job{}
	}
	for _, r := range records {
		if job := r.job(func() string { return "" }); job.Phase == cluster.Ended {
			a.ended[r.id] = job
		}
	}
}
