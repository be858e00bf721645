package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// testGrid trains six short trials: long enough to be killed at every stage, short enough for a test.
const testGrid = `
name: test
model: %s
data: {train: train.jsonl, validation: validation.jsonl, sequence_length: 16}
lora: {rank: [1, 2, 4], alpha: 8, dropout: 0.1, target_modules: [c_attn, c_proj]}
train: {steps: %d, batch_size: 2, learning_rate: 2e-2, eval_steps: 5}
seeds: [0, 1]
plateau: {patience: 3}
`

// testSweep is one sweep in a root of its own.
type testSweep struct {
	t        *testing.T
	platform string
	dir      string
	root     string // --root; empty: dir/runs
	database string // --database; empty: none
	jobs     string
	env      []string // more of the commands' environment
	args     []string // more arguments of run and resume
	started  bool
	// aside returns the attempts that living workers train, and a copy of the root, where this process must not use that itself.
	aside func() (working []trial.AttemptID, root string)
}

func newTestSweep(t *testing.T, platform string, steps int) *testSweep {
	t.Helper()
	s := &testSweep{t: t, platform: platform, dir: t.TempDir(), jobs: "2"}
	model, err := filepath.Abs(filepath.Join("..", "..", "trainer", "model", "testdata", "tiny-gpt2"))
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, filepath.Join(s.dir, "train.jsonl"), 40, 1)
	writeRows(t, filepath.Join(s.dir, "validation.jsonl"), 8, 2)
	if err := os.WriteFile(s.path("grid.yaml"), fmt.Appendf(nil, testGrid, model, steps), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.killWorkers() })
	return s
}

// quickstart is the sweep of make quickstart, on XLA where its plug-in is here. Under -short two of its ranks take a few steps.
func quickstart(t *testing.T) *testSweep {
	t.Helper()
	platform, err := exec.CommandContext(t.Context(), sweepBinary(t), "backend", "list", "--resolve").Output()
	if err != nil {
		t.Fatal(err)
	}
	grid, err := os.ReadFile(filepath.Join("..", "..", "experiments", "quickstart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := newTestSweep(t, strings.TrimSpace(string(platform)), 1)
	s.write("grid.yaml", string(grid))
	s.edit("name: quickstart", "name: test")
	if testing.Short() {
		s.edit("rank: [1, 2, 4, 8, 16, 32, 64]", "rank: [1, 4]")
		s.edit("steps: 250", "steps: 20")
	}
	return s
}

// writeRows writes pre-tokenised rows of 16 ids with a learnable pattern.
func writeRows(t *testing.T, path string, rows int, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	var b bytes.Buffer
	for range rows {
		ids := make([]int, 16)
		for i := range ids {
			ids[i] = (i*37 + random.IntN(3)) % 512
		}
		row, err := json.Marshal(map[string][]int{"input_ids": ids})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(row, '\n'))
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *testSweep) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

func (s *testSweep) rootDir() string {
	if s.root != "" {
		return s.root
	}
	return s.path("runs")
}

// command is `sweep run` at first, `sweep resume` from then on.
func (s *testSweep) command() *exec.Cmd {
	args := []string{"run", s.path("grid.yaml")}
	if s.started {
		args = []string{"resume", "test"}
	}
	return s.sweep(slices.Concat(args, []string{"--backend", s.platform, "--jobs", s.jobs}, s.args)...)
}

func (s *testSweep) sweep(args ...string) *exec.Cmd {
	args = append(args, "--root", s.rootDir())
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	cmd := exec.CommandContext(context.Background(), sweepBinary(s.t), args...)
	cmd.Env = append(append(os.Environ(), "GOMLX_NO_AUTO_INSTALL=1"), s.env...)
	return cmd
}

// snapshot reads the sweep's facts, whoever is writing them; false where there is no such sweep yet.
func (s *testSweep) snapshot() (sweep.Snapshot, bool) {
	db, err := store.OpenReadOnly(context.Background(), filepath.Join(cmp.Or(s.database, s.rootDir()), "sweep.db"))
	if err != nil {
		return sweep.Snapshot{}, false
	}
	defer db.Close() //nolint:errcheck // read only
	info, err := db.Find(context.Background(), "test")
	if err != nil {
		return sweep.Snapshot{}, false
	}
	snapshot, err := db.Snapshot(context.Background(), info.ID)
	return snapshot, err == nil
}

// registered reports whether resume can find the sweep.
func (s *testSweep) registered() bool {
	_, ok := s.snapshot()
	return ok
}

// trains reports whether the first trial has taken a step.
func (s *testSweep) trains() bool {
	snapshot, ok := s.snapshot()
	return ok && len(snapshot.Ladders) > 0 && snapshot.Ladders[0].Rungs[0].Trials[0].LastStep > 0
}

// attempts counts the attempts of all trials.
func (s *testSweep) attempts() int {
	snapshot, _ := s.snapshot()
	n := 0
	for _, l := range snapshot.Ladders {
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				n += len(t.Attempts)
			}
		}
	}
	return n
}

