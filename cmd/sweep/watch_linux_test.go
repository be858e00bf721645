package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// watching starts the real program on a terminal of its own.
func watching(t *testing.T, columns uint16, root string, env ...string) (*terminal, *exec.Cmd) {
	t.Helper()
	s := openTerminal(t, columns)
	cmd := exec.CommandContext(t.Context(), sweepBinary(t), "watch", "--root", root)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.program, s.program, s.program
	cmd.Env = append(os.Environ(), append([]string{"TERM=xterm-256color", "COLORTERM="}, env...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return s, cmd
}

func (s *terminal) press(keys string) {
	s.t.Helper()
	if _, err := s.person.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the program and wants exit code 0.
func ends(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("watch: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("watch did not end")
	}
}

// TestWatchOnTerminals runs the program on terminals of several widths, presses keys, and leaves with q.
func TestWatchOnTerminals(t *testing.T) {
	t.Parallel()
	root, _, failed := hostileRoot(t)
	for _, columns := range []uint16{40, 80, 120} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			s, cmd := watching(t, columns, root)
			for _, want := range []string{"sweep prose: interrupted", "── trials ─", "rank 1 seed 0", "●", "memory 100 MiB", "── log ─", "q quit"} {
				s.seen(0, want)
			}
			from := len(s.screen.String())
			s.press("\t\t")
			s.press("\x1b[A\x1b[A\x1b[A")
			s.seen(from, `clears \u001b[2J the`)
			from = len(s.screen.String())
			s.press("\x1b[B\x1b[B\x1b[B\x1b[B")
			s.seen(from, "▸")
			s.press("q")
			ends(t, cmd)
			s.seen(0, "\x1b[?1049l")
			if columns > 40 && !strings.Contains(s.screen.String(), string(failed.ID)) {
				t.Errorf("the chosen trial's id %s was never shown", failed.ID)
			}
		})
	}
}

// TestWatchFollowsTheWriter: what a coordinator writes while the screen is open is on it within moments, without a lock.
func TestWatchFollowsTheWriter(t *testing.T) {
	t.Parallel()
	root, _, _ := midwayRoot(t)
	s, cmd := watching(t, 80, root)
	s.seen(0, "rank 1 seed 0")
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	next := sweeptest.Registration([]float64{16}, []int{1, 2}, []int64{0, 1}).Ladders[0].Rungs[1].Trials[1].Trial
	recordSteps(t, db, next.Trial(), 2, trial.Outcome{State: trial.OutcomeInterrupted, Error: "asked to stop", Step: 2})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.seen(0, "rank 2 seed 1")
	s.press("q")
	ends(t, cmd)
}

// TestWatchWithoutColors: NO_COLOR leaves bold and faint, and no colour.
func TestWatchWithoutColors(t *testing.T) {
	t.Parallel()
	root, _, _ := midwayRoot(t)
	colored := regexp.MustCompile(`\x1b\[[0-9;]*[34][0-7](;|m)`)
	for env, want := range map[string]bool{"NO_COLOR=1": false, "LANG=C.UTF-8": true} {
		s, cmd := watching(t, 80, root, env)
		s.seen(0, "●")
		s.seen(0, "q quit")
		s.press("q")
		ends(t, cmd)
		if got := colored.FindString(s.screen.String()); (got != "") != want {
			t.Errorf("with %s the screen had the colour %q", env, got)
		}
	}
}

// TestWatchNeedsATerminal: elsewhere watch refuses and says what to use.
func TestWatchNeedsATerminal(t *testing.T) {
	t.Parallel()
	root, _, _ := midwayRoot(t)
	code, stdout, stderr := sweepCommand(t, "watch", "--root", root)
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "needs a terminal") || !strings.Contains(stderr, "sweep status") {
		t.Errorf("watch into a file = %d, %q, %q", code, stdout, stderr)
	}
	if code, _, stderr := sweepCommand(t, "watch", "--root", root, "-o", "json"); code != exitUsage || !strings.Contains(stderr, "-o") {
		t.Errorf("watch -o json = %d, %q", code, stderr)
	}
}

