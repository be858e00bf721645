package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// deskQueue is a queue whose words a test writes.
type deskQueue struct {
	batches []Batch
	jobs    map[JobID]Job
	silent  bool
	asked   int
	named   []string // the batches it was asked about
	stopped []JobID
	refused *RefusedError // its word on each batch
}

func (q *deskQueue) Most(context.Context) (int, error) { return 2, nil }

func (q *deskQueue) Submit(_ context.Context, b Batch) error {
	if q.refused != nil {
		return q.refused
	}
	q.batches = append(q.batches, b)
	for i := range b.Dirs {
		q.jobs[JobID{b.Name, i}] = Job{Phase: Pending}
	}
	return nil
}

func (q *deskQueue) Jobs(_ context.Context, batches []string) (map[JobID]Job, error) {
	q.asked++
	q.named = append(q.named, batches...)
	if q.silent {
		return nil, errors.New("no answer")
	}
	return maps.Clone(q.jobs), nil
}

func (q *deskQueue) Stop(_ context.Context, id JobID, _ bool) error {
	q.stopped = append(q.stopped, id)
	return nil
}

// desk is an executor with such a queue, and a clock that stands still.
type desk struct {
	*Executor
	t     *testing.T
	queue *deskQueue
	now   time.Duration
}

func (d *desk) Now() sweep.Instant {
	return sweep.Instant{Wall: time.Unix(0, 0).Add(d.now), Uptime: d.now}
}
func (d *desk) After(time.Duration) <-chan time.Time { panic("nobody waits") }

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, queue: &deskQueue{jobs: map[JobID]Job{}}}
	d.Executor = &Executor{
		Root: t.TempDir(), Queue: d.queue, Script: Script{Command: []string{"sweep", "worker"}}, Clock: d, Log: slog.New(slog.DiscardHandler),
	}
	return d
}

