package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// wantKills is how many times a crash test kills at least.
const wantKills = 20

// crashGrid trains nine short trials: long enough to be killed at every stage, short enough for a test.
const crashGrid = `
name: crash
model: %s
data: {train: train.jsonl, validation: validation.jsonl, sequence_length: 16}
lora: {rank: [1, 2, 4], alpha: 8, dropout: 0.1, target_modules: [c_attn, c_proj]}
train: {steps: %d, batch_size: 2, learning_rate: 2e-2, eval_steps: 5}
seeds: [0, 1]
plateau: {patience: 3}
`

func TestCrashesLoseNothingPureGo(t *testing.T) {
	t.Parallel()
	exerciseCrashes(t, backend.PlatformGo, 60)
}

func TestCrashesLoseNothingXLA(t *testing.T) {
	t.Parallel()
	if _, err := backend.Resolve(t.Context(), backend.PlatformCPU); err != nil {
		t.Skipf("SKIPPED, the XLA CPU plug-in is missing: %v", err)
	}
	exerciseCrashes(t, backend.PlatformCPU, 400)
}

// exerciseCrashes kills coordinators and workers at random moments, resumes each time, and compares the final report with
// an uninterrupted run's: every loss and every verdict to the last bit.
func exerciseCrashes(t *testing.T, platform string, steps int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("random moments from seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // moments, not secrets
	began := time.Now()
	whole := newCrashSweep(t, platform, steps)
	whole.finish()
	want, took := whole.report(), time.Since(began)
	kills, sweeps := 0, 0
	for ; kills < wantKills; sweeps++ {
		s := newCrashSweep(t, platform, steps)
		for kills < wantKills && s.killAt(random, took) {
			kills++
		}
		s.finish()
		if diff := cmp.Diff(want, s.report()); diff != "" {
			t.Fatalf("after a crash the report is another (-uninterrupted +crashed):\n%s", diff)
		}
	}
	t.Logf("%d kills over %d sweeps", kills, sweeps)
}

// crashSweep is one sweep in a root of its own.
type crashSweep struct {
	t        *testing.T
	platform string
	dir      string
	started  bool
}

func newCrashSweep(t *testing.T, platform string, steps int) *crashSweep {
	t.Helper()
	s := &crashSweep{t: t, platform: platform, dir: t.TempDir()}
	model, err := filepath.Abs(filepath.Join("..", "..", "trainer", "model", "testdata", "tiny-gpt2"))
	if err != nil {
		t.Fatal(err)
	}
	writeRows(t, filepath.Join(s.dir, "train.jsonl"), 40, 1)
	writeRows(t, filepath.Join(s.dir, "validation.jsonl"), 8, 2)
	if err := os.WriteFile(s.path("grid.yaml"), fmt.Appendf(nil, crashGrid, model, steps), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.killWorkers)
	return s
}

// writeRows writes pre-tokenised rows of 16 ids with a learnable pattern.
func writeRows(t *testing.T, path string, rows int, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // data, not secrets
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

func (s *crashSweep) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// command is `sweep run` at first, `sweep resume` from then on.
func (s *crashSweep) command() *exec.Cmd {
	args := []string{"run", s.path("grid.yaml")}
	if s.started {
		args = []string{"resume", "crash"}
	}
	return s.sweep(append(args, "--backend", s.platform, "--jobs", "2")...)
}

func (s *crashSweep) sweep(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), sweepBinary(s.t), append(args, "--root", s.path("runs"))...)
	cmd.Env = append(os.Environ(), "GOMLX_NO_AUTO_INSTALL=1")
	return cmd
}

// registered reports whether resume can find the sweep.
func (s *crashSweep) registered() bool {
	db, err := store.OpenReadOnly(context.Background(), s.path("runs", "sweep.db"))
	if err != nil {
		return false
	}
	defer db.Close() //nolint:errcheck // read only
	_, err = db.Find(context.Background(), "crash")
	return err == nil
}

// killAt lets the sweep run for a random while, then kills its coordinator, its workers, or both. It reports false when the
// sweep was done before.
func (s *crashSweep) killAt(random *rand.Rand, took time.Duration) bool {
	s.t.Helper()
	s.started = s.started || s.registered()
	cmd := s.command()
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	victim := random.IntN(3)
	select {
	case err := <-ended:
		if err != nil {
			s.t.Fatalf("%v ended with %v:\n%s", cmd.Args, err, said.String())
		}
		return false
	case <-time.After(time.Duration(random.Float64() * float64(took) / 4)):
	}
	if victim > 0 {
		s.killWorkers()
	}
	if victim < 2 {
		if err := cmd.Process.Kill(); err != nil {
			s.t.Log(err)
		}
		<-ended
		return true
	}
	// Only workers died: the coordinator starts them again. It is stopped as a person would, or found done.
	time.Sleep(time.Duration(random.Float64() * float64(took) / 8))
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil && cmd.ProcessState.ExitCode() != exitInterrupted {
		s.t.Fatalf("%v ended with %v:\n%s", cmd.Args, err, said.String())
	}
	return true
}

// killWorkers kills every living worker of the sweep by its process id.
func (s *crashSweep) killWorkers() {
	pids, err := filepath.Glob(s.path("runs", "trials", "*", "*", sweep.PIDFile))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range pids {
		text, err := os.ReadFile(path)
		alive, aliveErr := sweep.WorkerAlive(filepath.Dir(path))
		if err != nil || aliveErr != nil || !alive {
			continue
		}
		if pid, err := strconv.Atoi(string(text)); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// finish runs the sweep to its end.
func (s *crashSweep) finish() {
	s.t.Helper()
	s.started = s.started || s.registered()
	cmd := s.command()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// report returns the final JSON report without what may differ: times and measured memory.
func (s *crashSweep) report() string {
	s.t.Helper()
	cmd := s.sweep("report", "crash", "-o", "json")
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
