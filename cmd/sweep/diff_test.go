package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// finishedSweep adds a sweep of rank 1 over seeds 0 and 1, whose trials ended with these losses.
func finishedSweep(t *testing.T, root, name string, alpha float64, losses ...float64) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := db.CreateSweep(t.Context(), sweeptest.Info(name, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := sweeptest.Registration([]float64{alpha}, []int{1}, []int64{0, 1})
	if err := db.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	began := sweep.Instant{Wall: time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)}
	if _, err := db.StartSession(t.Context(), id, began, sweep.Coordinator{Host: "here", PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	for i, v := range losses {
		recordSteps(t, db, r.Ladders[0].Rungs[0].Trials[i].Trial.Trial(), 2, trial.Outcome{
			State: trial.OutcomeDone, Step: 2, ValLoss: new(v), BestStep: 2, LastValLoss: new(v), TrainLoss: new(4.5), Tokens: 1008, TrainSeconds: 2,
		})
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDiffCommand compares two sweeps of a database in each form.
func TestDiffCommand(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	finishedSweep(t, root, "one", 16, 4.5, 4.25)
	finishedSweep(t, root, "two", 32, 4.0, 4.0)
	code, stdout, stderr := sweepCommand(t, "diff", "one", "two", "--root", root, "-o", "json")
	var got struct {
		Schema   string
		Settings []report.DiffSetting
	}
	if code != exitOK || stderr != "" {
		t.Fatalf("diff = %d, said %q", code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "sweep.diff/v1" || len(got.Settings) != 1 || got.Settings[0].Name != "alpha" || got.Settings[0].B[0] != "32" {
		t.Errorf("diff -o json: %s, settings %+v", got.Schema, got.Settings)
	}
	_, rows, _ := sweepCommand(t, "diff", "one", "two", "--root", root, "-o", "csv")
	if want := "1,1,,1,2,4.375,4,-0.375,"; !strings.Contains(rows, "\n"+want) {
		t.Errorf("diff -o csv lacks %q:\n%s", want, rows)
	}
	_, text, _ := sweepCommand(t, "diff", "one", "two", "--root", root)
	for _, want := range []string{"A is sweep one, B is sweep two.", "alpha    16  32", "-0.375 [-1.963, 1.213]", "A: "} {
		if !strings.Contains(text, want) {
			t.Errorf("diff lacks %q:\n%s", want, text)
		}
	}
}

// TestDiffRefused: what cannot be compared is a usage error, and what is not there not found.
func TestDiffRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	finishedSweep(t, root, "one", 16, 4.5, 4.25)
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateSweep(t.Context(), sweeptest.Info("empty", 0)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing in it": {[]string{"one", "empty"}, exitUsage, "the sweeps do not compare: sweep empty has no ladders yet"},
		"not there":     {[]string{"one", "onee"}, exitNotFound, "did you mean one?"},
		"one name":      {[]string{"one"}, exitUsage, "accepts 2 arg(s), received 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := sweepCommand(t, append([]string{"diff", "--root", root}, test.args...)...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("diff %q = %d, %q, said %q, want %d and %q", test.args, code, stdout, stderr, test.code, test.want)
			}
		})
	}
}
