package cluster_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // a flag

func TestBody(t *testing.T) {
	t.Parallel()
	s := cluster.Script{
		Command: []string{"/opt/my tools/sweep", "worker"}, Env: []string{"GOMLX_BACKEND=xla:cuda", "NOTE=it's"},
		Setup: []string{"module load cuda/12.4", `echo "on $(hostname)"`}, Container: "apptainer exec --nv /images/base.sif",
	}
	got, golden := s.Body("/data/runs/batches/b1"), filepath.Join("testdata", "job.sh")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, golden), got); diff != "" {
		t.Errorf("job.sh (-want +got):\n%s", diff)
	}
}

// handIn writes a batch of one attempt, as the executor does, and returns the attempt's folder and what runs its job.
func handIn(t *testing.T, s cluster.Script) (dir string, job *exec.Cmd) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a root's name")
	batch := filepath.Join(root, "batches", "b1")
	dir, err := trial.AttemptID("aa/1").MakeDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(batch, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(dir, trial.SpecFile): "{}", filepath.Join(batch, "attempts"): dir + "\n", filepath.Join(batch, "job.sh"): s.Body(batch),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, exec.CommandContext(t.Context(), "bash", "-c", cluster.Entry(batch, "0"))
}

func TestBodyRunsAnAttemptOnce(t *testing.T) {
	t.Parallel()
	s := cluster.Script{
		Command: clustertest.Command(t, sweeptest.WorkerFinishes),
		Env:     []string{"WORD=it's"}, Setup: []string{`echo "setup: $WORD"`},
	}
	dir, job := handIn(t, s)
	again := exec.CommandContext(t.Context(), job.Args[0], job.Args[1:]...)
	if out, err := job.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	events, err := trial.ReadFolder(dir)
	if err != nil || len(events) != 2 {
		t.Errorf("events: %v, %v, want started and ended", events, err)
	}
	if got := read(t, dir, "exit"); got != "exit status 0\n" {
		t.Errorf("exit: %q", got)
	}
	if got := read(t, dir, trial.StdoutFile); got != "setup: it's\n" {
		t.Errorf("stdout.log: %q", got)
	}
	before := read(t, dir, trial.EventsFile)
	if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "was run before") {
		t.Errorf("run again: %v: %s", err, out)
	}
	if after := read(t, dir, trial.EventsFile); after != before {
		t.Error("a second job wrote to the attempt's folder")
	}
}

// TestBodyCannotClaim: where no file can be made, that is what the queue gets to know, and nobody takes it for an attempt that was run.
func TestBodyCannotClaim(t *testing.T) {
	t.Parallel()
	const longest = 4095 // PATH_MAX of Linux: spec.json has room, claim.json has not
	dir, job := handIn(t, cluster.Script{Command: clustertest.Command(t, sweeptest.WorkerFinishes)})
	deep := filepath.Dir(dir)
	for room := longest - len("/spec.json") - len(deep); room > 0; room = longest - len("/spec.json") - len(deep) {
		deep = filepath.Join(deep, strings.Repeat("d", min(room-1, 200)))
		if left := longest - len("/spec.json") - len(deep); left == 1 { // no name is empty
			deep = deep[:len(deep)-1]
		}
	}
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	batch := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(dir))), "batches", "b1", "attempts")
	for path, text := range map[string]string{deep + "/spec.json": "{}", batch: deep + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := job.CombinedOutput()
	if job.ProcessState.ExitCode() != 74 || !strings.Contains(string(out), "is its disk full") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestBodySaysHowItEnded has workers that end in ways of their own: what a coordinator reads is as os.ProcessState puts it.
func TestBodySaysHowItEnded(t *testing.T) {
	t.Parallel()
	const killed = "signal: killed\n"
	dir, job := handIn(t, cluster.Script{Command: clustertest.Command(t, sweeptest.WorkerFinishes), Setup: []string{"exit 3"}})
	if err := job.Run(); err == nil || read(t, dir, "exit") != "exit status 3\n" {
		t.Errorf("a set-up that fails: %v, exit is %q", err, read(t, dir, "exit"))
	}
	for script, want := range map[string]string{
		"exit 0": "exit status 0\n", "exit 71": "exit status 71\n", "kill -KILL $$": killed,
		"kill -SEGV $$":         "signal: segmentation fault\n",
		"exec /no/such/program": "exit status 127\n",
	} {
		dir, job := handIn(t, cluster.Script{Command: []string{"bash", "-c", script}})
		_ = job.Run() // its status is the worker's
		got, _ := os.ReadFile(filepath.Join(dir, "exit"))
		byKernel := bytes.Equal(got, []byte("signal: killed, out of memory\n")) // which took another process at that time
		if string(got) != want && (want != killed || !byKernel) {
			t.Errorf("%s: exit is %q, want %q", script, got, want)
		}
	}
}

// TestBodyPassesOnRequests: each signal of a queue has the worker end within its time, and the script wait for it.
func TestBodyPassesOnRequests(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT} {
		dir, job := handIn(t, cluster.Script{Command: clustertest.Command(t, sweeptest.WorkerWaits)})
		if err := job.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if events, _ := trial.ReadFolder(dir); len(events) > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the worker does not start")
			}
		}
		if err := job.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := job.Wait(); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
		events, err := trial.ReadFolder(dir)
		if n := len(events); err != nil || n != 2 || events[n-1].Outcome.State != trial.OutcomeInterrupted {
			t.Errorf("%v: %v, %v, want an interrupted worker", signal, events, err)
		}
		if got := read(t, dir, "exit"); got != "exit status 0\n" {
			t.Errorf("%v: exit is %q", signal, got)
		}
	}
}

// TestWorkersEndWithTheirScripts: where a queue kills the script of a job alone, its worker ends too.
func TestWorkersEndWithTheirScripts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	worker := clustertest.Command(t, sweeptest.WorkerWaits)
	script := exec.Command("bash", "-c", `"$@" & wait`, "script", worker[0], worker[1], worker[2], "--job", dir)
	script.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-script.Process.Pid, syscall.SIGKILL) })
	until := func(what string, holds func() bool) {
		for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is waited for in vain", what)
			}
		}
	}
	pid := 0
	until("a worker", func() bool {
		events, err := trial.ReadFolder(dir)
		if err == nil && len(events) > 0 {
			pid = events[0].Environment.PID
		}
		return pid != 0
	})
	if err := script.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = script.Wait()
	until("the worker's end", func() bool { return syscall.Kill(pid, 0) != nil })
	if events, err := trial.ReadFolder(dir); err != nil || len(events) != 1 {
		t.Errorf("a worker without a script said more: %v, %v", events, err)
	}
}
