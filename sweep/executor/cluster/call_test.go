package cluster

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// hungQueue answers nothing until it is let go.
type hungQueue struct {
	*deskQueue
	hold chan struct{}
}

func (q hungQueue) Most(ctx context.Context) (int, error) {
	<-q.hold
	return q.deskQueue.Most(ctx)
}

func (q hungQueue) Submit(ctx context.Context, b Batch) error {
	<-q.hold
	return q.deskQueue.Submit(ctx, b)
}

func (q hungQueue) Jobs(ctx context.Context, batches []string) (map[JobID]Job, error) {
	<-q.hold
	return q.deskQueue.Jobs(ctx, batches)
}

func (q hungQueue) Stop(ctx context.Context, id JobID, kill bool) error {
	<-q.hold
	return q.deskQueue.Stop(ctx, id, kill)
}

// TestAHungQueueHoldsNobodyUp: whatever the queue does not answer, the coordinator goes on after a second, and takes the answers in when
// they come.
func TestAHungQueueHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ids := []trial.AttemptID{"a/1", "b/1", "c/1", "d/1"}
		for _, id := range ids {
			d.start(attemptIn(id.Trial()))
		}
		for _, id := range ids {
			d.probe(id)
			d.claim(id)
		}
		hold := make(chan struct{})
		d.Queue = hungQueue{d.queue, hold}
		within := func(what string, do func()) {
			t.Helper()
			if began := time.Now(); true {
				if do(); time.Since(began) > 2*time.Second {
					t.Errorf("%s took %v", what, time.Since(began))
				}
			}
		}
		within("asking", func() { d.pass("a/1", 120) })
		within("stopping", func() {
			for _, id := range ids {
				if err := d.Stop(t.Context(), id, true); err != nil {
					t.Fatal(err)
				}
			}
		})
		within("handing in", func() {
			d.most = 0 // as of a coordinator that has just begun
			d.start(attemptIn("e"))
			d.pass("e/1", 10)
		})
		close(hold)
		synctest.Wait()
		d.pass("e/1", 35)
		if len(d.queue.stopped) != len(ids) || len(d.queue.batches) != 3 {
			t.Errorf("stopped %v, batches %v: want all that was wished done once the queue answers", d.queue.stopped, d.queue.batches)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestRefusal: a batch that the queue does not take ends nothing for good, but whoever runs it is told. One that only asks for more memory
// than any machine has says that about its trials.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refused RefusedError
		state   trial.OutcomeState
		cause   cause.Cause
		ends    bool
	}{
		"settings": {RefusedError{Reason: "invalid partition"}, trial.OutcomeInterrupted, cause.None, true},
		"memory":   {RefusedError{Reason: "too much", Memory: true}, trial.OutcomeCrashed, cause.Memory, false},
	} {
		d := newDesk(t)
		d.Ask = func(a trial.Assignment) Request { return Request{Memory: 1<<30 + a.ExpectedBytes} }
		d.queue.refused = &tt.refused
		a := attemptIn("a")
		a.ExpectedBytes = 8 << 30
		d.start(a)
		if p := d.probe("a/1"); p.Alive {
			t.Errorf("%s: %+v, want an end", name, p)
		}
		events, err := d.Events(t.Context(), "a/1", 0)
		if err != nil || len(events) != 1 || events[0].Outcome.State != tt.state || events[0].Outcome.Cause != tt.cause ||
			!strings.Contains(events[0].Outcome.Error, tt.refused.Reason) {
			t.Errorf("%s: %v, %v", name, events, err)
		}
		if err := d.Refusal(); (err != nil) != tt.ends {
			t.Errorf("%s: Refusal = %v, want one %v", name, err, tt.ends)
		}
	}
}

// TestJobsThatMayNeverStart: why they wait is said, once.
func TestJobsThatMayNeverStart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var log bytes.Buffer
	d.Log = slog.New(slog.NewTextHandler(&log, nil))
	d.start(attemptIn("a"))
	d.start(attemptIn("b"))
	d.probe("a/1")
	for id := range d.queue.jobs {
		d.queue.jobs[id] = Job{Phase: Pending, Reason: "PartitionTimeLimit", Stuck: true}
	}
	d.pass("a/1", 100)
	if n := strings.Count(log.String(), "PartitionTimeLimit"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}

// TestObserver: who only looks learns at once what has become of attempts that nobody watches, and changes nothing.
func TestObserver(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, id := range []trial.ID{"a", "b", "c", "d"} {
		d.start(attemptIn(id))
	}
	d.probe("a/1")
	d.start(attemptIn("e")) // never handed in
	for _, id := range []trial.AttemptID{"a/1", "b/1"} {
		d.claim(id)
	}
	d.queue.jobs[d.attempts["a/1"].job.id()] = Job{Phase: Running}
	dead := d.attempts["b/1"].job.id()
	d.queue.jobs[dead] = Job{Phase: Ended, Reason: "NODE_FAIL"}
	delete(d.queue.jobs, d.attempts["d/1"].job.id())
	before, batches := tree(t, d.Root), len(d.queue.batches)
	asked := d.queue.asked
	watching := func(later time.Duration) *desk {
		o := *d
		now := time.Since(time.Unix(0, 0)) + later // by the files' times
		o.Executor = &Executor{
			Root: d.Root, Queue: d.queue, Script: d.Script, Clock: &desk{now: now}, Log: d.Log, Observing: true,
		}
		return &o
	}
	ids := []trial.AttemptID{"a/1", "b/1", "c/1", "d/1", "e/1"}
	for later, want := range map[time.Duration]map[trial.AttemptID]bool{
		0:           {"a/1": true, "b/1": true, "c/1": true, "d/1": true, "e/1": true}, // files may be late
		time.Minute: {"a/1": true, "c/1": true},
	} {
		o := watching(later + time.Second)
		if err := o.Expect(ids); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if p := o.probe(id); p.Alive != want[id] {
				t.Errorf("%v later %s: %+v, want alive %v", later, id, p, want[id])
			}
		}
		if err := o.Stop(t.Context(), "a/1", true); err == nil {
			t.Error("an observer stopped an attempt")
		}
		if err := o.Start(t.Context(), attemptIn("f")); err == nil {
			t.Error("an observer started an attempt")
		}
	}
	if d.queue.asked != asked+2 {
		t.Errorf("the queue was asked %d times by two observers, want one question for all each", d.queue.asked-asked)
	}
	if after := tree(t, d.Root); after != before || len(d.queue.batches) != batches || len(d.queue.stopped) > 0 {
		t.Errorf("it has changed something: %v, %v\n%s\nbefore:\n%s", d.queue.batches, d.queue.stopped, after, before)
	}
}
