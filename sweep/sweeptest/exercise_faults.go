package sweeptest

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// Fault is what befalls an attempt, or what a cluster says of it.
type Fault string

// The faults. An executor's tests exercise those that its world can have.
const (
	LostRequest  Fault = "lost request"  // the request to run it never arrives
	LostReply    Fault = "lost reply"    // it arrives, and the answer gets lost
	TakenTwice   Fault = "taken twice"   // it arrives twice
	Refused      Fault = "refused"       // it is not taken
	NoAnswer     Fault = "no answer"     // nothing can be learnt of it for a while
	Forgotten    Fault = "forgotten"     // it is done, and the cluster does not know it any more
	LateFiles    Fault = "late files"    // what its worker wrote appears after the word that it has ended
	NeverVisible Fault = "never visible" // nothing that its worker wrote ever appears
	OutOfMemory  Fault = "out of memory" // the kernel kills its worker
	Preempted    Fault = "preempted"     // its machine is taken for another
	PutBack      Fault = "put back"      // so, and the cluster is about to run it once more
	NodeFailure  Fault = "node failure"  // its machine dies
	Cancelled    Fault = "cancelled"     // somebody else ends it
	TimeLimit    Fault = "time limit"    // the cluster asks it to end, since its time is up
	NotReached   Fault = "not reached"   // it ends before its worker begins
)

// after is what an attempt under a fault comes to: its worker's events, and why it ended where that is no word of its worker.
func (f Fault) after() (events string, why cause.Cause) {
	switch f {
	case LostRequest, LostReply, TakenTwice, NoAnswer, Forgotten, LateFiles:
		return "started, ended done", cause.None
	case TimeLimit:
		return "started, ended interrupted", cause.None
	case OutOfMemory:
		return "started", cause.Memory
	case Preempted, PutBack:
		return "started", cause.Preempted
	case NodeFailure:
		return "started", cause.NodeFailure
	case Cancelled:
		return "started", cause.Killed
	case NeverVisible:
		return "", cause.Lost
	case Refused:
		return "ended interrupted", cause.None
	case NotReached:
		return "", cause.Crash
	}
	panic("unknown fault " + f)
}

// worker is what a worker under the fault does.
func (f Fault) worker() string {
	if events, why := f.after(); why == cause.None && !strings.HasSuffix(events, "interrupted") {
		return WorkerFinishes
	}
	return WorkerWaits
}

// ExerciseFaults runs what every executor must do under those faults: the attempt runs once, all its worker's words are read, it is alive
// until nothing more can come, and why it ended is told. A successor finds the same. open is as that of ExerciseExecutor, in a world with
// the fault.
func ExerciseFaults(t *testing.T, open func(t *testing.T, root, worker string, f Fault) sweep.Executor, faults ...Fault) {
	t.Helper()
	for _, f := range faults {
		t.Run(strings.ReplaceAll(string(f), " ", ""), func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			e := open(t, root, f.worker(), f)
			id := launch(t, e, 1)
			t.Cleanup(func() { _ = e.Stop(context.WithoutCancel(t.Context()), id, true) })
			f.await(t, e, id)
			f.await(t, open(t, root, f.worker(), f), id)
		})
	}
}

// await waits for the attempt's end and looks at what it has come to.
func (f Fault) await(t *testing.T, e sweep.Executor, id trial.AttemptID) {
	t.Helper()
	wantEvents, want := f.after()
	awaitDeath(t, e, id)
	p, err := e.Probe(t.Context(), id)
	must(t, "Probe", err)
	events, err := e.Events(t.Context(), id, 0)
	must(t, "Events", err)
	got, _ := cause.Of(cause.Evidence{Exit: p.Exit, OOMKilled: p.OutOfMemory, Reason: p.Reason, Stderr: p.Stderr})
	var said []string
	for _, ev := range events {
		text := string(ev.Kind)
		if ev.Outcome != nil {
			text += " " + string(ev.Outcome.State)
			if got = ev.Outcome.Cause; ev.Outcome.State == trial.OutcomeCrashed { // of the executor, which knows that no worker had it
				continue
			}
		}
		said = append(said, text)
	}
	if diff := cmp.Diff(wantEvents, strings.Join(said, ", ")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	unseen := p.Exit == "" && p.Reason == "" && got == cause.Lost // by a successor on one machine
	if got != want && !unseen {
		t.Errorf("it ended for %q, want %q: %+v", got, want, p)
	}
}