// running is a started command.
type running struct {
	*exec.Cmd
	said  bytes.Buffer  // stderr
	ended chan struct{} // closed at its end
}

func (s *testSweep) start(cmd *exec.Cmd) *running {
	s.t.Helper()
	r := &running{Cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &r.said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // ProcessState says it
		close(r.ended)
	}()
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return r
}

// wait returns the exit code, -1 where a signal ended the process.
func (r *running) wait() int {
	<-r.ended
	return r.ProcessState.ExitCode()
}

// workers calls f with the process id of every living worker of the sweep.
func (s *testSweep) workers(f func(pid int)) {
	pids, err := filepath.Glob(filepath.Join(s.rootDir(), "trials", "*", "*", trial.PIDFile))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range pids {
		text, err := os.ReadFile(path)
		alive, aliveErr := trial.WorkerAlive(filepath.Dir(path))
		if err != nil || aliveErr != nil || !alive {
			continue
		}
		if pid, err := strconv.Atoi(string(text)); err == nil {
			f(pid)
		}
	}
}

func (s *testSweep) livingWorkers() (n int) {
	s.workers(func(int) { n++ })
	return n
}

// killWorkers kills every living worker and says how many there were.
func (s *testSweep) killWorkers() (killed int) {
	s.workers(func(pid int) {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	})
	return killed
}

// finish runs the sweep to its end.
func (s *testSweep) finish() {
	s.t.Helper()
	if out, err := s.tryFinish(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
}

// tryFinish runs the sweep to its end and returns what it said.
func (s *testSweep) tryFinish() ([]byte, error) {
	s.started = s.started || s.registered()
	return s.complete()
}

// complete is tryFinish by the command that is next.
func (s *testSweep) complete() ([]byte, error) {
	cmd := s.command()
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%v: %w", cmd.Args, err)
	}
	return out, err
}

// report returns the final JSON report without what may differ: times and measured memory.
func (s *testSweep) report() string {
	s.t.Helper()
	cmd := s.sweep("report", "test", "-o", "json")
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%v: %v", cmd.Args, err)
	}
	var tree any
	if err := json.Unmarshal(out, &tree); err != nil {
		s.t.Fatal(err)
	}
	stripMeasured(tree)
	body, err := json.MarshalIndent(tree, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(body), `"val_loss"`) {
		s.t.Fatalf("a report without a loss proves nothing:\n%s", body)
	}
	return string(body)
}

// stripMeasured removes times and memory. Sentences that carry them go with them.
func stripMeasured(tree any) {
	switch node := tree.(type) {
	case map[string]any:
		for key, value := range node {
			if strings.Contains(key, "bytes") || strings.Contains(key, "seconds") {
				delete(node, key)
				continue
			}
			stripMeasured(value)
		}
	case []any:
		for _, value := range node {
			stripMeasured(value)
		}
	}
}
