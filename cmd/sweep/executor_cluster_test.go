package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/slurm/slurmtest"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// shamSlurm is a sweep whose trials are handed to scripts in place of Slurm's commands: they take each job, and never run it.
func shamSlurm(t *testing.T, settings ...string) *testSweep {
	t.Helper()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.sham("sbatch", `name=$(sed -n 's/^#SBATCH --job-name=//p' "$2")
for i in 0 1 2 3; do echo "7_$i|PENDING|Resources|0|$name|/"; done >>squeue.txt; echo 7`)
	s.sham("squeue", "cat squeue.txt")
	s.sham("scancel", `echo "$@" >>scancel.txt`)
	s.sham("scontrol", "echo MaxArraySize = 1001")
	s.sham("sacct", "echo Slurm accounting storage is disabled >&2; exit 1")
	s.write("squeue.txt", "")
	s.putOnSham(settings...)
	return s
}

// sham puts a command in the place of Slurm's, which runs in the sweep's folder.
func (s *testSweep) sham(command, lines string) {
	s.t.Helper()
	slurmtest.Script(s.t, s.path(command), fmt.Sprintf("#!/bin/bash\ncd %q\n%s\n", s.dir, lines))
}

func (s *testSweep) putOnSham(settings ...string) {
	s.t.Helper()
	for _, command := range []string{"sbatch", "squeue", "scancel", "scontrol", "sacct"} {
		settings = append(settings, command+": "+s.path(command))
	}
	s.write("cluster.yaml", "slurm:\n  "+strings.Join(settings, "\n  ")+"\n")
	s.args = []string{"--executor", "slurm", "--cluster", s.path("cluster.yaml")}
}

// leaveJobs has the sweep's first jobs wait in the queue, and its coordinator killed.
func (s *testSweep) leaveJobs() {
	s.t.Helper()
	run := s.command()
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd := s.start(run)
	until(s.t, "jobs that wait", func() bool {
		text, err := os.ReadFile(s.path("squeue.txt"))
		return err == nil && len(text) > 0
	})
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with the queue's commands that it runs
	cmd.wait()
	s.started = true
}

// said runs a command of sweep on the root, and returns its exit code and all that it printed.
func (s *testSweep) saidBy(args ...string) (code int, text string) {
	s.t.Helper()
	code, stdout, stderr := sweepCommand(s.t, append(args, "--root", s.rootDir())...)
	return code, stdout + stderr
}

