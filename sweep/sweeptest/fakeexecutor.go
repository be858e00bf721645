package sweeptest

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Line is one event that a scripted worker writes, some time after its process began. Seq and At are filled in.
type Line struct {
	After time.Duration
	Event trial.Event
}

// Script says what a worker writes when nobody stops it, in the order of time. Its process exits with the last line; a script that
// does not end with an ended event is a crash. from is the step of the newest checkpoint that the assignment's folders hold, -1
// when there is none.
type Script func(a trial.Assignment, from int) []Line

// FakeExecutor implements sweep.Executor without processes: what a worker has written is computed from the time that has
// passed, so its workers outlive coordinators and databases, as real ones do. Use it in testing/synctest, or with a Now of its own.
type FakeExecutor struct {
	Script     Script
	StartError func(a trial.Assignment) error         // makes Start fail before a process begins; nil means never
	Exit       func(a trial.Assignment) sweep.Process // how a worker ends that nobody kills; nil means by exit status 1
	Now        func() time.Time                       // nil means time.Now

	mu       sync.Mutex
	attempts map[trial.AttemptID]*fakeWorker
	trials   map[trial.ID][]trial.AttemptID // in the order of their starts
	living   living
	starts   []trial.Assignment
	most     int
}

type fakeWorker struct {
	began time.Time
	lines []Line // what it will have written by its end
	exit  time.Time
	ended sweep.Process // how it exited, where the executor can tell
	thaws time.Time     // until when it is frozen
	index int           // in living; -1 of one that is not there any more
}

// living is a heap of the workers that have not exited when one was last started, by when each exits.
type living []*fakeWorker

func (l living) Len() int           { return len(l) }
func (l living) Less(i, j int) bool { return l[i].exit.Before(l[j].exit) }

func (l living) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].index, l[j].index = i, j
}

// Push implements heap.Interface.
func (l *living) Push(w any) {
	w.(*fakeWorker).index = len(*l) //nolint:forcetypeassert // nothing else is pushed
	*l = append(*l, w.(*fakeWorker))
}

// Pop implements heap.Interface.
func (l *living) Pop() any {
	n := len(*l) - 1
	w := (*l)[n]
	*l, w.index = (*l)[:n], -1
	return w
}

// moved puts a worker that exits at another time in its place.
func (l *living) moved(w *fakeWorker) {
	if w.index >= 0 {
		heap.Fix(l, w.index)
	}
}

func (f *FakeExecutor) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// Start implements sweep.Executor. It refuses what a scheduler must never ask for: a second living worker of a trial, and
// an assignment that does not list every earlier attempt's folder, newest first.
func (f *FakeExecutor) Start(_ context.Context, a trial.Assignment) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if f.attempts == nil {
		f.attempts, f.trials = map[trial.AttemptID]*fakeWorker{}, map[trial.ID][]trial.AttemptID{}
	}
	if w := f.attempts[a.Attempt]; w != nil {
		return fmt.Errorf("attempt %s: %w", a.Attempt, trial.ErrWorkerRuns)
	}
	for _, id := range f.trials[a.Attempt.Trial()] {
		if now.Before(f.attempts[id].exit) {
			panic(fmt.Sprintf("start %s while %s lives", a.Attempt, id))
		}
	}
	if f.StartError != nil {
		if err := f.StartError(a); err != nil {
			return err
		}
	}
	f.starts = append(f.starts, a)
	w := &fakeWorker{began: now, lines: f.Script(a, f.checkpoint(a, now)), ended: sweep.Process{Exit: "exit status 1"}}
	if f.Exit != nil {
		w.ended = f.Exit(a)
	}
	w.exit = now
	if n := len(w.lines); n > 0 {
		w.exit = now.Add(w.lines[n-1].After)
	}
	f.attempts[a.Attempt] = w
	f.trials[a.Attempt.Trial()] = append(f.trials[a.Attempt.Trial()], a.Attempt)
	for heap.Push(&f.living, w); len(f.living) > 0 && !now.Before(f.living[0].exit); {
		heap.Pop(&f.living)
	}
	f.most = max(f.most, len(f.living))
	return nil
}

// checkpoint is the newest checkpoint's step in the assignment's folders.
func (f *FakeExecutor) checkpoint(a trial.Assignment, now time.Time) int {
	from := -1
	for _, id := range f.attemptsOf(a.Attempt.Trial()) {
		if !slices.Contains(a.Checkpoints, id.Dir("")) {
			panic(fmt.Sprintf("assignment of %s lacks the folder of %s", a.Attempt, id))
		}
		for _, e := range f.attempts[id].written(now, 0) {
			if e.Kind == trial.EventCheckpoint {
				from = max(from, e.Step)
			}
		}
	}
	return from
}

// count is how many lines the worker has written by now.
func (w *fakeWorker) count(now time.Time) int {
	passed := now.Sub(w.began)
	return sort.Search(len(w.lines), func(i int) bool { return w.lines[i].After > passed })
}

// written returns the events that the worker has written by now, but for the first so many.
func (w *fakeWorker) written(now time.Time, after int64) []trial.Event {
	var events []trial.Event
	for i, n := int(after), w.count(now); i < n; i++ {
		e := w.lines[i].Event
		e.Seq, e.At = int64(i+1), w.began.Add(w.lines[i].After).UTC()
		events = append(events, e)
	}
	return events
}

