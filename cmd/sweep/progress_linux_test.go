package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// terminal is a pseudo-terminal: what a program writes to it is on the screen.
type terminal struct {
	t       *testing.T
	person  *os.File
	program *os.File
	screen  syncBuffer
}

func openTerminal(t *testing.T, columns uint16) *terminal {
	t.Helper()
	person, program, err := pty.Open()
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminal here: %v", err)
	}
	s := &terminal{t: t, person: person, program: program}
	t.Cleanup(func() { person.Close(); program.Close() }) //nolint:errcheck // nothing is lost
	s.resize(columns)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b)
			if _, werr := s.screen.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	return s
}

func (s *terminal) resize(columns uint16) {
	s.t.Helper()
	if err := pty.Setsize(s.person, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		s.t.Fatal(err)
	}
}

// seen waits until the screen showed want after its first so many bytes.
func (s *terminal) seen(from int, want string) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !strings.Contains(s.screen.String()[from:], want) {
		if time.Now().After(deadline) {
			screen := s.screen.String()
			s.t.Fatalf("the terminal never showed %q, but at last:\n%q", want, screen[max(0, len(screen)-1500):])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// within fails for every line wider than the terminal, but for commands, which stand whole.
func within(t *testing.T, columns int, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		text := strings.Trim(ansi.Strip(line), "\r\n")
		if n := ansi.StringWidth(text); n > columns && !strings.HasPrefix(text, "sweep ") {
			t.Errorf("line of %d columns on a terminal of %d: %q", n, columns, line)
		}
	}
}

// TestProgressOnTerminals: a line per running trial, the ladder and what is left fit every width, and what others wrote is printable.
func TestProgressOnTerminals(t *testing.T) {
	t.Parallel()
	for columns, want := range map[int][]string{
		40:  {"rank 1 seed 0  10/100  4.9000", "compiling", "rank 2 seed 0 (ahead)  5/100", "[1] 2 …", "killed\\u001b[2J"},
		80:  {"step 10/100  loss 4.9000", "  1 GiB", "compiling", "rank 2 seed 0 (ahead)", "[1] 2 …  0 of at most 6 trials"},
		120: {"step 10/100  loss 4.9000  val 4.8000  ", "  1 GiB", "epoch 0.25/2.50", "(ahead)", "[1] 2 …  0 of at most 6 trials", "~2 GiB"},
	} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			s := openTerminal(t, uint16(columns))
			p := (&app{stderr: s.program, logTo: &switchWriter{w: s.program}}).newProgress()
			if p.bars == nil {
				t.Fatal("a terminal got no bars")
			}
			play := newPlay()
			play.start(0, 0).Memory = trial.Memory{PeakHostBytes: new(int64(1 << 30))}
			play.step(0, 10, 4.9, 4.8)
			compiling := play.start(0, 1)
			compiling.Compiled, compiling.Up = false, true
			ahead := play.start(1, 0)
			ahead.Ahead, ahead.Predicted = true, 2<<30
			play.step(2, 5, 5.1, 0)
			p.show(play.progress())
			for _, text := range want[:len(want)-1] {
				s.seen(0, text)
			}
			play.end(1, trial.Outcome{State: trial.OutcomeCrashed, Step: 40, Error: "the worker ended without a word, killed\x1b[2J by itself"})
			p.show(play.progress())
			p.stop()
			p.logger().Warn("after the bars")
			s.seen(0, "after the bars")
			s.seen(0, want[len(want)-1])
			within(t, columns, s.screen.String())
		})
	}
}

// TestProgressOnNarrowingTerminal: lines follow the terminal as it becomes narrow.
func TestProgressOnNarrowingTerminal(t *testing.T) {
	t.Parallel()
	s := openTerminal(t, 80)
	p := (&app{stderr: s.program, logTo: &switchWriter{w: s.program}}).newProgress()
	play := newPlay()
	play.start(0, 0)
	play.step(0, 10, 4.9, 4.8)
	p.show(play.progress())
	s.seen(0, "step 10/100  loss 4.9000")
	s.resize(40)
	play.step(0, 20, 4.7, 4.6)
	p.show(play.progress())
	s.seen(0, "20/100")
	narrow := len(s.screen.String())
	play.step(0, 30, 4.6, 4.5)
	p.show(play.progress())
	s.seen(narrow, "30/100")
	play.end(0, done(4.5))
	p.show(play.progress())
	p.stop()
	s.seen(narrow, "rank 1 seed 0 finished")
	within(t, 40, s.screen.String()[narrow:])
}
