package slurm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm/slurmtest"
)

// replies are shell scripts in place of Slurm's commands. What they print was printed by Slurm 22.05.
type replies struct {
	t   *testing.T
	dir string
}

func newReplies(t *testing.T) (replies, *slurm.Queue) {
	t.Helper()
	r := replies{t: t, dir: t.TempDir()}
	path := func(name string) string { return filepath.Join(r.dir, name) }
	return r, &slurm.Queue{Settings: slurm.Settings{
		Sbatch: path("sbatch"), Squeue: path("squeue"), Scancel: path("scancel"), Sacct: path("sacct"), Scontrol: path("scontrol"),
		Timeout: 10 * time.Second,
	}}
}

// set has a command run these lines of shell, after it has noted its arguments.
func (r replies) set(command, lines string) {
	r.t.Helper()
	path := filepath.Join(r.dir, command)
	slurmtest.Script(r.t, path, fmt.Sprintf("#!/bin/sh\necho \"$@\" >>'%s.args'\n%s\n", path, lines))
}

func (r replies) print(command, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, command+".txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.set(command, "cat '"+path+"'")
}

// calls are the arguments of each call of a command.
func (r replies) calls(command string) []string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, command+".args"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func recorded(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Abs(filepath.Join("testdata", "logs"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "LOGS", logs)
}

const noAccounts = "echo 'Slurm accounting storage is disabled' >&2; exit 1"

func TestJobsReadsSqueue(t *testing.T) {
	t.Parallel()
	r, q := newReplies(t)
	r.print("squeue", recorded(t, "squeue.txt"))
	r.set("sacct", noAccounts)
	got, err := q.Jobs(t.Context(), []string{"b-1", "q-1", "single", "unknown"})
	if err != nil {
		t.Fatal(err)
	}
	b := func(i int) cluster.JobID { return cluster.JobID{Batch: "b-1", Index: i} }
	want := map[cluster.JobID]cluster.Job{
		b(8): {Phase: cluster.Pending, Reason: "Resources", Native: "1_8"},
		b(9): {Phase: cluster.Pending, Reason: "Resources", Native: "1_9"},
		b(6): {Phase: cluster.Running, Native: "1_6"},
		b(0): {Phase: cluster.Ended, Exit: "exit status 0", Native: "1_0"},
		b(1): {Phase: cluster.Ended, Exit: "exit status 3", Native: "1_1"},
		b(2): {Phase: cluster.Ended, Exit: "signal: killed", Native: "1_2"},
		b(3): {Phase: cluster.Ended, Exit: "signal: killed", Reason: "OUT_OF_MEMORY", Native: "1_3"},
		b(4): {Phase: cluster.Ended, Exit: "signal: terminated", Native: "1_4"},
		b(7): {Phase: cluster.Ended, Exit: "signal: terminated", Reason: "CANCELLED", Native: "1_7"},

		{Batch: "q-1"}:    {Phase: cluster.Ended, Reason: "FAILED JobLaunchFailure", Native: "11_0"},
		{Batch: "single"}: {Phase: cluster.Running, Native: "12"}, // handed in twice
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Jobs differs (-want +got):\n%s", diff)
	}
	if n := len(r.calls("squeue")); n != 1 {
		t.Errorf("squeue was called %d times", n)
	}
}

func TestJobsAsksAccountsForWhatSqueueForgot(t *testing.T) {
	t.Parallel()
	r, q := newReplies(t)
	r.print("squeue", "1_6|RUNNING|None|0|b-1|/runs/batches/b-1\n")
	r.print("sacct", recorded(t, "sacct.txt"))
	got, err := q.Jobs(t.Context(), []string{"b-1"})
	if err != nil {
		t.Fatal(err)
	}
	b := func(i int) cluster.JobID { return cluster.JobID{Batch: "b-1", Index: i} }
	want := map[cluster.JobID]cluster.Job{ // of 5 and 8 sacct has old words
		b(6): {Phase: cluster.Running, Native: "1_6"},
		b(0): {Phase: cluster.Ended, Exit: "exit status 0", Native: "1_0"},
		b(1): {Phase: cluster.Ended, Exit: "exit status 3", Native: "1_1"},
		b(2): {Phase: cluster.Ended, Exit: "signal: killed", Native: "1_2"},
		b(4): {Phase: cluster.Ended, Exit: "signal: terminated", Native: "1_4"},
		b(7): {Phase: cluster.Ended, Exit: "exit status 0", Reason: "CANCELLED by 0", Native: "1_7"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Jobs differs (-want +got):\n%s", diff)
	}
	if again, err := q.Jobs(t.Context(), []string{"b-1"}); err != nil || !cmp.Equal(want, again) {
		t.Errorf("Jobs of the same again = %v, %v", again, err)
	}
	if n := len(r.calls("sacct")); n != 1 {
		t.Errorf("sacct was called %d times within a moment", n)
	}
}

func TestJobsWithoutAccounts(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"disabled": noAccounts,
		"down":     "echo 'sacct: error: Problem talking to the database: Connection refused' >&2; exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, q := newReplies(t)
			r.print("squeue", "1_6|RUNNING|None|0|b-1|/runs/batches/b-1\n")
			r.set("sacct", reply)
			if got, err := q.Jobs(t.Context(), []string{"b-1", "gone"}); err != nil || len(got) != 1 {
				t.Errorf("Jobs = %v, %v, want what squeue said", got, err)
			}
		})
	}
}

