package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// batch is what this process knows of one that has attempts which are not over.
type batch struct {
	Batch         // without folders where another process made it, which cannot be handed in again
	open     int  // attempts that are not over
	accepted bool // the queue is known to have it, or to have had it
	heard    bool // the queue has answered since it was handed in
}

// How often the queue is asked: at first, and at most where nothing changes.
const (
	askSoon = time.Second
	askLate = 30 * time.Second
)

// asking is what the queue says, and when it is asked again.
type asking struct {
	next   time.Duration // uptime
	period time.Duration
	heard  time.Duration   // uptime of the last question that was answered
	names  map[string]bool // of the batches that it was about, or is, without those that were handed in since
	answer map[JobID]Job
}

// soon has the queue asked again soon.
func (a *asking) soon(now time.Duration) {
	a.period = askSoon
	a.next = min(a.next, now+askSoon)
}

// handIn hands in the attempts that wait, one batch after another.
func (e *Executor) handIn(ctx context.Context) {
	if !e.settled(ctx, &e.handing) {
		return
	}
	e.waiting = slices.DeleteFunc(e.waiting, func(a trial.Assignment) bool { return e.attempts[a.Attempt].over })
	if len(e.waiting) == 0 || e.now() < e.handAt {
		return
	}
	e.handAt = e.now() + askSoon
	if e.most == 0 {
		e.askMost(ctx)
	}
	if e.most == 0 {
		return
	}
	for _, g := range Grouped(e.waiting, e.most, e.request) {
		b, err := e.prepare(g.Items, g.Request)
		if err != nil {
			e.warn("write a batch", err)
			return // the rest waits
		}
		e.waiting = slices.DeleteFunc(e.waiting, func(a trial.Assignment) bool { return e.attempts[a.Attempt].job.Batch != "" })
		if e.submit(ctx, b); e.handing != nil {
			e.handAt = 0
			return
		}
	}
}

// askMost asks how many jobs a batch may have.
func (e *Executor) askMost(ctx context.Context) {
	var most int
	var err error
	e.begin(ctx, &e.handing, func() { most, err = e.Queue.Most(ctx) }, func(context.Context) {
		if err != nil {
			e.warn("ask how many jobs a batch may have", err)
			return
		}
		e.most, e.handAt = max(1, most), 0
	})
}

// Group are things that jobs are wanted for which ask for the same.
type Group[T any] struct {
	Request Request
	Items   []T
}

// Grouped are items by what each asks for, in the order in which they come, none of more than most.
func Grouped[T any](items []T, most int, ask func(T) Request) (groups []Group[T]) {
	by := map[Request][]T{}
	var order []Request
	for _, item := range items {
		r := ask(item)
		if by[r] == nil {
			order = append(order, r)
		}
		by[r] = append(by[r], item)
	}
	for _, r := range order {
		for chunk := range slices.Chunk(by[r], max(1, most)) {
			groups = append(groups, Group[T]{r, chunk})
		}
	}
	return groups
}

// prepare writes the batch's folder and then which attempt is which of its jobs.
func (e *Executor) prepare(group []trial.Assignment, r Request) (*batch, error) {
	name := newBatchName(e.Clock.Now().Wall)
	b := &batch{Batch: Batch{Name: name, Folder: BatchFolder(e.Root, name), Request: r}}
	for _, a := range group {
		b.Dirs = append(b.Dirs, e.attempts[a.Attempt].dir)
	}
	e.act()
	if err := trial.MakeFolder(filepath.Dir(b.Folder)); err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o777)
	if e.Private {
		mode = 0o700
	}
	if err := os.Mkdir(b.Folder, mode); err != nil {
		return nil, err
	}
	if err := trial.SyncFolder(filepath.Dir(b.Folder)); err != nil {
		return nil, err
	}
	for file, text := range map[string]string{
		attemptsFile: strings.Join(b.Dirs, "\n") + "\n", bodyFile: e.Script.Body(b.Folder),
	} {
		write := func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}
		if err := trial.WriteAtomic(filepath.Join(b.Folder, file), write); err != nil {
			return nil, err
		}
	}
	for i, dir := range b.Dirs {
		e.act()
		if err := trial.WriteSealed(filepath.Join(dir, jobFile), job{Batch: name, Index: i, Memory: r.Memory}); err != nil {
			return nil, err
		}
	}
	for i, a := range group {
		e.attempts[a.Attempt].job = job{Batch: name, Index: i, Memory: r.Memory}
		e.join(e.attempts[a.Attempt], b)
	}
	return b, nil
}

// join counts an attempt among its batch's.
func (e *Executor) join(a *attempt, b *batch) {
	if e.batches[b.Name] == nil {
		e.batches[b.Name] = b
	}
	e.batches[b.Name].open++
	a.fresh = false
}

// submit hands a batch in, maybe not for the first time. Where it fails, the queue is asked by name.
func (e *Executor) submit(ctx context.Context, b *batch) {
	b.heard = false
	delete(e.asking.names, b.Name)
	e.act()
	var err error
	handed := b.Batch
	e.begin(ctx, &e.handing, func() { err = e.Queue.Submit(ctx, handed) }, func(context.Context) {
		e.act()
		b.heard = false
		delete(e.asking.names, b.Name)
		e.asking.soon(e.now())
		refused, no := errors.AsType[*RefusedError](err)
		switch {
		case no:
			e.refuse(b, refused)
		case err != nil:
			e.warn("hand in batch "+b.Name, err)
		default:
			b.accepted = true
		}
	})
}

