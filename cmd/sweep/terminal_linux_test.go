package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// hostileRoot is a midway root, whose rank 2 failed with an error that would clear the screen, as what its worker wrote does.
func hostileRoot(t *testing.T) (root string, done, failed trial.Trial) {
	t.Helper()
	root, done, _ = midwayRoot(t)
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	failed = sweeptest.Registration([]float64{16}, []int{1, 2}, []int64{0, 1}).Ladders[0].Rungs[1].Trials[0].Trial.Trial()
	recordSteps(t, db, failed, 2, trial.Outcome{State: trial.OutcomeFailed, Error: "no such \x1b[2Jtensor", Step: 2})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	folder := trial.NewAttemptID(failed.ID, 1).Dir(root)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, trial.StderrFile), []byte("clears \x1b[2J the screen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root, done, failed
}

// onTerminal runs a command whose output goes to a terminal, and returns what the terminal got.
func onTerminal(t *testing.T, columns uint16, args ...string) string {
	t.Helper()
	s := openTerminal(t, columns)
	if code := run(t.Context(), args, nil, s.program, s.program); code != exitOK {
		t.Errorf("%v = %d", args, code)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := fmt.Fprint(s.program, "the end"); err != nil {
			t.Fatal(err)
		}
		if text, _, ended := strings.Cut(s.screen.String(), "the end"); ended {
			return text
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v never ended", args)
		}
	}
}

// TestTablesOnTerminals: tables lose columns in a fixed order where they would be wider than the terminal, and keep what names a row.
func TestTablesOnTerminals(t *testing.T) {
	t.Parallel()
	root, done, failed := hostileRoot(t)
	for _, test := range []struct {
		columns    uint16
		args       []string
		want, lack []string
	}{
		{120, []string{"status"}, []string{"train_loss", "memory", "attempts", string(done.ID)}, nil},
		{80, []string{"status"}, []string{"val_loss", "step", string(done.ID), "train_loss"}, []string{"attempts", "memory"}},
		{40, []string{"status"}, []string{"rank", "seed", "state", "interr", string(done.ID[:6])}, []string{"val_loss", "memory", "attempts"}},
		{120, []string{"list"}, []string{"created", "unneeded", "verdicts"}, nil},
		{80, []string{"list"}, []string{"prose", "verdicts", "failed"}, []string{"created", "unneeded"}},
		{40, []string{"list"}, []string{"prose", "verdicts"}, []string{"created", "unneeded"}},
		{120, []string{"report"}, []string{"memory", "params", "tokens"}, nil},
		{80, []string{"report"}, []string{"memory", "decision"}, nil},
		{40, []string{"report"}, []string{"rank  decision", "time"}, []string{"time  tokens"}},
		{120, []string{"show", string(done.ID)}, []string{"train_loss 4.8750 █▆▃▁ 4.5000", "val_loss   5.0000 █▅▁ 4.5000"}, nil},
		{40, []string{"show", string(done.ID)}, []string{"train_loss 4.8750 █▆▃▁ 4.5000"}, nil},
		{80, []string{"show", string(failed.ID)}, []string{`no such \u001b[2Jtensor`}, nil},
		{80, []string{"logs", string(failed.ID)}, []string{`clears \u001b[2J the screen`}, nil},
		{80, []string{"logs", "-f", string(failed.ID)}, []string{`clears \u001b[2J the screen`}, nil},
	} {
		t.Run(fmt.Sprint(test.columns, test.args[0]), func(t *testing.T) {
			t.Parallel()
			got := onTerminal(t, test.columns, append(test.args, "--root", root)...)
			within(t, int(test.columns), got)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%v lacks %q:\n%s", test.args, want, got)
				}
			}
			for _, lack := range append(test.lack, "\x1b[2J") {
				if strings.Contains(got, lack) {
					t.Errorf("%v has %q:\n%s", test.args, lack, got)
				}
			}
		})
	}
}

// TestTerminalChangesNoJSON: JSON has every field at any width.
func TestTerminalChangesNoJSON(t *testing.T) {
	t.Parallel()
	root, _, _ := hostileRoot(t)
	for _, command := range []string{"list", "status", "report"} {
		_, want, _ := sweepCommand(t, command, "--root", root, "-o", "json")
		got := strings.ReplaceAll(onTerminal(t, 40, command, "--root", root, "-o", "json"), "\r\n", "\n")
		if got != want {
			t.Errorf("%s -o json on a terminal:\n%s\nelsewhere:\n%s", command, got, want)
		}
	}
}

// TestPrintableInPieces: a character torn between two pieces stays whole.
func TestPrintableInPieces(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := &printableWriter{w: &b}
	for _, piece := range []string{"a\x1b", "[2J", "\xe2\x9c", "\x93 line\r", "\nend"} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "a\\u001b[2J✓ line\nend"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
