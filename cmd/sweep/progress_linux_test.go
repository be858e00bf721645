package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a pseudo-terminal of so many columns.
func openTerminal(t *testing.T, columns uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { person.Close() }) //nolint:errcheck // nothing is lost
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetUint32(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() }) //nolint:errcheck // nothing is lost
	resize(t, person, columns)
	return person, program
}

func resize(t *testing.T, person *os.File, columns uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
}

// TestProgressOnTerminal shows bars on a real terminal, which becomes narrow on the way.
func TestProgressOnTerminal(t *testing.T) {
	t.Parallel()
	person, program := openTerminal(t, 80)
	var screen syncBuffer
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b)
			if _, werr := screen.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	seen := func(from int, want string) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for !strings.Contains(screen.String()[from:], want) {
			if time.Now().After(deadline) {
				t.Fatalf("the terminal never showed %q:\n%s", want, screen.String())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	p := (&app{stderr: program}).newProgress()
	if p.bars == nil {
		t.Fatal("a terminal got no bars")
	}
	play := newPlay()
	play.start(0, 0)
	play.step(0, 10, 4.9, 4.8)
	p.show(play.progress())
	seen(0, "step 10/100  train_loss 4.9000")
	resize(t, person, 40)
	play.step(0, 20, 4.7, 4.6)
	p.show(play.progress())
	seen(0, "step 20/100")
	narrow := len(screen.String())
	play.step(0, 30, 4.6, 4.5)
	play.start(0, 1)
	p.show(play.progress())
	seen(narrow, "step 30/100")
	play.end(0, done(4.5))
	p.show(play.progress())
	p.stop()
	p.logger().Warn("after the bars")
	seen(narrow, "rank 1 seed 0 finished")
	seen(narrow, "after the bars")
	for line := range strings.Lines(screen.String()[narrow:]) {
		line = strings.TrimRight(stripEscapes(line), "\r\n")
		if isBar := strings.Contains(line, "━") || strings.Contains(line, "─"); isBar && len([]rune(line)) > 40 {
			t.Errorf("bar of %d columns on a terminal of 40: %q", len([]rune(line)), line)
		}
	}
}
