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

// world is a cluster, and the clock by which it goes. It implements Queue and sweep.Clock.
type world struct {
	t    *testing.T
	root string
	rng  *rand.Rand
	now  time.Duration
	due  []due // by time

	jobs             map[JobID]*simJob
	older            map[JobID]Job // an answer of some time ago
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

// simJob is a job, of which a cluster may have more than one.
type simJob struct {
	copies []*copyOfJob
}

type copyOfJob struct {
	Job
	dir   string
	gone  time.Duration // when it ended
	stop  bool          // its worker is asked to end
	lie   Job           // what the queue says of it, if anything else
	until time.Duration
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	root := t.TempDir()
	if dir, err := os.MkdirTemp("/dev/shm", "sweep"); err == nil { //nolint:usetesting // where syncing costs nothing
		root = dir
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	return &world{
		t: t, root: root, rng: rand.New(rand.NewPCG(seed, 0)), jobs: map[JobID]*simJob{}, running: map[trial.ID]trial.AttemptID{},
		runs: map[trial.AttemptID]int{}, ended: map[trial.AttemptID]trial.OutcomeState{}, done: map[trial.ID]int{},
		visible: map[string]time.Duration{},
	}
}

func (w *world) Now() sweep.Instant {
	return sweep.Instant{Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(w.now), Uptime: w.now}
}

func (w *world) After(time.Duration) <-chan time.Time { panic("nobody waits") }

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) + 1 }

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// after has something happen later.
func (w *world) after(d time.Duration, do func()) {
	at := w.now + d
	i, _ := slices.BinarySearchFunc(w.due, at, func(other due, at time.Duration) int {
		if other.at <= at {
			return -1
		}
		return 1
	})
	w.due = slices.Insert(w.due, i, due{at, do})
}

func (w *world) advance(d time.Duration) {
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
func (w *world) Most(context.Context) (int, error) {
	if w.chance(3) {
		return 0, errors.New("no answer")
	}
	return 1 + w.rng.IntN(8), nil
}

// Submit implements Queue.
func (w *world) Submit(_ context.Context, b Batch) error {
	w.submitted++
	lost := errors.New("timed out")
	switch roll := w.rng.IntN(100); {
	case roll < 2:
		return &RefusedError{Reason: "QOSMaxSubmitJobPerUserLimit"}
	case roll < 10:
		return lost
	case roll < 20:
		w.accept(b)
		return lost
	case roll < 25: // it arrives late
		w.after(w.upTo(3*time.Minute), func() { w.accept(b) })
		return lost
	case roll < 30:
		w.accept(b)
	}
	w.accept(b)
	return nil
}

func (w *world) accept(b Batch) {
	for i, dir := range b.Dirs {
		id := JobID{b.Name, i}
		if w.jobs[id] == nil {
			w.jobs[id] = &simJob{}
		}
		j := &copyOfJob{Job: Job{Phase: Pending, Native: fmt.Sprintf("%s_%d", b.Name, i)}, dir: dir}
		w.jobs[id].copies = append(w.jobs[id].copies, j)
		w.after(w.upTo(2*time.Minute), func() { w.begin(j) })
	}
}

// Jobs implements Queue.
func (w *world) Jobs(_ context.Context, batches []string) (map[JobID]Job, error) {
	w.asked++
	if w.chance(10) {
		return nil, errors.New("no answer")
	}
	if w.chance(5) && w.older != nil {
		return w.older, nil
	}
	answer := map[JobID]Job{}
	for id, s := range w.jobs {
		if !slices.Contains(batches, id.Batch) || w.chance(1) {
			continue
		}
		for _, j := range s.copies {
			if said := w.say(j); said.Phase != "" && (answer[id].Phase == "" || nearer(said.Phase) < nearer(answer[id].Phase)) {
				answer[id] = said
			}
		}
	}
	if w.chance(20) {
		w.older = answer
	}
	return answer, nil
}

// nearer orders the phases: what counts of a job that there is twice comes first.
func nearer(p Phase) int { return slices.Index([]Phase{Running, Suspended, Pending, Ending, Ended}, p) }

// say is the queue's word on a job: it forgets those that have ended, and some of the others, and is wrong at times.
func (w *world) say(j *copyOfJob) Job {
	if j.Phase == Ended && w.now-j.gone > 2*time.Minute {
		return Job{}
	}
	if w.now < j.until {
		return j.lie
	}
	if !w.chance(1) {
		return j.Job
	}
	j.until, j.lie = w.now+w.upTo(5*time.Minute), []Job{
		{}, {Phase: Pending}, {Phase: Running}, {Phase: Ending}, {Phase: Ended}, {Phase: Ended, Reason: "NODE_FAIL"},
	}[w.rng.IntN(6)]
	return j.lie
}

// Stop implements Queue.
func (w *world) Stop(_ context.Context, id JobID, kill bool) error {
	lost := errors.New("timed out")
	if w.chance(10) {
		return lost
	}
	if s := w.jobs[id]; s != nil {
		for _, j := range s.copies {
			j.stop = true
			if kill || j.Phase == Pending {
				w.end(j, "CANCELLED by 1000")
			}
		}
	}
	if w.chance(10) {
		return lost
	}
	return nil
}

// end ends a job on the spot.
func (w *world) end(j *copyOfJob, reason string) {
	if j.Phase == Ended {
		return
	}
	w.leave(attemptOf(j.dir))
	j.Phase, j.Reason, j.gone = Ended, reason, w.now
}

func attemptOf(dir string) trial.AttemptID {
	return trial.AttemptID(filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir))
}