// watchOf reads a root's sweep as the screen does.
func watchOf(t *testing.T, root, name string) watchModel {
	t.Helper()
	db, err := store.OpenReadOnly(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	info, err := db.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	r := &watchReader{
		db: db, root: root, workers: &local.Executor{Root: root}, snapshot: sweep.Snapshot{Sweep: info}, rates: rates{},
	}
	return watchModel{ctx: t.Context(), read: r.read, ladder: noLadder, resume: "sweep resume " + name}
}

// drawn lets the model take in messages, and what the first of them asked for.
func drawn(m watchModel, messages ...tea.Msg) watchModel {
	var model tea.Model = m
	for _, msg := range messages {
		next, cmd := model.Update(msg)
		model = next
		if _, key := msg.(tea.KeyPressMsg); key && cmd != nil {
			model, _ = model.Update(cmd())
		}
	}
	return model.(watchModel) //nolint:forcetypeassert // Update returns no other
}

// TestWatchFitsEverySize: in each view the screen has as many lines as rows, and none is wider than the terminal.
func TestWatchFitsEverySize(t *testing.T) {
	t.Parallel()
	root, _, _ := hostileRoot(t)
	m := watchOf(t, root, "prose")
	m = drawn(m, m.load(true)())
	if m.data.err != nil {
		t.Fatal(m.data.err)
	}
	for width := 1; width <= 160; width += 3 {
		for _, height := range []int{1, 2, 5, 12, 24, 60} {
			m := drawn(m, tea.WindowSizeMsg{Width: width, Height: height})
			for range views {
				m = drawn(m, tea.KeyPressMsg{Code: tea.KeyTab})
				lines := m.lines()
				if len(lines) != height {
					t.Fatalf("%d lines of %dx%d", len(lines), width, height)
				}
				for _, line := range lines {
					if n := ansi.StringWidth(line); n > width || strings.ContainsAny(ansi.Strip(line), "\n\r\x1b") {
						t.Fatalf("%d columns of %dx%d: %q", n, width, height, line)
					}
				}
			}
		}
	}
}

// TestWatchShows: the screen at 80x24, of a sweep that was interrupted, with another trial after the down key.
func TestWatchShows(t *testing.T) {
	t.Parallel()
	root, _, _ := hostileRoot(t)
	m := watchOf(t, root, "prose")
	m = drawn(m, tea.WindowSizeMsg{Width: 80, Height: 24}, m.load(true)())
	golden(t, "watch-80.txt", plainScreen(m))
	m = drawn(m, tea.WindowSizeMsg{Width: 40, Height: 24}, tea.KeyPressMsg{Code: tea.KeyDown})
	golden(t, "watch-40.txt", plainScreen(m))
}

func plainScreen(m watchModel) string {
	var b strings.Builder
	for _, line := range m.lines() {
		b.WriteString(strings.TrimRight(ansi.Strip(line), " ") + "\n")
	}
	return b.String()
}

// TestWatchOfARunningSweep: a trial that trains has its step, loss and speed on the screen, and one that compiles says so.
func TestWatchOfARunningSweep(t *testing.T) {
	t.Parallel()
	root, _, open := midwayRoot(t)
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := db.Find(t.Context(), "prose")
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.StartSession(t.Context(), info.ID, sweep.NewClock().Now(), sweep.Coordinator{Host: host, PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	at := time.Now().UTC()
	begin := func(tr trial.Trial, number int, events ...trial.Event) trial.AttemptID {
		id := trial.NewAttemptID(tr.ID, number)
		if err := db.BeginAttempt(t.Context(), tr.ID, number, trial.Assignment{Attempt: id, Trial: tr, Sweep: "prose"}, at); err != nil {
			t.Fatal(err)
		}
		for i := range events {
			events[i].Seq, events[i].At = int64(i+1), at.Add(time.Duration(events[i].Step)*time.Second)
		}
		if err := db.AppendEvents(t.Context(), id, events); err != nil {
			t.Fatal(err)
		}
		return id
	}
	started := trial.Event{Kind: trial.EventStarted, Environment: &trial.Environment{PID: 7, Host: host, Platform: "xla:cpu"}}
	point := func(step int) trial.Event {
		return trial.Event{Kind: trial.EventPoint, Step: step, Point: &trial.Point{Tokens: int64(504 * step), TrainLoss: 4.7, LearningRate: 1e-3}}
	}
	id := begin(open, 2, started, point(2))
	begin(sweeptest.Registration([]float64{16}, []int{1, 2}, []int64{0, 1}).Ladders[0].Rungs[1].Trials[0].Trial.Trial(), 1, started)
	m := watchOf(t, root, "prose")
	m = drawn(m, tea.WindowSizeMsg{Width: 120, Height: 24}, m.load(true)())
	next := point(3)
	next.Seq, next.At = 3, at.Add(3*time.Second)
	if err := db.AppendEvents(t.Context(), id, []trial.Event{next}); err != nil {
		t.Fatal(err)
	}
	screen := plainScreen(drawn(m, m.load(true)()))
	for _, want := range []string{
		"sweep prose: running", "[1] 2", "rank 1 seed 1", "step 3/4  loss 4.7000", "504 tok/s", "1s left", "rank 2 seed 0 (ahead)", "compiling",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen lacks %q:\n%s", want, screen)
		}
	}
}
