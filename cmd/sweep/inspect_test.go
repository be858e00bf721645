package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// midwayRoot returns a root whose only sweep, "prose", was left midway: seed 0 of rank 1 is done, seed 1 was interrupted
// after step 2, rank 2 was not begun. Its first trial's attempt left its output behind.
func midwayRoot(t *testing.T) (root string, done, open trial.Trial) {
	t.Helper()
	root = t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := db.CreateSweep(t.Context(), sweeptest.Info("prose", 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := sweeptest.Registration([]float64{16}, []int{1, 2}, []int64{0, 1})
	if err := db.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	started := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	if _, err := db.StartSession(t.Context(), id, sweep.Instant{Wall: started}, sweep.Coordinator{Host: host, PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	done, open = r.Ladders[0].Rungs[0].Trials[0].Trial.Trial(), r.Ladders[0].Rungs[0].Trials[1].Trial.Trial()
	recordSteps(t, db, done, 4, trial.Outcome{
		State: trial.OutcomeDone, Step: 4, ValLoss: new(4.5), BestStep: 4, LastValLoss: new(4.5), TrainLoss: new(4.65),
		Tokens: 2016, TrainSeconds: 3.5,
	})
	recordSteps(t, db, open, 2, trial.Outcome{State: trial.OutcomeInterrupted, Error: "asked to stop", Step: 2})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	folder := trial.NewAttemptID(done.ID, 1).Dir(root)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{trial.StdoutFile: "compiling\n", trial.StderrFile: "a notice\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root, done, open
}

// recordSteps records an attempt with so many steps, an evaluation at every second one, and its outcome.
func recordSteps(t *testing.T, db *store.DB, tr trial.Trial, steps int, o trial.Outcome) {
	t.Helper()
	at := time.Date(2026, 11, 23, 13, 0, 1, 0, time.UTC)
	id := trial.NewAttemptID(tr.ID, 1)
	if err := db.BeginAttempt(t.Context(), tr.ID, 1, trial.Assignment{Attempt: id, Trial: tr}, at); err != nil {
		t.Fatal(err)
	}
	events := []trial.Event{
		{Kind: trial.EventStarted, Environment: &trial.Environment{PID: 7, Host: "here", Platform: "xla:cpu", TrainableParams: 512}},
		{Kind: trial.EventEval, Evaluation: &trial.Evaluation{ValLoss: 5, Tokens: 630}},
	}
	for step := 1; step <= steps; step++ {
		events = append(events, trial.Event{Kind: trial.EventPoint, Step: step, Point: &trial.Point{
			Tokens: int64(504 * step), TrainLoss: 5 - float64(step)/8, GradNorm: 1.25, LearningRate: 3e-3,
		}})
		if step%2 == 0 {
			events = append(events, trial.Event{
				Kind: trial.EventEval, Step: step,
				Evaluation: &trial.Evaluation{ValLoss: 5 - float64(step)/8, Tokens: 630},
			})
		}
	}
	events = append(
		events,
		trial.Event{Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: new(int64(100 << 20)), HostSource: "VmHWM"}},
		trial.Event{Kind: trial.EventEnded, Outcome: &o},
	)
	for i := range events {
		events[i].Seq, events[i].At = int64(i+1), at
	}
	if err := db.AppendEvents(t.Context(), id, events); err != nil {
		t.Fatal(err)
	}
}

func TestStatusCommand(t *testing.T) {
	t.Parallel()
	root, done, open := midwayRoot(t)
	code, stdout, stderr := sweepCommand(t, "status", "--root", root)
	if code != exitOK || stderr != "" {
		t.Fatalf("status = %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"sweep prose: interrupted", "continue with: sweep resume prose --root " + root, "ladder 1: interrupted", string(done.ID),
		"done", "4/4", "4.5000",
		string(open.ID), "interrupted", "2/4", "4.7500", "100 MiB", "not begun: rank 2",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("status lacks %q:\n%s", want, stdout)
		}
	}
	code, stdout, _ = sweepCommand(t, "status", "prose", "--root", root, "-o", "json")
	var got struct {
		Schema, Sweep, State string
		Coordinator          struct{ Alive bool }
		Ladders              []struct {
			State, Code, Reason string

			Rungs []struct {
				Rank, Done int
				Trials     []struct {
					ID    string
					State string
					Step  int
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); code != exitOK || err != nil {
		t.Fatalf("status -o json = %d, %v:\n%s", code, err, stdout)
	}
	if got.Schema != "sweep.status/v1" || got.State != "interrupted" || got.Coordinator.Alive || len(got.Ladders[0].Rungs) != 2 ||
		got.Ladders[0].Rungs[0].Done != 1 || got.Ladders[0].Rungs[0].Trials[1].Step != 2 {
		t.Errorf("status -o json = %+v", got)
	}
	if l := got.Ladders[0]; l.State != "interrupted" || l.Code != "running" || l.Reason != "rank 1: 1 of 2 trials finished" {
		t.Errorf("status -o json: ladder 1 is %q, %q: %q", l.State, l.Code, l.Reason)
	}
	if _, stdout, _ := sweepCommand(t, "status", "--root", root, "-o", "csv"); strings.Count(stdout, "\n") != 1+4 {
		t.Errorf("status -o csv has %d lines, want a header and 4 trials:\n%s", strings.Count(stdout, "\n"), stdout)
	}
}

// TestStatusNamesAxes: a value keeps brackets of its own, and what the whole grid shares is left out.
func TestStatusNamesAxes(t *testing.T) {
	t.Parallel()
	cell := report.Cell{{Name: "model", Value: "m"}, {Name: "target_modules", Value: "(q|v)", Axis: true}}
	s := sweepStatus{Ladders: []ladderStatus{{Number: 1, Cell: cell, State: "running", Rungs: []rungStatus{{Trials: []trialStatus{{}}}}}}}
	if _, rows := statusRows(s); rows[0][1] != "target_modules=(q|v)" {
		t.Errorf("status -o csv names the ladder %q", rows[0][1])
	}
	var text bytes.Buffer
	err := writeStatus(&text, s, prose.Shell{}, time.Now())
	if want := "\nladder 1 (target_modules=(q|v)): running\n"; err != nil || !strings.Contains(text.String(), want) {
		t.Errorf("%v: status prints\n%s", err, text.String())
	}
}

// TestStatusSaysWhatToUse: as far as the state of a ladder allows, and how long has been worked up to now.
func TestStatusSaysWhatToUse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	s := sweepStatus{
		Sweep: "s", State: progressRunning, ElapsedSeconds: 60, Coordinator: &coordinator{Heartbeat: now.Add(-4 * time.Second), Alive: true},
	}
	for _, l := range []ladderStatus{
		{State: "running"},
		{State: "plateau"},
		{State: "still_improving"},
		{State: "inconclusive"},
		{State: "unstable", Code: plateau.ReasonDiverged},
	} {
		l.Number, l.RecommendedRank = len(s.Ladders)+1, 8
		s.Ladders = append(s.Ladders, l)
	}
	var text bytes.Buffer
	if err := writeStatus(&text, s, prose.Shell{}, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"sweep s: running, 1m04s of work\n", "ladder 1: running, rank 8 so far the one to use\n", "ladder 2: plateau, rank 8 the one to use\n",
		"ladder 3: still_improving, not settled: at least rank 8\n", "ladder 4: inconclusive, rank 8 for now\n", "ladder 5: unstable\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("status lacks %q:\n%s", want, text.String())
		}
	}
}

// TestStatusSeesALivingCoordinator: what counts here is the sweep's lock, not how old the heartbeat is nor what process has
// the number.
func TestStatusSeesALivingCoordinator(t *testing.T) {
	t.Parallel()
	root, _, _ := midwayRoot(t)
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // its content is not looked at again
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	hourAgo := sweep.Instant{Wall: time.Now().Add(-time.Hour)}
	session, err := db.StartSession(t.Context(), 1, hourAgo, sweep.Coordinator{Host: host, PID: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	said := func(command, alive string) {
		t.Helper()
		code, stdout, stderr := sweepCommand(t, command, "--root", root, "-o", "json")
		if want := `"alive": ` + alive; code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%s = %d, stderr %q, lacks %s:\n%s", command, code, stderr, want, stdout)
		}
	}
	said("status", "true")
	said("list", "true")
	code, stdout, stderr := sweepCommand(t, "status", "--root", root)
	if code != exitOK || !strings.Contains(stdout, "sweep prose: running") || strings.Contains(stdout, "sweep resume") {
		t.Errorf("status beside a coordinator = %d, stderr %q:\n%s", code, stderr, stdout)
	}
	goesOn := func(command bool) {
		t.Helper()
		for _, format := range []string{"table", "md", "html"} {
			_, stdout, stderr := sweepCommand(t, "report", "--root", root, "-o", format)
			if strings.Contains(stdout, "Next: sweep resume prose --root "+root) != command || stderr != "" {
				t.Errorf("report -o %s, command %t: stderr %q\n%s", format, command, stderr, stdout)
			}
		}
	}
	goesOn(false)
	if err := db.Heartbeat(t.Context(), session, sweep.NewClock().Now(), ""); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // as a crash: the kernel frees the lock
		t.Fatal(err)
	}
	said("status", "false")
	said("list", "false")
	goesOn(true)
}

func TestListCommand(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		root func(*testing.T) string
		want []string
	}{
		"midway": {
			func(t *testing.T) string { t.Helper(); root, _, _ := midwayRoot(t); return root },
			[]string{"prose", "interrupted", "2026-11-23T12:00:00Z", "1 interrupted"},
		},
		"finished": {finishedRoot, []string{"prose", "finished", "1 plateau"}},
	} {
		code, stdout, stderr := sweepCommand(t, "list", "--root", tt.root(t))
		if code != exitOK || stderr != "" {
			t.Errorf("%s: list = %d, %q", name, code, stderr)
		}
		for _, want := range tt.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: list lacks %q:\n%s", name, want, stdout)
			}
		}
	}
}

func TestShowCommand(t *testing.T) {
	t.Parallel()
	root, done, _ := midwayRoot(t)
	code, stdout, stderr := sweepCommand(t, "show", string(done.ID[:8]), "--root", root)
	if code != exitOK || stderr != "" {
		t.Fatalf("show = %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"trial " + string(done.ID) + ": done", "val_loss 4.5000 at step 4, mean train_loss 4.6500 since the evaluation before,",
		"attempt 1: done",
		"VmHWM", "stdout.log",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("show lacks %q:\n%s", want, stdout)
		}
	}
	_, stdout, _ = sweepCommand(t, "show", string(done.ID), "--root", root, "-o", "json")
	var got struct {
		Schema   string
		Spec     trial.Spec
		Attempts []struct {
			Number  int
			State   string
			Job     *shownJob
			Outcome trial.Outcome
		}
		Files []struct {
			Path  string
			Bytes int64
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(done.Spec, got.Spec); diff != "" {
		t.Errorf("spec of show -o json (-want +got):\n%s", diff)
	}
	const metrics = `"metrics": {
    "perplexity": 90.01713130052181,
    "token_accuracy": null,
    "exact_match": null
  }`
	if !strings.Contains(stdout, metrics) {
		t.Errorf("show -o json lacks %s:\n%s", metrics, stdout)
	}
	if got.Schema != "sweep.show/v1" || len(got.Attempts) != 1 || *got.Attempts[0].Outcome.ValLoss != 4.5 || len(got.Files) != 2 ||
		got.Files[0].Bytes != 9 {
		t.Errorf("show -o json = %+v", got)
	}
	const batch = "sweep-20261201-120000-abcdefgh2345"
	job := map[string]any{"batch": batch, "index": 3}
	if err := trial.WriteSealed(filepath.Join(trial.NewAttemptID(done.ID, 1).Dir(root), "job.json"), job); err != nil {
		t.Fatal(err)
	}
	_, stdout, _ = sweepCommand(t, "show", string(done.ID), "--root", root, "-o", "json")
	before, want := got.Attempts[0].Job, &shownJob{batch, 3}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || before != nil || !cmp.Equal(want, got.Attempts[0].Job) {
		t.Errorf("%v: the job was %v, and is %v, want %v", err, before, got.Attempts[0].Job, want)
	}
	if _, stdout, _ = sweepCommand(t, "show", string(done.ID), "--root", root); !strings.Contains(stdout, "\n  job 3 of batch "+batch+"\n") {
		t.Errorf("show of a cluster's attempt:\n%s", stdout)
	}
}

func TestLogsCommand(t *testing.T) {
	t.Parallel()
	root, done, open := midwayRoot(t)
	code, stdout, stderr := sweepCommand(t, "logs", string(done.ID), "--root", root)
	if want := "== stdout of attempt 1 ==\ncompiling\n== stderr of attempt 1 ==\na notice\n"; code != exitOK || stdout != want {
		t.Errorf("logs = %d, %q, stderr %q; want %q", code, stdout, stderr, want)
	}
	long := filepath.Join(trial.NewAttemptID(done.ID, 1).Dir(root), trial.StdoutFile)
	if err := os.Truncate(long, 1<<30); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = sweepCommand(t, "logs", string(done.ID), "--root", root)
	if code != exitOK || len(stdout) > 100<<20 || !strings.Contains(stderr, long+" has 1 GiB: these are the last 16 MiB") {
		t.Errorf("logs of a long one = %d, %d bytes, stderr %q", code, len(stdout), stderr)
	}
	if err := os.MkdirAll(trial.NewAttemptID(open.ID, 1).Dir(root), 0o700); err != nil {
		t.Fatal(err)
	}
	if code, stdout, _ := sweepCommand(t, "logs", string(open.ID), "--root", root); code != exitOK ||
		!strings.Contains(stdout, "wrote nothing") {
		t.Errorf("logs of a silent attempt = %d, %q", code, stdout)
	}
}

func TestLogsFollowUntilTheEnd(t *testing.T) {
	t.Parallel()
	root, done, _ := midwayRoot(t)
	code, stdout, stderr := sweepCommand(t, "logs", string(done.ID), "--follow", "--root", root)
	if code != exitOK || stdout != "compiling\na notice\n" {
		t.Errorf("logs --follow of an ended attempt = %d, %q, %q", code, stdout, stderr)
	}

	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // its content is not looked at again
	running := trial.NewAttemptID(done.ID, 2)
	if err := db.BeginAttempt(t.Context(), done.ID, 2, trial.Assignment{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(running.Dir(root), trial.StdoutFile)
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := &firstWrite{seen: make(chan struct{})}
	ended := make(chan int)
	go func() {
		ended <- run(t.Context(), []string{"logs", string(done.ID), "-f", "--root", root}, strings.NewReader(""), out, io.Discard)
	}()
	<-out.seen
	if err := os.WriteFile(log, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = db.AppendEvents(t.Context(), running, []trial.Event{
		{Seq: 1, At: time.Now(), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != exitOK || out.text.String() != "one\ntwo\n" {
		t.Errorf("logs --follow of a running attempt = %d, %q", code, out.text.String())
	}
}

// firstWrite keeps what is written and closes seen at the first byte.
type firstWrite struct {
	text bytes.Buffer
	seen chan struct{}
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.text.Len() == 0 && len(p) > 0 {
		defer close(w.seen)
	}
	return w.text.Write(p)
}

func TestInspectingWhatIsNotThere(t *testing.T) {
	t.Parallel()
	root, done, _ := midwayRoot(t)
	empty := t.TempDir()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"list", "--root", empty}, exitNotFound, "no sweep was run in this root yet"},
		{[]string{"status", "--root", empty}, exitNotFound, "no sweep was run in this root yet"},
		{[]string{"status", "verse", "--root", root}, exitNotFound, "holds prose"},
		{[]string{"show", "zz", "--root", root}, exitNotFound, "sweep status"},
		{[]string{"show", "", "--root", root}, exitUsage, string(done.ID)},
		{[]string{"metrics", "zz", "--root", root}, exitNotFound, "not found"},
		{[]string{"logs", string(done.ID), "--attempt", "2", "--root", root}, exitNotFound, "attempts 1 to 1"},
		{[]string{"logs", string(done.ID), "-f", "-o", "json", "--root", root}, exitUsage, "--follow prints plain text"},
		{[]string{"show", "--root", root}, exitUsage, "accepts 1 arg"},
		{[]string{"show", string(done.ID), "-o", "csv", "--root", root}, exitUsage, "has no rows"},
	} {
		code, stdout, stderr := sweepCommand(t, tt.args...)
		if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%v = %d, stdout %q, stderr %q; want %d and %q", tt.args, code, stdout, stderr, tt.code, tt.want)
		}
	}
}

// TestStatusOfAnOutracedLadder: what it climbed to is no rank to use.
func TestStatusOfAnOutracedLadder(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	s := sweepStatus{Sweep: "raced", State: progressFinished, Ladders: []ladderStatus{
		{Number: 1, State: string(plateau.StatePlateau), RecommendedRank: 4},
		{Number: 2, State: string(plateau.StateOutraced), RecommendedRank: 2},
	}}
	if err := writeStatus(&text, s, prose.Shell{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"\nladder 1: plateau, rank 4 the one to use\n", "\nladder 2: outraced\n"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("status lacks %q:\n%s", part, text.String())
		}
	}
}
