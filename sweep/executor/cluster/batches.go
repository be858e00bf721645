package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
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
	heard  time.Duration // uptime of the last answer
	answer map[JobID]Job
}

// soon has the queue asked again soon.
func (a *asking) soon(now time.Duration) {
	a.period = askSoon
	a.next = min(a.next, now+askSoon)
}

// handIn hands in the attempts that wait.
func (e *Executor) handIn(ctx context.Context) {
	e.waiting = slices.DeleteFunc(e.waiting, func(a trial.Assignment) bool { return e.attempts[a.Attempt].over })
	if len(e.waiting) == 0 || e.now() < e.handAt {
		return
	}
	e.handAt = e.now() + askSoon
	most, err := e.Queue.Most(ctx)
	if err != nil {
		e.warn("ask how many jobs a batch may have", err)
		return
	}
	groups := map[Request][]trial.Assignment{}
	var order []Request
	for _, a := range e.waiting {
		r := e.request(a)
		if groups[r] == nil {
			order = append(order, r)
		}
		groups[r] = append(groups[r], a)
	}
	for _, r := range order {
		for group := range slices.Chunk(groups[r], max(1, most)) {
			b, err := e.prepare(group, r)
			if err != nil {
				e.warn("write a batch", err)
				return // the rest waits
			}
			e.waiting = slices.DeleteFunc(e.waiting, func(a trial.Assignment) bool { return e.attempts[a.Attempt].job.Batch != "" })
			e.submit(ctx, b)
		}
	}
}

// prepare writes the batch's folder and then which attempt is which of its jobs.
func (e *Executor) prepare(group []trial.Assignment, r Request) (*batch, error) {
	name := "sweep-" + e.Clock.Now().Wall.Format("20060102-150405-") + strings.ToLower(rand.Text()[:12])
	b := &batch{Batch: Batch{Name: name, Folder: BatchFolder(e.Root, name), Request: r}}
	for _, a := range group {
		b.Dirs = append(b.Dirs, e.attempts[a.Attempt].dir)
	}
	e.act()
	for _, folder := range []string{filepath.Dir(b.Folder), b.Folder} {
		if err := trial.MakeFolder(folder); err != nil {
			return nil, err
		}
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
	e.act()
	err := e.Queue.Submit(ctx, b.Batch)
	e.act()
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
}

// refuse ends the attempts of a batch that the queue does not take.
func (e *Executor) refuse(b *batch, refused *RefusedError) {
	c, _ := cause.Of(cause.Evidence{Start: refused.Reason})
	for _, a := range e.attempts {
		if a.over || a.job.Batch != b.Name {
			continue
		}
		if _, err := e.giveUp(a, trial.Outcome{State: trial.OutcomeCrashed, Cause: c, Error: refused.Error()}); err != nil {
			e.warn("give up attempt "+string(a.id), err)
		}
	}
}

// again hands in a batch of this process once more which the queue, asked for a while, does not know: its request was lost. It reports
// whether it did.
func (e *Executor) again(ctx context.Context, a *attempt) bool {
	b := e.batches[a.job.Batch]
	if b == nil || b.Dirs == nil || b.accepted || a.sight.claimed || a.sight.exit != "" {
		return false
	}
	e.Log.Info("hand in a batch again that the queue does not know", "batch", b.Name)
	e.submit(ctx, b)
	a.fresh = false
	return true
}

// ask asks the queue for the jobs of all attempts that are not over, and tells it what it could not be told, where it is time to.
func (e *Executor) ask(ctx context.Context) {
	if e.now() < e.asking.next {
		return
	}
	for _, a := range e.attempts {
		if a.wish != wishNothing {
			e.tellQueue(ctx, a)
		}
	}
	e.asking.period = min(max(askSoon, 2*e.asking.period), askLate)
	if len(e.batches) > 0 {
		e.act()
		answer, err := e.Queue.Jobs(ctx, slices.Sorted(maps.Keys(e.batches)))
		if err != nil {
			e.warn("ask the queue", err)
		} else {
			e.take(answer)
		}
	}
	e.asking.next = e.now() + e.asking.period
}

// take takes in an answer of the queue.
func (e *Executor) take(answer map[JobID]Job) {
	e.asking.heard = e.now()
	for _, b := range e.batches {
		b.heard = true
	}
	for id, j := range answer {
		if b := e.batches[id.Batch]; b != nil {
			b.accepted = true
		}
		if e.asking.answer[id] != j {
			e.asking.period = askSoon
		}
	}
	for _, a := range e.attempts {
		if id := a.job.id(); !a.over && answer[id] != e.asking.answer[id] {
			a.fresh, e.asking.period = false, askSoon
		}
	}
	e.asking.answer = answer
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

// tellQueue stops an attempt's job as wished. What fails is tried again when the queue is asked next.
func (e *Executor) tellQueue(ctx context.Context, a *attempt) {
	if a.wish != wishNothing && a.job.Batch != "" {
		e.act()
		if err := e.Queue.Stop(ctx, a.job.id(), a.wish == wishKill); err != nil {
			e.warn(fmt.Sprintf("stop job %d of batch %s", a.job.Index, a.job.Batch), err)
			return
		}
	}
	a.wish = wishNothing
}