func TestJobsSaysNothingOnTrouble(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"no controller": "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1",
		"another text":  "echo 'JOBID PARTITION'",
		"collapsed":     "echo '1_[4-9]|PENDING|Resources|0|b-1|/runs'",
		"no answer":     "exec sleep 30",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, q := newReplies(t)
			q.Settings.Timeout = time.Second
			r.set("squeue", reply)
			if got, err := q.Jobs(t.Context(), []string{"b-1"}); err == nil {
				t.Errorf("Jobs = %v, want an error", got)
			}
		})
	}
}

func TestSubmitTellsNoFromNoAnswer(t *testing.T) {
	t.Parallel()
	failed := func(message string) string { return "echo 'sbatch: error: " + message + "' >&2; exit 1" }
	for name, c := range map[string]struct {
		reply   string
		refused bool
	}{
		"partition":     {failed("Batch job submission failed: Invalid partition name specified"), true},
		"policy":        {failed("Batch job submission failed: Job violates accounting/QOS policy (job submit limit)"), true},
		"option":        {failed("Invalid --time specification"), true},
		"many jobs":     {failed("QOSMaxSubmitJobPerUserLimit") + "", false},
		"no controller": {failed("Batch job submission failed: Unable to contact slurm controller (connect failure)"), false},
		"socket":        {failed("Batch job submission failed: Socket timed out on send/recv operation"), false},
		"munge":         {failed("Batch job submission failed: Protocol authentication error"), false},
		"killed":        {"kill -9 $$", false},
		"no answer":     {"exec sleep 30", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, q := newReplies(t)
			q.Settings.Timeout = 2 * time.Second
			r.set("sbatch", c.reply)
			err := q.Submit(t.Context(), cluster.Batch{Name: "b-1", Folder: t.TempDir(), Dirs: make([]string, 2)})
			var refused *cluster.RefusedError
			if err == nil || errors.As(err, &refused) != c.refused {
				t.Errorf("Submit = %v, want refused %t", err, c.refused)
			}
		})
	}
}

func TestSubmitHandsInTheScript(t *testing.T) {
	t.Setenv("SBATCH_PARTITION", "elsewhere")
	t.Setenv("HF_TOKEN", "secret")
	t.Setenv("WANDB_KEY", "wanted")
	r, q := newReplies(t)
	q.Settings.Environment = []string{"WANDB_KEY", "NO_SUCH_VARIABLE"}
	if err := q.Settings.Ready(); err == nil || !strings.Contains(err.Error(), "are to get NO_SUCH_VARIABLE, which") {
		t.Errorf("Ready = %v, want the name of what is missing", err)
	}
	r.set("sbatch", `env >"$2.env"; echo 7`)
	b := cluster.Batch{Name: "b-1", Folder: t.TempDir(), Dirs: make([]string, 2)}
	if err := q.Submit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.Folder, "slurm.sh")
	if text, err := os.ReadFile(path); err != nil || string(text) != slurm.Script(q.Settings, b) {
		t.Errorf("the script is %q, %v", text, err)
	}
	env, err := os.ReadFile(path + ".env")
	if err != nil || strings.Contains(string(env), "secret") || strings.Contains(string(env), "elsewhere") ||
		!strings.Contains(string(env), "WANDB_KEY=wanted\n") {
		t.Errorf("sbatch got the environment %s, %v", env, err)
	}
	if script, err := os.ReadFile(path); err != nil || strings.Contains(string(script), "wanted") {
		t.Errorf("the script has a value that it is to inherit: %s, %v", script, err)
	}
	if want := []string{"--parsable " + path}; !cmp.Equal(want, r.calls("sbatch")) {
		t.Errorf("sbatch %q, want %q", r.calls("sbatch"), want)
	}
	refusal := q.Submit(t.Context(), cluster.Batch{Name: "b-2", Folder: filepath.Join(b.Folder, "100%"), Dirs: make([]string, 1)})
	if refused := (*cluster.RefusedError)(nil); !errors.As(refusal, &refused) {
		t.Errorf("Submit into a folder that Slurm cannot write into = %v", refusal)
	}
}