// refuse ends the attempts of a batch that the queue does not take. Where it asks for more memory than the settings have any job ask for,
// that is the trials' need, and no machine has it. Anything else lies with the settings.
func (e *Executor) refuse(b *batch, refused *RefusedError) {
	o := trial.Outcome{State: trial.OutcomeInterrupted, Error: refused.Error()}
	if refused.Memory && b.Request.Memory > e.asked(trial.Assignment{}).Memory {
		o = trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.Memory, Error: cause.Memory.Words() + ": " + refused.Error()}
	} else {
		e.refused = cmp.Or(e.refused, refused)
	}
	for _, a := range e.attempts {
		if a.over || a.job.Batch != b.Name {
			continue
		}
		if _, err := e.giveUp(a, o); err != nil {
			e.warn("give up attempt "+string(a.id), err)
		}
	}
}

// again hands in a batch of this process once more which the queue, asked for a while, does not know: its request was lost. It reports
// whether it did, or is about to.
func (e *Executor) again(ctx context.Context, a *attempt) bool {
	b := e.batches[a.job.Batch]
	if b == nil || b.Dirs == nil || b.accepted || a.sight.claimed || a.sight.exit != "" {
		return false
	}
	a.fresh = false
	if !e.settled(ctx, &e.handing) || b.accepted || a.over {
		return true
	}
	e.Log.Info("hand in a batch again that the queue does not know", "batch", b.Name)
	e.submit(ctx, b)
	return true
}

// ask asks the queue for the jobs of all attempts that are not over, and tells it what it could not be told, where it is time to.
func (e *Executor) ask(ctx context.Context) {
	e.settled(ctx, &e.telling)
	if !e.settled(ctx, &e.question) || e.now() < e.asking.next {
		return
	}
	e.tellQueue(ctx)
	e.asking.period = min(max(askSoon, 2*e.asking.period), askLate)
	e.asking.next = e.now() + e.asking.period
	if len(e.batches) == 0 {
		return
	}
	e.act()
	names := slices.Sorted(maps.Keys(e.batches))
	e.asking.names = make(map[string]bool, len(names))
	for _, name := range names {
		e.asking.names[name] = true
	}
	var answer map[JobID]Job
	var err error
	at := e.now()
	e.begin(ctx, &e.question, func() { answer, err = e.Queue.Jobs(ctx, names) }, func(context.Context) {
		if refused, no := errors.AsType[*RefusedError](err); no {
			e.refused = cmp.Or(e.refused, refused) // of a pilot
		}
		if err != nil {
			e.warn("ask the queue", err)
		} else {
			e.take(answer, at)
		}
		e.asking.next = e.now() + e.asking.period
	})
}

// asksToo reports whether the queue is to be asked for an attempt of which the last question was not.
func (e *Executor) asksToo(a *attempt) bool {
	if a.job.Batch == "" || e.asking.names[a.job.Batch] {
		return false
	}
	e.asking.next = 0
	return true
}

// take takes in an answer of the queue to a question of some uptime.
func (e *Executor) take(answer map[JobID]Job, at time.Duration) {
	e.asking.heard = at
	for name := range e.asking.names {
		if b := e.batches[name]; b != nil {
			b.heard = true
		}
	}
	for id, j := range answer {
		if b := e.batches[id.Batch]; b != nil {
			b.accepted = true
		}
		if e.asking.answer[id] != j {
			e.asking.period = askSoon
		}
		e.sayStuck(j)
	}
	for _, a := range e.attempts {
		if id := a.job.id(); !a.over && answer[id] != e.asking.answer[id] {
			a.fresh, e.asking.period = false, askSoon
		}
	}
	e.asking.answer = answer
}

// sayStuck tells once of each reason for which jobs wait and may never start.
func (e *Executor) sayStuck(j Job) {
	if j.Phase != Pending || !j.Stuck || e.told[j.Reason] {
		return
	}
	if e.told == nil {
		e.told = map[string]bool{}
	}
	e.told[j.Reason] = true
	e.Log.Warn("a job waits for what may never come: look at the settings, and at the queue", "job", j.Native, "reason", j.Reason)
}

// hear takes the queue's last word on an attempt's job.
func (e *Executor) hear(a *attempt) {
	b := e.batches[a.job.Batch]
	word, found := e.asking.answer[a.job.id()]
	a.sight.heard, a.sight.found = b.heard, b.heard && found
	if a.sight.found {
		a.sight.job = word
	}
}

// wished is a job that is to be stopped.
type wished struct {
	*attempt
	id   JobID
	kill bool
}

// tellQueue stops the jobs of attempts as wished. What fails is tried again when the queue is asked next: where one is not answered, the
// others would not be either.
func (e *Executor) tellQueue(ctx context.Context) {
	if e.Observing || !e.settled(ctx, &e.telling) {
		return
	}
	var all []wished
	for _, a := range e.attempts {
		switch {
		case a.wish == wishNothing:
		case a.job.Batch == "":
			a.wish = wishNothing
		default:
			all = append(all, wished{a, a.job.id(), a.wish == wishKill})
		}
	}
	if len(all) == 0 {
		return
	}
	e.act()
	var err error
	told := 0
	e.begin(ctx, &e.telling, func() {
		for ; told < len(all); told++ {
			if err = e.Queue.Stop(ctx, all[told].id, all[told].kill); err != nil {
				return
			}
		}
	}, func(context.Context) {
		for _, w := range all[:told] {
			if w.kill || w.wish != wishKill {
				w.wish = wishNothing
			}
		}
		if err != nil {
			e.warn(fmt.Sprintf("stop job %d of batch %s", all[told].id.Index, all[told].id.Batch), err)
		}
	})
}