func (d *desk) start(a trial.Assignment) {
	d.t.Helper()
	if err := d.Start(d.t.Context(), a); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) probe(id trial.AttemptID) sweep.Process {
	d.t.Helper()
	p, err := d.Probe(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// pass lets so many seconds go by with an eye on the attempt.
func (d *desk) pass(id trial.AttemptID, seconds int) (p sweep.Process) {
	d.t.Helper()
	for range seconds {
		d.now += time.Second
		p = d.probe(id)
	}
	return p
}

// run starts a first attempt, hands it in and has a job take it.
func (d *desk) run(id trial.AttemptID) {
	d.t.Helper()
	d.start(attemptIn(id.Trial()))
	d.probe(id)
	d.claim(id)
}

// claim has a job take the attempt, and its worker write an event.
func (d *desk) claim(id trial.AttemptID) {
	d.t.Helper()
	if taken, err := claimOnce(id.Dir(d.Root), claim{Worker: "node"}); err != nil || !taken {
		d.t.Fatal(taken, err)
	}
	d.write(id, trial.EventsFile, d.line(trial.Event{Seq: 1, Kind: trial.EventStarted, Environment: &trial.Environment{}}))
}

func (d *desk) line(e trial.Event) string {
	d.t.Helper()
	text, err := e.MarshalLine()
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

func (d *desk) write(id trial.AttemptID, name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(id.Dir(d.Root), name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// tree lists all files below a folder with their sizes.
func tree(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			fmt.Fprintln(&all, path, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func attemptIn(tr trial.ID) trial.Assignment {
	return trial.Assignment{Attempt: trial.NewAttemptID(tr, 1), Trial: trial.Trial{ID: tr}}
}

// TestOneCallForAll: what waits is handed in together by request, cut by what the queue takes, and one question serves all.
func TestOneCallForAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Ask = func(a trial.Assignment) Request {
		if a.Trial.ID == "e" {
			return Request{Memory: 1 << 30}
		}
		return Request{}
	}
	for _, id := range []trial.ID{"a", "b", "e", "c"} {
		d.start(attemptIn(id))
	}
	for range 100 {
		for _, id := range []trial.AttemptID{"a/1", "b/1", "c/1", "e/1"} {
			if p := d.probe(id); !p.Alive || !p.Waiting {
				t.Fatalf("%s: %+v, want one that waits", id, p)
			}
		}
	}
	var dirs [][]string
	for _, b := range d.queue.batches {
		dirs = append(dirs, b.Dirs)
	}
	dir := func(id trial.AttemptID) string { return id.Dir(d.Root) }
	if diff := cmp.Diff([][]string{{dir("a/1"), dir("b/1")}, {dir("c/1")}, {dir("e/1")}}, dirs); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if d.queue.asked > 1 {
		t.Errorf("asked %d times within a second", d.queue.asked)
	}
	d.pass("a/1", 300)
	if d.queue.asked > 20 {
		t.Errorf("asked %d times in five minutes in which nothing changed", d.queue.asked)
	}
}

// TestFoldersAreLookedAtSeldom: a coordinator that looks every few milliseconds is not felt by the file server.
func TestFoldersAreLookedAtSeldom(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("a/1")
	d.pass("a/1", 2)
	started := d.line(trial.Event{Seq: 1, Kind: trial.EventStarted, Environment: &trial.Environment{}})
	d.write("a/1", trial.EventsFile, started+"damage\n") // which would be told if it were read
	for range 1000 {
		d.now += 900 * time.Microsecond
		if _, err := d.Events(t.Context(), "a/1", 1); err != nil {
			t.Fatalf("read within a second: %v", err)
		}
	}
	d.now += time.Second
	if _, err := d.Events(t.Context(), "a/1", 1); err == nil {
		t.Error("not read after a second")
	}
}

// TestJobOf: an attempt's folder tells which job the queue knows it as.
func TestJobOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.start(attemptIn("a"))
	d.start(attemptIn("b"))
	dir := trial.AttemptID("b/1").Dir(d.Root)
	if got := JobOf(dir); got != (JobID{}) {
		t.Errorf("before it is handed in: %v", got)
	}
	d.probe("a/1")
	if got, want := JobOf(dir), (JobID{Batch: d.queue.batches[0].Name, Index: 1}); got != want {
		t.Errorf("JobOf = %v, want %v", got, want)
	}
}

// TestJobsOfOthersAreNoneOfOurs: a folder from elsewhere may name any job. The queue hears of none that is not named like ours.
func TestJobsOfOthersAreNoneOfOurs(t *testing.T) {
	t.Parallel()
	ours := newBatchName(time.Now())
	for _, name := range []string{"jupyter", "../" + ours, ours + "*", "sweep-ab12", ours} {
		before, d := newDesk(t), newDesk(t)
		before.start(attemptIn("a"))
		id := trial.AttemptID("a/1")
		if err := trial.WriteSealed(filepath.Join(id.Dir(before.Root), jobFile), job{Batch: name}); err != nil {
			t.Fatal(err)
		}
		d.Root = before.Root
		d.queue.jobs[JobID{Batch: name}] = Job{Phase: Running}
		d.pass(id, 10)
		if err := d.Stop(t.Context(), id, true); err != nil {
			t.Fatal(err)
		}
		d.pass(id, 10)
		asked, stopped := slices.Contains(d.queue.named, name), len(d.queue.stopped) > 0
		if asked != (name == ours) || stopped != (name == ours) {
			t.Errorf("%q: asked about %t, stopped %t", name, asked, stopped)
		}
	}
}

// TestStopBeforeItBegan: no worker ever has the attempt, and the coordinator reads why.
func TestStopBeforeItBegan(t *testing.T) {
	t.Parallel()
	for _, handedIn := range []bool{true, false} {
		d := newDesk(t)
		d.start(attemptIn("a"))
		if handedIn {
			d.probe("a/1")
		}
		if err := d.Stop(t.Context(), "a/1", false); err != nil {
			t.Fatal(err)
		}
		events, err := d.Events(t.Context(), "a/1", 0)
		if err != nil || len(events) != 1 || events[0].Outcome.State != trial.OutcomeInterrupted || d.probe("a/1").Alive {
			t.Errorf("handed in %v: %v, %v, want an interrupted attempt that is over", handedIn, events, err)
		}
		if taken, err := claimOnce(trial.AttemptID("a/1").Dir(d.Root), claim{Worker: "node"}); err != nil || taken {
			t.Errorf("a job could take it: %v", err)
		}
		if cancelled := len(d.queue.stopped) == 1; cancelled != handedIn {
			t.Errorf("handed in %v: stopped %v", handedIn, d.queue.stopped)
		}
	}
}

// TestOneWordIsNotEnough: what a queue said once does not end an attempt that nothing else shows to be over, however long it is silent.
func TestOneWordIsNotEnough(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("a/1")
	d.pass("a/1", 10)
	clear(d.queue.jobs)
	d.pass("a/1", 40) // the queue does not know it
	d.queue.silent = true
	if p := d.pass("a/1", 300); !p.Alive {
		t.Errorf("%+v, want one that lives as far as anybody knows", p)
	}
	d.queue.silent = false
	if p := d.pass("a/1", 60); p.Alive {
		t.Errorf("%+v, want one that the queue does not know any more", p)
	}
}

// TestRemovedFolder: what was lost with it is no reason to wait.
func TestRemovedFolder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("a/1")
	d.pass("a/1", 2)
	if err := os.RemoveAll(trial.ID("a").Dir(d.Root)); err != nil {
		t.Fatal(err)
	}
	if p := d.pass("a/1", 2); p.Alive || len(d.queue.stopped) != 1 {
		t.Errorf("%+v, stopped %v, want an end, and its job killed", p, d.queue.stopped)
	}
}

// TestPausedCoordinator: what a successor has given up does not run, though the one before wakes and hands it in.
func TestPausedCoordinator(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.start(attemptIn("a"))
	paused := d.Executor
	d.Executor = &Executor{Root: d.Root, Queue: d.queue, Clock: d, Log: d.Log}
	if p := d.pass("a/1", 50); !p.Alive {
		t.Errorf("%+v: given up while the word that it was handed in may be late", p)
	}
	if p := d.pass("a/1", 20); p.Alive || len(d.queue.batches) > 0 {
		t.Errorf("%+v, %v: want one that nobody handed in", p, d.queue.batches)
	}
	d.Executor = paused
	if p := d.probe("a/1"); p.Alive || len(d.queue.batches) != 1 {
		t.Errorf("%+v, %v: want one that is handed in for nothing", p, d.queue.batches)
	}
	if taken, err := claimOnce(trial.AttemptID("a/1").Dir(d.Root), claim{Worker: "node"}); err != nil || taken {
		t.Errorf("a job could take it: %v", err)
	}
}

// TestMemoryIsLearnt: what was too little once is asked for twofold by all that are of its kind, and by no other.
func TestMemoryIsLearnt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Ask = func(trial.Assignment) Request { return Request{Memory: 4 << 30} }
	d.MemoryMax = 12 << 30
	outgrow := func(tr trial.ID, rank int) (asked int64, p sweep.Process) {
		t.Helper()
		a := attemptIn(tr)
		a.Trial.Spec.LoRA.Rank = rank
		d.start(a)
		d.probe(a.Attempt)
		d.claim(a.Attempt)
		d.write(a.Attempt, exitFile, "signal: killed, out of memory\n")
		p = d.pass(a.Attempt, 2)
		if p.Alive || !p.OutOfMemory || p.Exit != "signal: killed" {
			t.Fatalf("%s: %+v", tr, p)
		}
		return d.queue.batches[len(d.queue.batches)-1].Request.Memory, p
	}
	for i, want := range []struct {
		asked int64
		more  bool
	}{{4 << 30, true}, {8 << 30, true}, {12 << 30, false}, {12 << 30, false}} {
		asked, p := outgrow(trial.ID("t"+string(rune('a'+i))), 8<<i)
		if asked != want.asked || p.AskedTooLittle != want.more {
			t.Errorf("attempt %d asked for %d, asked too little %v, want %v", i+1, asked, p.AskedTooLittle, want)
		}
	}
	other := attemptIn("other")
	other.Trial.Spec.Data.SequenceLength = 64
	if r := d.request(other); r.Memory != 4<<30 {
		t.Errorf("one of another kind asks for %d", r.Memory)
	}
	if r := d.request(attemptIn("same")); r.Memory != 12<<30 {
		t.Errorf("one of the same kind asks for %d", r.Memory)
	}
}

// TestExitIsNoPipe: what stands in the place of the word on how a job ended is not waited for, and says nothing.
func TestExitIsNoPipe(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("a/1")
	if err := syscall.Mkfifo(filepath.Join(trial.AttemptID("a/1").Dir(d.Root), exitFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := d.pass("a/1", 2); !p.Alive {
		t.Errorf("%+v, want one that lives", p)
	}
}

// TestMemoryIsLearntFromWhatWasSeen: where nothing was asked for, more is asked for than the worker was seen to take.
func TestMemoryIsLearntFromWhatWasSeen(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("a/1")
	peak := int64(40 << 30)
	d.write("a/1", trial.EventsFile, d.line(trial.Event{Seq: 1, Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: &peak}}))
	d.write("a/1", exitFile, "signal: killed, out of memory\n")
	if p := d.pass("a/1", 2); p.Alive || !p.AskedTooLittle {
		t.Fatalf("%+v", p)
	}
	if r := d.request(attemptIn("b")); r.Memory != 2*peak {
		t.Errorf("the next asks for %d, want %d", r.Memory, 2*peak)
	}
}

func TestWithMargin(t *testing.T) {
	t.Parallel()
	for expected, want := range map[int64]int64{0: 0, 1: 320 << 20, 1 << 30: 1536 << 20, 2<<30 + 1: 2816<<20 + memoryStep} {
		if got := WithMargin(expected); got != want {
			t.Errorf("WithMargin(%d) = %d, want %d", expected, got, want)
		}
	}
}