func TestStopNamesOneJobOfAnArray(t *testing.T) {
	t.Parallel()
	r, q := newReplies(t)
	r.print("squeue", recorded(t, "squeue.txt"))
	r.set("sacct", noAccounts)
	r.set("scancel", "echo 'scancel: error: Kill job error on job id 1_6: Invalid job id specified' >&2; exit 1")
	stop := func(batch string, index int, kill bool) {
		t.Helper()
		if err := q.Stop(t.Context(), cluster.JobID{Batch: batch, Index: index}, kill); err != nil {
			t.Error(err)
		}
	}
	stop("b-1", 6, false)
	stop("b-1", 8, true)
	stop("single", 0, true)
	stop("b-1", 0, true) // it has ended
	stop("unknown", 0, true)
	want := []string{
		"--state=PENDING 1_6", "--signal=USR1 --batch 1_6", "--state=PENDING 1_8", "--signal=KILL --batch 1_8",
		"--state=PENDING 12 13", "--signal=KILL --batch 12 13",
	}
	if diff := cmp.Diff(want, r.calls("scancel")); diff != "" {
		t.Errorf("scancel differs (-want +got):\n%s", diff)
	}
	r.set("scancel", "echo 'scancel: error: Unable to contact slurm controller' >&2; exit 1")
	if err := q.Stop(context.Background(), cluster.JobID{Batch: "b-1", Index: 6}, true); err == nil {
		t.Error("Stop without a controller = nil")
	}
}

func TestMostJobsOfAnArray(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]int{
		"MaxArraySize            = 1001\nSchedulerParameters     = (null)\n":                        1001,
		"MaxArraySize            = 1001\nSchedulerParameters     = bf_window=9,max_array_tasks=8\n": 8,
		"MaxArraySize            = 0\n": 1,
	} {
		r, q := newReplies(t)
		r.print("scontrol", config)
		for range 2 {
			if got, err := q.Most(t.Context()); err != nil || got != want {
				t.Errorf("Most of %q = %d, %v, want %d", config, got, err, want)
			}
		}
		if n := len(r.calls("scontrol")); n != 1 {
			t.Errorf("scontrol was asked %d times", n)
		}
	}
	r, q := newReplies(t)
	r.print("scontrol", "Slurmctld(primary) at vm is DOWN\n")
	if got, err := q.Most(t.Context()); err == nil {
		t.Errorf("Most of no answer = %d, want an error", got)
	}
}

// TestJobsThatWait: a job that is suspended has begun, and one that waits for what never comes is told from others.
func TestJobsThatWait(t *testing.T) {
	t.Parallel()
	r, q := newReplies(t)
	r.print("squeue", "1_0|SUSPENDED|None|0|b|/\n1_1|PENDING|Priority|0|b|/\n1_2|PENDING|PartitionTimeLimit|0|b|/\n"+
		"1_3|PENDING|QOSMaxMemoryPerJob|0|b|/\n")
	r.set("sacct", noAccounts)
	got, err := q.Jobs(t.Context(), []string{"b"})
	want := map[cluster.JobID]cluster.Job{
		{Batch: "b"}:           {Phase: cluster.Suspended, Native: "1_0"},
		{Batch: "b", Index: 1}: {Phase: cluster.Pending, Reason: "Priority", Native: "1_1"},
		{Batch: "b", Index: 2}: {Phase: cluster.Pending, Reason: "PartitionTimeLimit", Native: "1_2", Stuck: true},
		{Batch: "b", Index: 3}: {Phase: cluster.Pending, Reason: "QOSMaxMemoryPerJob", Native: "1_3", Stuck: true},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Jobs, %v (-want +got):\n%s", err, diff)
	}
}

// TestJobsOfManyBatches: a coordinator that comes back after a long time asks for more batches than one argument can name.
func TestJobsOfManyBatches(t *testing.T) {
	t.Parallel()
	r, q := newReplies(t)
	r.print("squeue", "")
	r.set("sacct", `for name in $(echo "$@" | tr " " "\n" | sed -n "s/--name=//p" | tr , "\n"); do echo "1|COMPLETED|0:0|$name"; done`)
	var names []string
	for i := range 5000 {
		names = append(names, fmt.Sprintf("sweep-20260101-000000-%012d", i))
	}
	if got, err := q.Jobs(t.Context(), names); err != nil || len(got) != len(names) {
		t.Errorf("Jobs = %d jobs, %v, want %d", len(got), err, len(names))
	}
}
