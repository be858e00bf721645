package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestEntryIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := entry{
			Order:   rapid.Int64Min(0).Draw(t, "order"),
			Job:     JobID{Batch: rapid.StringMatching(`[0-9a-z-]{1,40}`).Draw(t, "batch"), Index: rapid.IntRange(0, 1e6).Draw(t, "index")},
			Attempt: trial.NewAttemptID(trial.ID(rapid.StringMatching(`[0-9a-z-]{1,16}`).Draw(t, "trial")), rapid.IntRange(0, 1e6).Draw(t, "n")),
			Kind:    rapid.StringMatching(`[0-9a-f]{12}`).Draw(t, "kind"),
			Request: Request{
				Memory: rapid.Int64Min(0).Draw(t, "memory"), Time: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "s")) * time.Second,
				Devices: rapid.IntRange(0, 64).Draw(t, "devices"),
			},
			Expected: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "expected")) * time.Second,
		}
		if len(e.name()) > 255 {
			t.Errorf("%q is too long for a file", e.name())
		}
		if got, ok := parseEntry(e.name()); !ok || got != e {
			t.Errorf("parseEntry(%q) = %+v, %t, want %+v", e.name(), got, ok, e)
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	f.Add(entry{Attempt: "abc/1", Kind: "0123456789ab"}.name())
	f.Add(".nfs0001")
	f.Fuzz(func(t *testing.T, name string) {
		if e, ok := parseEntry(name); ok && e.name() != name {
			t.Errorf("parseEntry(%q) = %+v, whose name is %q", name, e, e.name())
		}
	})
}

// office is a root with an inbox, for pilots of the test's own process.
type office struct {
	t     *testing.T
	root  string
	inbox string
	order int64
}

func newOffice(t *testing.T) *office {
	t.Helper()
	root := t.TempDir()
	o := &office{t: t, root: root, inbox: filepath.Join(root, "inbox")}
	if err := os.Mkdir(o.inbox, 0o755); err != nil {
		t.Fatal(err)
	}
	return o
}

// put has an attempt of a kind wait.
func (o *office) put(id trial.AttemptID, kind string, memory int64, expected time.Duration) entry {
	o.t.Helper()
	dir, err := id.MakeDir(o.root)
	if err != nil {
		o.t.Fatal(err)
	}
	a := trial.Assignment{Attempt: id, Platform: kind}
	if err := trial.WriteAssignment(dir, a); err != nil {
		o.t.Fatal(err)
	}
	o.order++
	e := entry{
		Order: o.order, Job: JobID{Batch: "b", Index: int(o.order)}, Attempt: id, Kind: warmKind(a),
		Request: Request{Memory: memory, Time: 20 * time.Minute}, Expected: expected, // as of a job of its own
	}
	if err := touch(filepath.Join(o.inbox, e.name())); err != nil {
		o.t.Fatal(err)
	}
	return e
}

func (o *office) pilot(number int, spec pilotSpec) *Pilot {
	o.t.Helper()
	spec.Root, spec.Inbox = o.root, o.inbox
	id := trial.NewAttemptID(pilotTrial, number)
	dir, err := id.MakeDir(o.root)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := trial.WriteSealed(filepath.Join(dir, pilotFile), spec); err != nil {
		o.t.Fatal(err)
	}
	p, err := OpenPilot(dir)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			o.t.Error(err)
		}
	})
	return p
}

// drain takes attempts until there are no more, each of which takes no time at all.
func (o *office) drain(p *Pilot) (taken []trial.AttemptID) {
	o.t.Helper()
	var last trial.Assignment
	for {
		a, ok, err := p.Next(context.Background(), last)
		if err != nil {
			o.t.Error(err)
		}
		if !ok {
			return taken
		}
		if err := p.Ended(a.Attempt, sweep.Process{}, 0); err != nil {
			o.t.Error(err)
		}
		taken, last = append(taken, a.Attempt), a
	}
}

func TestPilotTakesTheWarmKindFirstThenTheOldest(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for i, kind := range []string{"red", "blue", "red", "green", "blue"} {
		o.put(trial.NewAttemptID("t", i+1), kind, 0, 0)
	}
	got := o.drain(o.pilot(1, pilotSpec{Idle: time.Second}))
	if d := cmp.Diff([]trial.AttemptID{"t/1", "t/3", "t/2", "t/5", "t/4"}, got); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	text, err := os.ReadFile(filepath.Join(trial.AttemptID("t/4").Dir(o.root), exitFile))
	if err != nil || string(text) != "exit status 0\n" {
		t.Errorf("the last one's end is %q, error %v", text, err)
	}
}

func TestPilotLeavesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.put("long/1", "red", 1<<30, time.Hour) // the first is taken whatever it takes: no pilot has more time for it
	o.put("long/2", "red", 1<<30, time.Hour)
	o.put("large/1", "red", 4<<30, 0)
	o.put("short/1", "red", 2<<30, 10*time.Second)
	p := o.pilot(1, pilotSpec{Time: 10 * time.Minute, Asked: Request{Memory: 2 << 30}, Idle: time.Minute})
	if d := cmp.Diff([]trial.AttemptID{"long/1", "short/1"}, o.drain(p)); d != "" {
		t.Errorf("taken (-want +got):\n%s", d)
	}
	p.longest = 20 * time.Minute // it has learnt that trials take longer than expected
	o.put("short/2", "red", 2<<30, 10*time.Second)
	if _, ok, err := p.Next(context.Background(), trial.Assignment{}); ok || err != nil {
		t.Errorf("Next() took an attempt for which the time is too short, error %v", err)
	}
}

func TestPilotEndsWithoutWork(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	p := o.pilot(1, pilotSpec{Idle: 300 * time.Millisecond})
	if _, ok, err := p.Next(context.Background(), trial.Assignment{}); ok || err != nil {
		t.Errorf("Next() = %t, %v, want none", ok, err)
	}
}

func TestPilotLeavesAnAttemptThatWasGivenUp(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.put("t/1", "red", 0, 0)
	o.put("t/2", "red", 0, 0)
	given, err := claimOnce(trial.AttemptID("t/1").Dir(o.root), claim{Never: &trial.Outcome{State: trial.OutcomeInterrupted}})
	if !given || err != nil {
		t.Fatalf("claimOnce() = %t, %v", given, err)
	}
	if d := cmp.Diff([]trial.AttemptID{"t/2"}, o.drain(o.pilot(1, pilotSpec{Idle: time.Second}))); d != "" {
		t.Errorf("taken (-want +got):\n%s", d)
	}
}

// TestPilotsTakeEachAttemptOnce has pilots compete while attempts come in.
func TestPilotsTakeEachAttemptOnce(t *testing.T) {
	t.Parallel()
	const pilots, attempts = 5, 60
	o := newOffice(t)
	taken := make([][]trial.AttemptID, pilots)
	var working sync.WaitGroup
	for i := range pilots {
		p := o.pilot(i+1, pilotSpec{Idle: 2 * time.Second})
		working.Go(func() { taken[i] = o.drain(p) })
	}
	for i := range attempts {
		o.put(trial.NewAttemptID("t", i+1), fmt.Sprint(i%3), 0, 0)
	}
	working.Wait()
	count := map[trial.AttemptID]int{}
	for i := range taken {
		for _, id := range taken[i] {
			count[id]++
		}
	}
	for i := range attempts {
		if id := trial.NewAttemptID("t", i+1); count[id] != 1 {
			t.Errorf("attempt %s was taken %d times", id, count[id])
		}
	}
}