// Probe implements sweep.Executor.
func (f *FakeExecutor) Probe(_ context.Context, id trial.AttemptID) (sweep.Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.attempts[id]
	if w == nil {
		return sweep.Process{}, nil
	}
	if now := f.now(); now.Before(w.exit) {
		return sweep.Process{Alive: true, Beat: int64(w.count(now))}, nil
	}
	return w.ended, nil
}

// Events implements sweep.Executor.
func (f *FakeExecutor) Events(_ context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.attempts[id]
	if w == nil {
		return nil, nil
	}
	return w.written(f.now(), after), nil
}

// stopDelay is how long a worker takes to write its checkpoint and exit when it is asked to.
const stopDelay = 10 * time.Millisecond

// Stop implements sweep.Executor: the worker writes a checkpoint of the step it has done, if it has got so far, and ends as interrupted, or
// is killed on the spot. One that is frozen heeds a request when it goes on.
func (f *FakeExecutor) Stop(_ context.Context, id trial.AttemptID, kill bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, now := f.attempts[id], f.now()
	if w == nil || !now.Before(w.exit) {
		return nil
	}
	defer f.living.moved(w)
	events := w.written(now, 0)
	w.lines, w.exit, w.ended = w.lines[:len(events)], now, sweep.Process{Exit: "signal: killed"}
	if kill {
		return nil
	}
	if w.thaws.After(now) {
		now = w.thaws
	}
	if w.exit = now; len(events) > 0 && events[len(events)-1].Kind == trial.EventEnded {
		return nil
	}
	step, trains := 0, false
	for _, e := range events {
		step, trains = max(step, e.Step), trains || e.Kind == trial.EventEval || e.Kind == trial.EventResumed
	}
	after := now.Sub(w.began) + stopDelay
	w.lines = slices.Clone(w.lines)
	if trains {
		w.lines = append(w.lines, Line{after, trial.Event{Kind: trial.EventCheckpoint, Step: step}})
	}
	w.lines = append(w.lines, Line{after, trial.Event{Kind: trial.EventEnded, Step: step, Outcome: &trial.Outcome{
		State: trial.OutcomeInterrupted, Error: "asked to stop", Step: step,
	}}})
	w.exit, w.ended = now.Add(stopDelay), sweep.Process{Exit: "exit status 0"}
	return nil
}

// Freeze keeps a living worker from going on for a while, as SIGSTOP does until SIGCONT.
func (f *FakeExecutor) Freeze(id trial.AttemptID, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, now := f.attempts[id], f.now()
	if w == nil || !now.Before(w.exit) {
		return
	}
	w.lines = slices.Clone(w.lines)
	for i := w.count(now); i < len(w.lines); i++ {
		w.lines[i].After += d
	}
	if w.thaws.Before(now) {
		w.thaws = now
	}
	w.exit, w.thaws = w.exit.Add(d), w.thaws.Add(d)
	f.living.moved(w)
}

// Die ends a living worker now, as p says. The last so many events that it wrote are lost with it, though never its last word.
func (f *FakeExecutor) Die(id trial.AttemptID, p sweep.Process, lost int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, now := f.attempts[id], f.now()
	if w == nil || !now.Before(w.exit) {
		return
	}
	kept := w.count(now)
	if kept > 0 && w.lines[kept-1].Event.Kind != trial.EventEnded {
		kept = max(0, kept-lost)
	}
	w.lines, w.exit, w.ended = w.lines[:kept], now, p
	f.living.moved(w)
}

// Alive lists the attempts whose workers live, with how long ago each began, by attempt.
func (f *FakeExecutor) Alive() (ids []trial.AttemptID, ages []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, id := range slices.Sorted(maps.Keys(f.attempts)) {
		if w := f.attempts[id]; now.Before(w.exit) {
			ids, ages = append(ids, id), append(ages, now.Sub(w.began))
		}
	}
	return ids, ages
}

// Next is the next moment at which a living worker writes or exits; zero where none lives.
func (f *FakeExecutor) Next() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	var next time.Time
	earlier := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, w := range f.attempts {
		if !now.Before(w.exit) {
			continue
		}
		earlier(w.exit)
		for _, l := range w.lines {
			earlier(w.began.Add(l.After))
		}
	}
	return next
}

// Trials implements sweep.Executor.
func (f *FakeExecutor) Trials(context.Context) ([]trial.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.trials)), nil
}

// Attempts implements sweep.Executor.
func (f *FakeExecutor) Attempts(_ context.Context, trial trial.ID) ([]trial.AttemptID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attemptsOf(trial), nil
}

func (f *FakeExecutor) attemptsOf(tr trial.ID) []trial.AttemptID {
	return slices.SortedFunc(slices.Values(f.trials[tr]), func(a, b trial.AttemptID) int { return cmp.Compare(a.Number(), b.Number()) })
}

// Starts lists every assignment whose worker began, in order.
func (f *FakeExecutor) Starts() []trial.Assignment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.starts)
}

// Most is the largest number of workers that lived at once.
func (f *FakeExecutor) Most() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most
}
