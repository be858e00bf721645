package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Files that an attempt's folder has beside those of every executor.
const (
	jobFile   = "job.json"   // job: which job of which batch the attempt is, before the batch is handed in
	claimFile = "claim.json" // claim: made once, by the job that runs the attempt (job.sh) or by who sees to it that none ever will
	exitFile  = "exit"       // how the worker ended, by job.sh: "exit status 1", "signal: killed", "signal: killed, out of memory"
	stopFile  = "stop"       // asks the worker to write a checkpoint and end
)

// claim says whose an attempt is: a job's, or nobody's any more. One that is empty was cut short, and nobody knows.
type claim struct {
	Worker string         `json:"worker,omitempty"` // process and host
	Never  *trial.Outcome `json:"never,omitempty"`  // it was given up before a job had it
}

// claimOnce reports whether the attempt is the claimant's now. Of several, on whatever machines, one has it: exclusive creation is atomic
// on NFS, too (RFC 1813, section 3.3.8).
func claimOnce(dir string, c claim) (bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, claimFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(c)
	if err == nil {
		_, err = f.Write(trial.Seal(text))
	}
	return true, errors.Join(err, f.Sync(), f.Close())
}

// stopPoll is how often a worker looks whether it is asked to end.
const stopPoll = time.Second

// UntilAsked is a context that is done once somebody asks the attempt in dir to end, by a file: some queues cannot ask without killing. The
// caller cancels it.
func UntilAsked(ctx context.Context, dir string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for ctx.Err() == nil {
			if names, err := list(dir); err == nil && names[stopFile] {
				cancel()
			}
			select {
			case <-ctx.Done():
			case <-time.After(stopPoll):
			}
		}
	}()
	return ctx, cancel
}

// EndWithScript ends this process, a job's, once the script that started it is gone, within about a second. A queue that kills a job may
// find nothing but the script: Slurm without control groups. A worker that hangs in a computation ends, too.
func EndWithScript() {
	script := os.Getppid()
	go func() {
		for os.Getppid() == script {
			time.Sleep(stopPoll)
		}
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
	}()
}

// list are the names in a folder as they are now: opening a folder asks a file server anew, where asking for one name may be answered from
// what was so a minute ago (close-to-open consistency of nfs(5)).
func list(dir string) (map[string]bool, error) {
	entries, err := os.ReadDir(dir)
	names := make(map[string]bool, len(entries))
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names, err
}

// job is an attempt's job.json.
type job struct {
	Batch  string `json:"batch"`
	Index  int    `json:"index"`
	Memory int64  `json:"memory,omitempty"` // bytes that were asked for
}

func (j job) id() JobID { return JobID{Batch: j.Batch, Index: j.Index} }

// batchName is how batches are named (newBatchName). The queue is asked about no job of another name, and told to stop none, where a folder
// from elsewhere names it.
var batchName = regexp.MustCompile(`^sweep-[0-9]{8}-[0-9]{6}-[a-z2-7]{12}$`)

func newBatchName(now time.Time) string {
	return "sweep-" + now.Format("20060102-150405-") + strings.ToLower(rand.Text()[:12])
}

// readJob reads which job the attempt in dir was handed in as.
func readJob(dir string) (j job, err error) {
	path := filepath.Join(dir, jobFile)
	if err = trial.ReadSealed(path, &j); err == nil && !batchName.MatchString(j.Batch) {
		err = fmt.Errorf("read %s: %w: %q is no batch of a sweep", path, trial.ErrDamaged, j.Batch)
	}
	if err != nil {
		return job{}, err
	}
	return j, nil
}

// JobOf is the job that the attempt in dir was handed in as. An attempt that was none has no Batch, nor has one whose job.json is damaged
// or names no batch of a sweep.
func JobOf(dir string) JobID {
	j, _ := readJob(dir)
	return j.id()
}
