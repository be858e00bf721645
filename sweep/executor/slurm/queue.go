package slurm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Queue implements cluster.Queue with Slurm's commands. What it keeps in memory saves questions, and is asked anew by a successor.
type Queue struct {
	Settings Settings
	Log      *slog.Logger     // of trouble with accounts, which is no error; nil: not told
	Run      Run              // of Slurm's commands; nil: of this machine's
	Now      func() time.Time // nil: time.Now

	asking   sync.Mutex // held by Jobs: one question at a time
	mu       sync.Mutex
	most     int
	ids      map[cluster.JobID][]string // Slurm's own, of the jobs that squeue knew last
	sizes    map[string]int             // how many jobs a batch is known to have at least
	accounts accounts                   // of Jobs alone
}

// scriptFile is what sbatch was given, kept for people.
const scriptFile = "slurm.sh"

// Submit writes the batch's script and hands it to sbatch.
func (q *Queue) Submit(ctx context.Context, b cluster.Batch) error {
	if i := strings.IndexFunc(b.Folder, func(r rune) bool { return r == '%' || r == '\\' || unicode.IsControl(r) }); i >= 0 {
		return &cluster.RefusedError{
			Reason: fmt.Sprintf("Slurm cannot write into %q: choose a root without %%, backslashes and line breaks", b.Folder),
		}
	}
	path := filepath.Join(b.Folder, scriptFile)
	if err := trial.WriteAtomic(path, func(w io.Writer) error {
		_, err := io.WriteString(w, Script(q.Settings, b))
		return err
	}); err != nil {
		return err
	}
	env, _ := q.Settings.jobEnvironment()
	_, err := q.outputWith(ctx, env, cmp.Or(q.Settings.Sbatch, "sbatch"), "--parsable", path)
	if refused(err) {
		return refusal(err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.meet(b.Name, len(b.Dirs))
	return err
}

// Jobs asks squeue for all jobs of this user, and sacct for what it has forgotten.
func (q *Queue) Jobs(ctx context.Context, batches []string) (map[cluster.JobID]cluster.Job, error) {
	q.asking.Lock()
	defer q.asking.Unlock()
	records, err := q.squeue(ctx)
	if err != nil {
		return nil, err
	}
	jobs, ids := map[cluster.JobID]cluster.Job{}, map[cluster.JobID][]string{}
	wanted := named(batches)
	for _, r := range records {
		if !wanted[r.id.Batch] {
			continue
		}
		job := r.job(func() string { return readLog(r) })
		if other, twice := jobs[r.id]; !twice || standing(job.Phase) > standing(other.Phase) {
			jobs[r.id] = job
		}
		if job.Phase != cluster.Ended {
			ids[r.id] = append(ids[r.id], r.native)
		}
	}
	q.mu.Lock()
	q.ids = ids
	forgotten := q.forgotten(batches, jobs)
	q.mu.Unlock()
	if len(forgotten) > 0 {
		q.addAccounts(ctx, forgotten, jobs)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	maps.DeleteFunc(q.sizes, func(name string, _ int) bool { return !wanted[name] })
	for id := range jobs {
		q.meet(id.Batch, id.Index+1)
	}
	return jobs, nil
}

func (q *Queue) squeue(ctx context.Context) ([]record, error) {
	text, err := q.output(ctx, cmp.Or(q.Settings.Squeue, "squeue"), "--noheader", "--array", "--states=all",
		"--user="+strconv.Itoa(os.Getuid()), "--Format="+squeueFormat)
	if err != nil {
		return nil, err
	}
	return parseSqueue(text)
}

// named are the names, to look them up.
func named(batches []string) map[string]bool {
	names := make(map[string]bool, len(batches))
	for _, name := range batches {
		names[name] = true
	}
	return names
}

// standing orders the states of a job that was handed in twice: the word on the one counts that does most.
func standing(p cluster.Phase) int {
	return slices.Index([]cluster.Phase{cluster.Ended, cluster.Ending, cluster.Pending, cluster.Suspended, cluster.Running}, p)
}

// readLog is the end of the job's log; empty where it cannot be read, as no more is to be learnt then.
func readLog(r record) string {
	text, err := trial.LogTail(filepath.Join(r.folder, logOf(r.native)), 4<<10)
	if err != nil {
		return ""
	}
	return text
}

// forgotten are the batches of which a job is not among jobs, and those that nothing is known of yet.
func (q *Queue) forgotten(batches []string, jobs map[cluster.JobID]cluster.Job) []string {
	var names []string
	for _, name := range batches {
		size, met := q.sizes[name]
		missing := !met
		for i := range size {
			if _, known := jobs[cluster.JobID{Batch: name, Index: i}]; !known {
				missing = true
			}
		}
		if missing {
			names = append(names, name)
		}
	}
	return names
}

func (q *Queue) meet(batch string, jobs int) {
	if q.sizes == nil {
		q.sizes = map[string]int{}
	}
	q.sizes[batch] = max(q.sizes[batch], jobs)
}

// Stop sends USR1 to the job's script, or kills all that runs, and cancels it where it waits. Always it names the one job of the array:
// 123_4.
func (q *Queue) Stop(ctx context.Context, id cluster.JobID, kill bool) error {
	ids, err := q.nativesOf(ctx, id)
	if err != nil || len(ids) == 0 {
		return err
	}
	signal := "--signal=USR1 --batch"
	if kill { // the script, and with it all that the job runs; cancelling sends TERM first, and KILL only KillWait seconds later
		signal = "--signal=KILL --batch"
	}
	// One that is started in between gets the signal.
	return errors.Join(q.scancel(ctx, "--state=PENDING", ids), q.scancel(ctx, signal, ids))
}

func (q *Queue) nativesOf(ctx context.Context, id cluster.JobID) ([]string, error) {
	q.mu.Lock()
	ids := q.ids[id]
	q.mu.Unlock()
	if len(ids) > 0 {
		return ids, nil
	}
	records, err := q.squeue(ctx)
	for _, r := range records {
		if r.id == id && phase(r.state) != cluster.Ended {
			ids = append(ids, r.native)
		}
	}
	return ids, err
}

// scancel is no error for jobs that are over, or in a state that a filter leaves out.
func (q *Queue) scancel(ctx context.Context, options string, ids []string) error {
	_, err := q.output(ctx, cmp.Or(q.Settings.Scancel, "scancel"), append(strings.Fields(options), ids...)...)
	var failed *commandError
	if !errors.As(err, &failed) {
		return err
	}
	if strings.Contains(failed.said, "Invalid job id") || strings.Contains(failed.said, "already completing or completed") {
		return nil
	}
	return err
}

// Most is the largest array that Slurm takes, which the administrator sets.
func (q *Queue) Most(ctx context.Context) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.most > 0 {
		return q.most, nil
	}
	text, err := q.output(ctx, cmp.Or(q.Settings.Scontrol, "scontrol"), "show", "config")
	if err != nil {
		return 0, err
	}
	q.most, err = mostOf(text)
	return q.most, err
}

// mostOf reads MaxArraySize, which is one more than the largest index, and max_array_tasks: slurm.conf(5).
func mostOf(config string) (int, error) {
	most := 0
	for line := range strings.Lines(config) {
		key, value, _ := strings.Cut(line, "=")
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "MaxArraySize":
			n, err := strconv.Atoi(value)
			if err != nil {
				return 0, fmt.Errorf("scontrol show config: MaxArraySize = %q: %w", value, err)
			}
			most = max(n, 1) // 0: no arrays
		case "SchedulerParameters":
			for parameter := range strings.SplitSeq(value, ",") {
				if n, err := strconv.Atoi(strings.TrimPrefix(parameter, "max_array_tasks=")); err == nil && n > 0 && most > 0 {
					most = min(most, n)
				}
			}
		}
	}
	if most == 0 {
		return 0, errors.New("scontrol show config told no MaxArraySize")
	}
	return most, nil
}