// files lists what lies below the root but the database, with the times of what is in it.
func (s *testSweep) files() string {
	s.t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(s.rootDir(), func(path string, e os.DirEntry, err error) error {
		if err != nil || strings.Contains(path, "sweep.db") || path == s.rootDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			fmt.Fprintln(&all, path, info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all.String()
}

// TestReadersOnlyLook: who reads a sweep whose coordinator is gone learns what has become of its jobs, and changes nothing. What is over
// can be removed, with what its jobs were given.
func TestReadersOnlyLook(t *testing.T) {
	t.Parallel()
	s := shamSlurm(t)
	s.leaveJobs()
	before := s.files()
	if code, text := s.saidBy("status"); code != exitOK || !strings.Contains(text, stateAbandoned) {
		t.Errorf("status: exit %d: %s", code, text)
	}
	if code, text := s.saidBy("rm", "test", "--yes"); code != exitLocked || !strings.Contains(text, "cancel test") {
		t.Errorf("rm of a sweep with jobs: exit %d: %s", code, text)
	}
	if code, text := s.saidBy("doctor", "--backend", "go", "--repair"); code != exitLocked || !strings.Contains(text, "cancel") {
		t.Errorf("repair of a root with jobs: exit %d: %s", code, text)
	}
	if after := s.files(); after != before {
		t.Errorf("readers have changed the root:\n%s\nbefore:\n%s", after, before)
	}
	// Nobody watches as the node dies, and files have had their time.
	text, err := os.ReadFile(s.path("squeue.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("squeue.txt", strings.ReplaceAll(string(text), "PENDING|Resources", "NODE_FAIL|NodeDown"))
	attempts, err := filepath.Glob(filepath.Join(s.rootDir(), "trials", "*", "*", "*"))
	for _, path := range attempts {
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if code, text := s.saidBy("status"); err != nil || code != exitOK || strings.Contains(text, stateAbandoned) {
		t.Errorf("status of jobs that have ended: exit %d, %v: %s", code, err, text)
	}
	if code, text := s.saidBy("prune", "--dry-run"); code != exitOK || strings.Contains(text, "batches") {
		t.Errorf("prune of what the database takes to be open: exit %d: %s", code, text)
	}
	if code, text := s.saidBy("rm", "test", "--yes"); code != exitOK {
		t.Errorf("rm: exit %d: %s", code, text)
	}
	if left, err := filepath.Glob(filepath.Join(s.rootDir(), "batches", "*")); err != nil || len(left) > 0 {
		t.Errorf("rm left %v, %v", left, err)
	}
}

// TestAnotherExecutorIsRefused: while jobs of any sweep of the root may run, no other executor takes over, which could not see them.
func TestAnotherExecutorIsRefused(t *testing.T) {
	t.Parallel()
	s := shamSlurm(t)
	s.leaveJobs()
	text, err := os.ReadFile(s.path("grid.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("other.yaml", strings.Replace(string(text), "name: test", "name: other", 1))
	for _, command := range [][]string{{"run", s.path("other.yaml")}, {"resume", "test"}} {
		code, text := s.saidBy(append(command, "--backend", "go", "--executor", "local")...)
		if code != exitUsage || !strings.Contains(text, "sweep test may still run with --executor slurm") {
			t.Errorf("%v on this machine: exit %d: %s", command, code, text)
		}
	}
	if code, text := s.saidBy("cancel", "test"); code != exitOK || !strings.Contains(text, "checkpoint and end") {
		t.Errorf("cancel: exit %d: %s", code, text)
	}
	s.args = nil // as the root remembers
	resumed := s.start(s.command())
	until(t, "new jobs", func() bool {
		text, err := os.ReadFile(s.path("squeue.txt"))
		return err == nil && strings.Count(string(text), "7_0|") == 2
	})
	_ = resumed.Process.Kill()
	resumed.wait()
	if code, text := s.saidBy("prune", "--yes"); code != exitOK || !strings.Contains(text, "batch ") {
		t.Errorf("prune: exit %d: %s", code, text)
	}
	left, err := filepath.Glob(filepath.Join(s.rootDir(), "batches", "sweep-*"))
	if err != nil || len(left) != 1 {
		t.Errorf("prune left %v, %v, want the batch of the jobs that wait", left, err)
	}
	if told, err := os.ReadFile(s.path("scancel.txt")); err != nil || !strings.Contains(string(told), "7_0") {
		t.Errorf("scancel got %q, %v", told, err)
	}
}

// TestARefusedBatchEndsTheRun: at once, with the queue's words and the place of what they are about, and what was mended goes on.
func TestARefusedBatchEndsTheRun(t *testing.T) {
	t.Parallel()
	for _, pilots := range []bool{false, true} {
		s := shamSlurm(t, "partition: gppu")
		if pilots {
			s.args = append(s.args, "--pilot")
		}
		takes, err := os.ReadFile(s.path("sbatch"))
		if err != nil {
			t.Fatal(err)
		}
		s.sham("sbatch", "echo 'sbatch: error: invalid partition specified: gppu' >&2\n"+
			"echo 'sbatch: error: Batch job submission failed: Invalid partition name specified' >&2; exit 1")
		cmd := s.start(s.command())
		if code := cmd.wait(); code != exitError {
			t.Errorf("exit %d", code)
		}
		said := cmd.said.String()
		place := "slurm.partition (" + s.path("cluster.yaml") + ":2:14)"
		for _, want := range []string{"invalid partition specified: gppu", place, "resume test"} {
			if !strings.Contains(said, want) {
				t.Errorf("said %q, want %q", said, want)
			}
		}
		if tried, err := filepath.Glob(filepath.Join(s.rootDir(), "batches", "sweep-*")); err != nil || len(tried) != 1 {
			t.Errorf("tried %v, %v", tried, err)
		}
		slurmtest.Script(t, s.path("sbatch"), string(takes))
		s.started = true
		s.leaveJobs()
		if snapshot, ok := s.snapshot(); !ok || len(openAttempts(snapshot)) == 0 {
			t.Error("the mended sweep does not go on")
		}
	}
}

// TestNoSecretInAFile: what jobs are to inherit stands in no file and no plan, and what is missing is told.
func TestNoSecretInAFile(t *testing.T) {
	t.Parallel()
	s := shamSlurm(t, "environment: [SWEEP_TEST_TOKEN]")
	cmd := s.start(s.command())
	if code := cmd.wait(); code != exitUsage || !strings.Contains(cmd.said.String(), "SWEEP_TEST_TOKEN, which this environment") {
		t.Errorf("without it: exit %d: %s", code, &cmd.said)
	}
	s.env = append(s.env, "SWEEP_TEST_TOKEN=hunter2")
	out, err := s.sweep(append([]string{"plan", s.path("grid.yaml"), "--backend", "go"}, s.args...)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "hunter2") || !strings.Contains(string(out), "worker --job") {
		t.Errorf("plan: %v:\n%s", err, out)
	}
	s.leaveJobs()
	err = filepath.WalkDir(s.rootDir(), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "hunter2") {
			t.Errorf("%s has the secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	batches, err := filepath.Glob(filepath.Join(s.rootDir(), "batches", "sweep-*"))
	if err != nil || len(batches) == 0 {
		t.Fatal(batches, err)
	}
	if info, err := os.Stat(batches[0]); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v: want a folder that nobody else reads", info.Mode(), err)
	}
}

// shamRay is a sweep whose trials are handed to a server in place of a Ray head, with one header, which may name SWEEP_TEST_TOKEN.
func shamRay(t *testing.T, header string, answer http.HandlerFunc) *testSweep {
	t.Helper()
	s := newTestSweep(t, backend.PlatformGo, 4)
	head := httptest.NewServer(answer)
	t.Cleanup(head.Close)
	s.write("cluster.yaml", "ray: {address: '"+head.URL+"', headers: {"+header+"}}\n")
	s.args = []string{"--executor", "ray", "--cluster", s.path("cluster.yaml")}
	s.env = append(s.env, "SWEEP_TEST_TOKEN=hunter2")
	return s
}

// TestReadingNeedsNoToken: a root that Ray has run last is read without what speaking to Ray needs.
func TestReadingNeedsNoToken(t *testing.T) {
	t.Parallel()
	s := shamRay(t, "Authorization: 'Bearer ${SWEEP_TEST_TOKEN}'", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/version" || r.Header.Get("Authorization") != "Bearer hunter2" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"ray_version": "2.60.0"}`)
	})
	cmd := s.start(s.command())
	until(t, "an attempt", func() bool { return s.attempts() > 0 })
	_ = cmd.Process.Kill()
	cmd.wait()
	for _, command := range []string{"list", "status", "report", "version"} {
		if code, text := s.saidBy(command); code != exitOK {
			t.Errorf("%s: exit %d: %s", command, code, text)
		}
	}
	if code, text := s.saidBy("resume", "--backend", "go"); code != exitUsage || !strings.Contains(text, "no SWEEP_TEST_TOKEN") {
		t.Errorf("resume: exit %d: %s", code, text)
	}
	s.write("runs/executor.json", "damage") // what only another executor needs
	if code, text := s.saidBy("list"); code != exitOK {
		t.Errorf("list: exit %d: %s", code, text)
	}
	if code, text := s.saidBy("resume", "--backend", "go"); code == exitOK || !strings.Contains(text, "executor.json") {
		t.Errorf("resume: exit %d: %s", code, text)
	}
}

// TestNoClusterThere: a wrong address ends the run, with the place of the setting.
func TestNoClusterThere(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.write("cluster.yaml", "ray: {address: 'http://127.0.0.1:9'}\n")
	code, text := s.saidBy("run", s.path("grid.yaml"), "--backend", "go", "--executor", "ray", "--cluster", s.path("cluster.yaml"))
	if code != exitError || !strings.Contains(text, "ray.address ("+s.path("cluster.yaml")+":1:16)") {
		t.Errorf("exit %d: %s", code, text)
	}
}

// TestPlanOfPilots: a plan shows the script of a pilot where pilots train.
func TestPlanOfPilots(t *testing.T) {
	t.Parallel()
	s := shamSlurm(t, "time: 1h", "memory: 2GiB")
	code, text := s.saidBy(append([]string{"plan", s.path("grid.yaml"), "--backend", "go", "--pilot"}, s.args...)...)
	for _, want := range []string{"worker --pilot --job", filepath.Join("pilots", "batches", batchName), "--mem=3072M", "--time=0-01:00:00"} {
		if code != exitOK || !strings.Contains(text, want) {
			t.Errorf("exit %d, want %q in:\n%s", code, want, text)
		}
	}
}
