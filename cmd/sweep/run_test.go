package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// until polls until done, far longer than a healthy machine needs.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (s *testSweep) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// edit replaces text in the grid file.
func (s *testSweep) edit(old, replacement string) {
	s.t.Helper()
	grid, err := os.ReadFile(s.path("grid.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(grid), old) {
		s.t.Fatalf("the grid holds no %q", old)
	}
	s.write("grid.yaml", strings.ReplaceAll(string(grid), old, replacement))
}

func TestFinishedSweepIsNotTrainedAgain(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 10)
	s.finish()
	want, attempts := s.report(), s.attempts()
	out, err := s.command().Output()
	if err != nil || !strings.Contains(string(out), "rank") {
		t.Errorf("run of a finished sweep = %v:\n%s", err, out)
	}
	if got := s.attempts(); got != attempts || got == 0 {
		t.Errorf("%d attempts after running a finished sweep again, had %d", got, attempts)
	}

	// Another grid under its name is refused, and says what differs; comments and formatting are no difference.
	s.edit("eval_steps: 5", "eval_steps: 2")
	changed := s.start(s.sweep("run", s.path("grid.yaml"), "--backend", "go"))
	if code := changed.wait(); code != exitUsage || !strings.Contains(changed.said.String(), "train.eval_steps was 5, is now 2") {
		t.Errorf("run of a changed grid: exit %d, said %s", code, changed.said.String())
	}
	s.edit("eval_steps: 2}", "eval_steps:  5}   # as before")
	if out, err := s.sweep("run", s.path("grid.yaml"), "--backend", "go").CombinedOutput(); err != nil {
		t.Errorf("run of the grid with a comment more: %v\n%s", err, out)
	}

	// A lost database costs nothing: the attempts' folders hold every fact.
	for _, name := range []string{"sweep.db", "sweep.db-wal", "sweep.db-shm"} {
		if err := os.Remove(s.path("runs", name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	s.started = false
	anew := s.start(s.command())
	if code := anew.wait(); code != exitOK || !strings.Contains(anew.said.String(), "a new one was made of its trials' folders") {
		t.Errorf("run without its database: exit %d, said %s, want a warning", code, anew.said.String())
	}
	if got := s.attempts(); got != attempts {
		t.Errorf("%d attempts after the database was lost, had %d", got, attempts)
	}
	if diff := cmp.Diff(want, s.report()); diff != "" {
		t.Errorf("report after the database was lost (-before +after):\n%s", diff)
	}
}

func TestInterruptedSweepResumes(t *testing.T) {
	t.Parallel()
	whole, s := newTestSweep(t, backend.PlatformGo, 60), newTestSweep(t, backend.PlatformGo, 60)
	cmd := s.start(s.command())
	until(t, "the first steps", s.trains)

	// While it runs it is the only coordinator.
	second := s.start(s.sweep("resume", "test", "--backend", "go"))
	holder := fmt.Sprintf(`sweep test is worked on by "sweep run %s" (process %d)`, s.path("grid.yaml"), cmd.Process.Pid)
	if code := second.wait(); code != exitLocked || !strings.Contains(second.said.String(), holder) {
		t.Errorf("a second coordinator ended with %d, want %d and %s: %s", code, exitLocked, holder, second.said.String())
	}

	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := cmd.wait(); code != exitInterrupted || !strings.Contains(cmd.said.String(), "sweep resume test") {
		t.Errorf("interrupted run: exit %d, said %s", code, cmd.said.String())
	}
	snapshot, _ := s.snapshot()
	last := snapshot.Ladders[0].Rungs[0].Trials[0].Attempts[0]
	if last.Outcome == nil || last.Outcome.State != trial.OutcomeInterrupted || last.CheckpointStep != last.Outcome.Step {
		t.Errorf("the first attempt after the interruption: %+v", last)
	}
	s.finish()
	whole.finish()
	if diff := cmp.Diff(whole.report(), s.report()); diff != "" {
		t.Errorf("report (-uninterrupted +interrupted):\n%s", diff)
	}
}

func TestSecondInterruptKills(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 100_000)
	cmd := s.start(s.command())
	until(t, "a worker", func() bool { return s.attempts() > 0 })
	for range 2 {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // two signals of one kind at one moment are one
	}
	if code := cmd.wait(); code != exitInterrupted {
		t.Errorf("exit %d, want %d: %s", code, exitInterrupted, cmd.said.String())
	}
	if n := s.livingWorkers(); n != 0 {
		t.Errorf("%d workers live on", n)
	}
}

func TestWorkersOutliveTheirCoordinator(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 60)
	cmd := s.start(s.command())
	until(t, "both workers", func() bool { return s.livingWorkers() == 2 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	until(t, "the orphans' last words", func() bool { return s.livingWorkers() == 0 })
	before := s.attempts()
	s.finish()
	snapshot, _ := s.snapshot()
	for _, tr := range snapshot.Ladders[0].Rungs[0].Trials {
		if len(tr.Attempts) != 1 || tr.Attempts[0].Outcome.State != trial.OutcomeDone {
			t.Errorf("trial %s of the killed coordinator was not adopted: %+v", tr.Trial.ID, tr.Attempts)
		}
	}
	if before != 2 {
		t.Errorf("%d attempts before the resume, want the 2 of the first rung", before)
	}
}

// TestMovedProjectResumes: grid, data and root may move together between an interruption and its resumption.
func TestMovedProjectResumes(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 60)
	cmd := s.start(s.command())
	until(t, "the first steps", s.trains)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	before := s.attempts()
	moved := s.dir + "-moved"
	if err := os.Rename(s.dir, moved); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(moved) })
	s.dir = moved
	if out, err := s.sweep("run", s.path("grid.yaml"), "--backend", "go").CombinedOutput(); err != nil {
		t.Fatalf("run of the moved grid: %v\n%s", err, out)
	}
	snapshot, _ := s.snapshot()
	first := snapshot.Ladders[0].Rungs[0].Trials[0]
	if s.attempts() <= before {
		t.Errorf("the moved sweep did not go on: %+v", first.Attempts)
	}
	if o := first.Final(); o == nil || o.State != trial.OutcomeDone {
		t.Errorf("the interrupted trial ended as %+v", o)
	}
}

