package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// World is a cluster, and the clock by which it goes. It implements sweep.Clock, and Queue; the queues of others ask servers that tell of
// its records in their own ways.
type World struct {
	t    *testing.T
	root string
	rng  *rand.Rand
	now  time.Duration
	due  []due // by time

	Single bool // of two submissions under one name the second is refused

	copies           []*copyOfJob        // that the queue may tell of
	past             map[string][]Record // by batch: jobs that have ended, as accounts know
	older            []Record            // an answer of some time ago
	number           int                 // of the last submission
	running          map[trial.ID]trial.AttemptID
	runs             map[trial.AttemptID]int
	ended            map[trial.AttemptID]trial.OutcomeState // the last words of workers
	done             map[trial.ID]int
	visible          map[string]time.Duration // until when what a worker wrote last can not be seen
	submitted, asked int
}

type due struct {
	at time.Duration
	do func()
}

// copyOfJob is a job, of which a cluster may have more than one.
type copyOfJob struct {
	Record
	dir   string
	gone  time.Duration // when it ended
	stop  bool          // its worker is asked to end
	pilot *flight       // of an attempt that a pilot trains
	child *copyOfJob    // of a pilot: what it trains
	lie   Job           // what the queue says of it, if anything else
	until time.Duration
}

// Record is what a queue tells of a job.
type Record struct {
	Job
	ID     JobID
	Number int    // of its submission, from 1
	Size   int    // jobs of that
	Folder string // of its batch
}

func newWorld(t *testing.T, seed uint64) *World {
	t.Helper()
	root := t.TempDir()
	if dir, err := os.MkdirTemp("/dev/shm", "sweep"); err == nil { //nolint:usetesting // where syncing costs nothing
		root = dir
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	return &World{
		t: t, root: root, rng: rand.New(rand.NewPCG(seed, 0)), running: map[trial.ID]trial.AttemptID{},
		runs: map[trial.AttemptID]int{}, ended: map[trial.AttemptID]trial.OutcomeState{}, done: map[trial.ID]int{},
		visible: map[string]time.Duration{}, past: map[string][]Record{},
	}
}

func (w *World) Now() sweep.Instant {
	return sweep.Instant{Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(w.now), Uptime: w.now}
}

func (w *World) After(time.Duration) <-chan time.Time { panic("nobody waits") }

func (w *World) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) + 1 }

func (w *World) chance(percent int) bool { return w.rng.IntN(100) < percent }

// after has something happen later.
func (w *World) after(d time.Duration, do func()) {
	at := w.now + d
	i, _ := slices.BinarySearchFunc(w.due, at, func(other due, at time.Duration) int {
		if other.at <= at {
			return -1
		}
		return 1
	})
	w.due = slices.Insert(w.due, i, due{at, do})
}

func (w *World) advance(d time.Duration) {
	end := w.now + d
	for len(w.due) > 0 && w.due[0].at <= end {
		next := w.due[0]
		w.due = w.due[1:]
		w.now = next.at
		next.do()
	}
	w.now = end
}

// Most implements Queue.
func (w *World) Most(context.Context) (int, error) {
	if w.chance(3) {
		return 0, errors.New("no answer")
	}
	return 1 + w.rng.IntN(8), nil
}

var errLost = errors.New("timed out")

// Submit implements Queue.
func (w *World) Submit(_ context.Context, b Batch) error {
	w.submitted++
	switch roll := w.rng.IntN(100); {
	case roll < 2:
		return &RefusedError{Reason: "QOSMaxSubmitJobPerUserLimit"}
	case roll < 10:
		return errLost
	case roll < 20:
		w.accept(b)
		return errLost
	case roll < 25: // it arrives late
		w.after(w.upTo(3*time.Minute), func() { w.accept(b) })
		return errLost
	case roll < 30:
		w.accept(b)
	}
	w.accept(b)
	return nil
}

// Knows reports whether the queue has a job of a batch.
func (w *World) Knows(batch string) bool {
	return slices.ContainsFunc(w.copies, func(j *copyOfJob) bool { return j.ID.Batch == batch && !w.purged(j) })
}

// Number is that of the last submission that was accepted.
func (w *World) Number() int { return w.number }

func (w *World) accept(b Batch) {
	if w.Single && w.Knows(b.Name) {
		return
	}
	w.number++
	for i, dir := range b.Dirs {
		j := &copyOfJob{dir: dir, Record: Record{
			Job: Job{Phase: Pending, Native: fmt.Sprintf("%d_%d", w.number, i)}, ID: JobID{b.Name, i},
			Number: w.number, Size: len(b.Dirs), Folder: b.Folder,
		}}
		w.copies = append(w.copies, j)
		w.after(w.upTo(2*time.Minute), func() { w.begin(j) })
	}
}

