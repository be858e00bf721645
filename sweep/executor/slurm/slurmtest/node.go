// Package slurmtest breaks the Slurm of one node that one-node.sh has started, for tests of what survives that.
package slurmtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Node is the Slurm that one-node.sh has started, and its only node.
type Node struct {
	t   *testing.T
	dir string
}

// Open skips the test, loudly, where one-node.sh has not started it.
func Open(t *testing.T) Node {
	t.Helper()
	dir := os.Getenv("SWEEP_SLURM")
	if dir == "" {
		t.Skip("SKIPPED: needs a real Slurm: make test-slurm")
	}
	return Node{t: t, dir: dir}
}

// For is the node in another test.
func (n Node) For(t *testing.T) Node {
	t.Helper()
	return Node{t: t, dir: n.dir}
}

// Run runs one of Slurm's commands and returns what it printed.
func (n Node) Run(command string, args ...string) string {
	n.t.Helper()
	text, err := exec.CommandContext(context.Background(), command, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %q: %v: %s", command, args, err, text)
	}
	return strings.TrimSpace(string(text))
}

// Jobs are Slurm's ids of the jobs in a state: RUNNING, PENDING, all.
func (n Node) Jobs(state string) []string {
	n.t.Helper()
	return strings.Fields(n.Run("squeue", "--noheader", "--array", "--states="+state, "--Format=JobArrayID:"))
}

// Drain keeps further jobs off the node, Undrain lets them in again. Those that run there go on.
func (n Node) Drain() { n.update("state=drain", "reason=test") }

// Undrain ends what Drain began.
func (n Node) Undrain() { n.update("state=undrain") }

func (n Node) update(what ...string) {
	n.t.Helper()
	host, err := os.Hostname()
	if err != nil {
		n.t.Fatal(err)
	}
	n.Run("scontrol", append([]string{"update", "nodename=" + host}, what...)...)
}

// Requeue puts a job that was handed in with --no-requeue back into the queue.
func (n Node) Requeue(job string) {
	n.t.Helper()
	n.Run("scontrol", "update", "job="+job, "requeue=1")
	n.Run("scontrol", "requeue", job)
}

// Kill kills a daemon, slurmctld or slurmd, by the id in its file, and waits for it to be gone.
func (n Node) Kill(daemon string) {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, daemon+".pid"))
	if err != nil {
		n.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		n.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		n.t.Fatal(err)
	}
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(20 * time.Millisecond)
	}
}

// Start starts a daemon, which goes into the background.
func (n Node) Start(daemon string) {
	n.t.Helper()
	n.Run(daemon)
}

// UntilSaved waits for the controller to have written what it knows of a job: younger ones it forgets when it is killed.
func (n Node) UntilSaved(job string) {
	n.t.Helper()
	now := time.Now()
	n.Run("scontrol", "update", "job="+job, "comment=save") // it writes only what has changed
	for deadline := now.Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if info, err := os.Stat(filepath.Join(n.dir, "state", "job_state")); err == nil && info.ModTime().After(now) {
			return
		}
	}
	n.t.Fatal("slurmctld saves no state")
}