// leave has the attempt's worker gone, if it runs.
func (w *world) leave(id trial.AttemptID) {
	if w.running[id.Trial()] == id {
		delete(w.running, id.Trial())
	}
}

// begin is what job.sh and a worker do.
func (w *world) begin(j *copyOfJob) {
	if j.Phase == Ended {
		return
	}
	id := attemptOf(j.dir)
	taken, err := claimOnce(j.dir, claim{Worker: "node"})
	switch {
	case err != nil:
		w.t.Fatal(err)
	case !taken:
		j.Phase, j.gone = Ended, w.now
		return
	}
	j.Phase = Running
	if w.chance(2) { // its set-up fails
		w.write(j.dir, exitFile, "exit status 127\n")
		w.end(j, "")
		return
	}
	if other := w.running[id.Trial()]; other != "" {
		w.t.Errorf("%s runs beside %s", id, other)
	}
	w.running[id.Trial()] = id
	w.runs[id]++
	fate := w.rng.IntN(100)
	steps := 2 + w.rng.IntN(6)
	w.after(w.upTo(5*time.Second), func() { w.emit(j, id, 1, steps, fate) })
}

// emit writes the worker's next event, and ends it as is its fate.
func (w *world) emit(j *copyOfJob, id trial.AttemptID, seq int64, steps, fate int) {
	if j.Phase == Ended {
		return
	}
	last := trial.Event{Seq: seq, Kind: trial.EventEnded}
	switch names, _ := list(j.dir); {
	case names[stopFile] || j.stop:
		last.Outcome = &trial.Outcome{State: trial.OutcomeInterrupted}
	case steps == 0 && fate < 4: // killed, and put back into the queue
		w.leave(id)
		j.Phase = Pending
		w.after(w.upTo(10*time.Minute), func() { w.begin(j) })
		return
	case steps == 0 && fate < 12:
		w.end(j, []string{"NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "TIMEOUT", ""}[w.rng.IntN(5)])
		return
	case steps == 0 && fate < 16:
		w.write(j.dir, exitFile, "signal: killed\n")
		w.end(j, "")
		return
	case steps == 0:
		last.Outcome = &trial.Outcome{State: trial.OutcomeDone}
	default:
		w.write(j.dir, trial.EventsFile, w.line(trial.Event{Seq: seq, Kind: trial.EventCheckpoint, Step: int(seq)}))
		w.after(w.upTo(20*time.Second), func() { w.emit(j, id, seq+1, steps-1, fate) })
		return
	}
	w.write(j.dir, trial.EventsFile, w.line(last))
	w.write(j.dir, exitFile, "exit status 0\n")
	if w.ended[id] = last.Outcome.State; last.Outcome.State == trial.OutcomeDone {
		w.done[id.Trial()]++
	}
	w.end(j, "")
}

func (w *world) line(e trial.Event) string {
	text, err := e.MarshalLine()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// write appends to a file that may be seen late, but in the order in which it was written.
func (w *world) write(dir, name, text string) {
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