// Jobs implements Queue.
func (w *World) Jobs(_ context.Context, batches []string) (map[JobID]Job, error) {
	records, err := w.Records()
	answer := map[JobID]Job{}
	for _, r := range records {
		if known := answer[r.ID].Phase; slices.Contains(batches, r.ID.Batch) && (known == "" || nearer(r.Phase) < nearer(known)) {
			answer[r.ID] = r.Job
		}
	}
	return answer, err
}

// Records are all jobs that the queue tells of, as it does.
func (w *World) Records() ([]Record, error) {
	w.asked++
	if w.chance(10) {
		return nil, errors.New("no answer")
	}
	if w.chance(5) && w.older != nil {
		return w.older, nil
	}
	w.copies = slices.DeleteFunc(w.copies, w.purged)
	var answer []Record
	for _, j := range w.copies {
		if r := j.Record; !w.chance(1) {
			if r.Job = w.say(j); r.Phase != "" {
				answer = append(answer, r)
			}
		}
	}
	if w.chance(20) {
		w.older = answer
	}
	return answer, nil
}

// Past are the jobs of these batches that have ended, as accounts have it.
func (w *World) Past(batches []string) []Record {
	var past []Record
	for _, name := range batches {
		past = append(past, w.past[name]...)
	}
	return past
}

// Forget has the queue know nothing of any job any more, as one that was restarted without its state.
func (w *World) Forget() { w.copies, w.older = nil, nil }

// nearer orders the phases: what counts of a job that there is twice comes first.
func nearer(p Phase) int { return slices.Index([]Phase{Running, Suspended, Pending, Ending, Ended}, p) }

// purged reports whether the queue has forgotten a job.
func (w *World) purged(j *copyOfJob) bool { return j.Phase == Ended && w.now-j.gone > 2*time.Minute }

// say is the queue's word on a job. It is wrong at times.
func (w *World) say(j *copyOfJob) Job {
	if w.now < j.until {
		return j.lie
	}
	if !w.chance(1) {
		return j.Job
	}
	j.until, j.lie = w.now+w.upTo(5*time.Minute), []Job{
		{}, {Phase: Pending}, {Phase: Running}, {Phase: Ending}, {Phase: Suspended}, {Phase: Ended}, {Phase: Ended, Reason: "NODE_FAIL"},
	}[w.rng.IntN(7)]
	return j.lie
}

// Stop implements Queue.
func (w *World) Stop(_ context.Context, id JobID, kill bool) error {
	return w.Cancel(func(r Record) bool { return r.ID == id }, true, true, kill)
}

// Cancel ends the jobs that wait, and asks those that run to end, or kills them. The request may be lost, or its reply.
func (w *World) Cancel(which func(Record) bool, waiting, running, kill bool) error {
	if w.chance(10) {
		return errLost
	}
	for _, j := range w.copies {
		switch {
		case !which(j.Record):
		case j.Phase == Pending && waiting:
			w.end(j, "", "CANCELLED by 1000")
		case j.Phase == Running && running:
			if j.stop = true; kill {
				w.end(j, "signal: killed", "CANCELLED by 1000")
			}
		}
	}
	if w.chance(10) {
		return errLost
	}
	return nil
}

// Later has something happen after a while.
func (w *World) Later(d time.Duration, do func()) { w.after(d, do) }

// Chance is true so often.
func (w *World) Chance(percent int) bool { return w.chance(percent) }

// end ends a job on the spot, and what a pilot trains.
func (w *World) end(j *copyOfJob, exit, reason string) {
	if j.Phase == Ended {
		return
	}
	w.leave(attemptOf(j.dir))
	j.Phase, j.Exit, j.Reason, j.gone = Ended, exit, reason, w.now
	if j.child != nil {
		w.end(j.child, "", reason)
	}
	if j.pilot == nil {
		w.past[j.ID.Batch] = append(w.past[j.ID.Batch], j.Record)
	}
}

func attemptOf(dir string) trial.AttemptID {
	return trial.AttemptID(filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir))
}

// leave has the attempt's worker gone, if it runs.
func (w *World) leave(id trial.AttemptID) {
	if w.running[id.Trial()] == id {
		delete(w.running, id.Trial())
	}
}