// TestKillBeforeTheCorpusIsRead kills the coordinator while it still reads its data.
func TestKillBeforeTheCorpusIsRead(t *testing.T) {
	t.Parallel()
	for rows := 50_000; ; rows *= 2 {
		s := newTestSweep(t, backend.PlatformGo, 3)
		writeRows(t, s.path("train.jsonl"), rows, 3)
		cmd := s.start(s.command())
		until(t, "the sweep's row", s.registered)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.wait()
		if snapshot, _ := s.snapshot(); len(snapshot.Ladders) > 0 {
			if rows > 1_000_000 {
				t.Fatal("the corpus is read faster than a process is killed")
			}
			continue // read already: try again with more to read
		}
		s.finish()
		if !strings.Contains(s.report(), `"recommended_rank"`) {
			t.Error("the resumed sweep has no verdict")
		}
		return
	}
}

// TestBadInput: one clear error with the place and the fix, the right exit code, and nothing half-written.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(s *testSweep)
		code  int
		want  []string // parts of the message
	}{
		"no such model": {func(s *testSweep) { s.edit("tiny-gpt2", "tiny-gtp2") }, exitUsage, []string{"tiny-gtp2"}},
		"no such data":  {func(s *testSweep) { s.edit("train: train.jsonl", "train: trian.jsonl") }, exitUsage, []string{"trian.jsonl"}},
		"rank above the widest target": {
			func(s *testSweep) { s.edit("[1, 2, 4]", "[1, 2, 400]") }, exitUsage,
			[]string{"grid.yaml:5:", "400"},
		},
		"target_modules match nothing": {
			func(s *testSweep) { s.edit("c_attn, c_proj", "q_proj") }, exitUsage,
			[]string{"q_proj", "c_attn", "c_fc"},
		},
		"sequence longer than the model": {
			func(s *testSweep) { s.edit("sequence_length: 16", "sequence_length: 4096") }, exitUsage,
			[]string{"grid.yaml:4:", "128"},
		},
		"empty corpus": {func(s *testSweep) { s.write("train.jsonl", "") }, exitUsage, []string{"train", "empty"}},
		"malformed row": {
			func(s *testSweep) { s.write("train.jsonl", "{\"input_ids\": [1,2,3]}\n{\"input_ids\": [1,\n") }, exitUsage,
			[]string{"train.jsonl:2"},
		},
		"no supervision": {
			func(s *testSweep) { s.write("validation.jsonl", `{"input_ids": [1,2,3], "labels": [-100,-100,-100]}`) }, exitUsage,
			[]string{"validation"},
		},
		"id beyond the vocabulary": {
			func(s *testSweep) { s.write("train.jsonl", `{"input_ids": [1,2,512]}`) }, exitUsage,
			[]string{"train.jsonl:1", "512"},
		},
		"truncated weights": {truncateModel, exitUsage, []string{"model.safetensors"}},
		"hub model offline": {
			func(s *testSweep) { s.edit("model: ", "model: nobody/nothing # ") }, exitError,
			[]string{"nobody/nothing", "HF_HUB_OFFLINE"},
		},
		"no jobs":        {func(s *testSweep) { s.jobs = "0" }, exitUsage, []string{"--jobs 0"}},
		"root is a file": {func(s *testSweep) { s.write("runs", "") }, exitError, []string{"runs", "--root"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, backend.PlatformGo, 3)
			test.spoil(s)
			cmd := s.sweep("run", s.path("grid.yaml"), "--backend", "go", "--jobs", s.jobs)
			cmd.Env = append(cmd.Env, "HF_HUB_OFFLINE=1", "HF_HOME="+s.path("hf"))
			var out bytes.Buffer
			cmd.Stdout = &out
			r := s.start(cmd)
			code, said := r.wait(), r.said.String()
			if code != test.code || out.Len() > 0 {
				t.Errorf("exit %d with %d bytes of result, want %d and none", code, out.Len(), test.code)
			}
			for _, part := range test.want {
				if !strings.Contains(said, part) {
					t.Errorf("the message lacks %q", part)
				}
			}
			if strings.Contains(said, "goroutine") {
				t.Error("the message is a stack trace")
			}
			if s.registered() {
				t.Error("a sweep that cannot start stays behind")
			}
			t.Log(strings.TrimSpace(said))
		})
	}
}