// begin is what job.sh and a worker do, or a pilot.
func (w *World) begin(j *copyOfJob) {
	if j.Phase == Ended {
		return
	}
	taken, err := claimOnce(j.dir, claim{Worker: "node"})
	switch {
	case err != nil:
		w.t.Fatal(err)
	case !taken:
		w.end(j, exitGood, "")
		return
	}
	j.Phase = Running
	if w.chance(2) { // its set-up fails
		w.exits(j, "exit status 127")
		return
	}
	var spec pilotSpec
	if err := trial.ReadSealed(filepath.Join(j.dir, pilotFile), &spec); err == nil {
		f := &flight{Pilot: Pilot{dir: j.dir, spec: spec}, job: j, idle: w.now}
		w.after(w.upTo(5*time.Second), func() { w.fly(f) })
		return
	}
	w.train(j)
}

// train is a worker with an attempt that nobody else has.
func (w *World) train(j *copyOfJob) {
	id := attemptOf(j.dir)
	if other := w.running[id.Trial()]; other != "" {
		w.t.Errorf("%s runs beside %s", id, other)
	}
	w.running[id.Trial()] = id
	w.runs[id]++
	fate, steps := w.rng.IntN(100), 2+w.rng.IntN(6)
	w.after(w.upTo(5*time.Second), func() { w.emit(j, id, 1, steps, fate) })
}

// exits has a job end by itself, and say how.
func (w *World) exits(j *copyOfJob, how string) {
	w.write(j.dir, exitFile, how+"\n")
	if w.end(j, how, ""); j.pilot != nil {
		j.pilot.idle = w.now
		w.after(w.upTo(2*time.Second), func() { w.fly(j.pilot) })
	}
}

// fails has a job end with its machine.
func (w *World) fails(j *copyOfJob, reason string) {
	if j.pilot != nil {
		j = j.pilot.job
	}
	w.end(j, "", reason)
}

// flight is a pilot that flies.
type flight struct {
	Pilot
	job  *copyOfJob
	idle time.Duration // since when
}

// fly has a pilot look for work.
func (w *World) fly(f *flight) {
	if f.job.Phase == Ended {
		return
	}
	names, _ := list(f.dir)
	if names[stopFile] || f.job.stop || w.now-f.idle > f.spec.Idle {
		w.write(f.dir, trial.EventsFile, w.line(trial.Event{Seq: 1, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone}}))
		w.exits(f.job, exitGood)
		return
	}
	waiting, err := entries(f.spec.Inbox)
	if err != nil {
		w.t.Fatal(err)
	}
	fitting, _ := f.fitting(waiting, "")
	for _, e := range fitting {
		if _, ok, err := f.take(e); err != nil {
			w.t.Fatal(err)
		} else if ok {
			f.job.child = &copyOfJob{dir: e.Attempt.Dir(f.spec.Root), pilot: f, Record: Record{Job: Job{Phase: Running}}}
			w.train(f.job.child)
			return
		}
	}
	w.after(w.upTo(20*time.Second), func() { w.fly(f) })
}

// emit writes the worker's next event, and ends it as is its fate.
func (w *World) emit(j *copyOfJob, id trial.AttemptID, seq int64, steps, fate int) {
	if j.Phase == Ended {
		return
	}
	last := trial.Event{Seq: seq, Kind: trial.EventEnded}
	switch names, _ := list(j.dir); {
	case names[stopFile] || j.stop:
		last.Outcome = &trial.Outcome{State: trial.OutcomeInterrupted}
	case steps == 0 && fate < 4 && j.pilot == nil: // killed, and put back into the queue
		w.leave(id)
		j.Phase = Pending
		w.after(w.upTo(10*time.Minute), func() { w.begin(j) })
		return
	case steps == 0 && fate < 12:
		w.fails(j, []string{"NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "TIMEOUT", ""}[w.rng.IntN(5)])
		return
	case steps == 0 && fate < 16:
		w.exits(j, "signal: killed")
		return
	case steps == 0:
		last.Outcome = &trial.Outcome{State: trial.OutcomeDone}
	default:
		w.write(j.dir, trial.EventsFile, w.line(trial.Event{Seq: seq, Kind: trial.EventCheckpoint, Step: int(seq)}))
		w.after(w.upTo(20*time.Second), func() { w.emit(j, id, seq+1, steps-1, fate) })
		return
	}
	w.write(j.dir, trial.EventsFile, w.line(last))
	if w.ended[id] = last.Outcome.State; last.Outcome.State == trial.OutcomeDone {
		w.done[id.Trial()]++
	}
	w.exits(j, exitGood)
}

func (w *World) line(e trial.Event) string {
	text, err := e.MarshalLine()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// write appends to a file that may be seen late, but in the order in which it was written.
func (w *World) write(dir, name, text string) {
	path := filepath.Join(dir, name)
	at := max(w.visible[path], w.now)
	if w.chance(30) {
		at = max(at, w.now+w.upTo(30*time.Second))
	}
	w.visible[path] = at
	w.after(at-w.now, func() {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			w.t.Fatal(err)
		}
	})
}