// truncateModel gives the grid a copy of its model whose weights end early.
func truncateModel(s *testSweep) {
	from := filepath.Join("..", "..", "trainer", "model", "testdata", "tiny-gpt2")
	if err := os.CopyFS(s.path("model"), os.DirFS(from)); err != nil {
		s.t.Fatal(err)
	}
	path := s.path("model", "model.safetensors")
	info, err := os.Stat(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-1000); err != nil {
		s.t.Fatal(err)
	}
	s.edit("model: ", fmt.Sprintf("model: %s # ", s.path("model")))
}

// A database of an older release is brought up to date by resume, as every other command says that it would be.
func TestResumeMigrates(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	old, err := os.ReadFile(filepath.Join("..", "..", "store", "testdata", "v1.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "sweep.db"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	resume := trial.Command(root, "resume")
	if code, _, stderr := sweepCommand(t, "list", "--root", root); code != exitError || !strings.Contains(stderr, resume) {
		t.Fatalf("list of an old database: exit %d, %s", code, stderr)
	}
	if code, _, stderr := sweepCommand(t, "resume", "nothing", "--root", root); code != exitNotFound || strings.Contains(stderr, "schema") {
		t.Errorf("resume of a sweep that an old database does not have: exit %d, %s", code, stderr)
	}
	if code, _, stderr := sweepCommand(t, "list", "--root", root); code != exitOK {
		t.Errorf("list after resume: exit %d, %s", code, stderr)
	}
}
