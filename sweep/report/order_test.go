package report

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// told is one event of one attempt.
type told struct {
	attempt trial.AttemptID
	event   trial.Event
}

// TestOrderOfEventsLeavesNoTrace stores the events of a sweep in any order, some of them twice: the report is the same byte
// for byte.
func TestOrderOfEventsLeavesNoTrace(t *testing.T) {
	t.Parallel()
	registration := sweeptest.Registration([]float64{8, 16}, []int{1, 2, 4, 8}, []int64{0, 1})
	events := script(registration)
	want := stored(t.Context(), t, registration, events)
	rapid.Check(t, func(rt *rapid.T) {
		drawn := append([]told(nil), events...)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 0, 10).Draw(rt, "twice") {
			drawn = append(drawn, events[i])
		}
		got := stored(t.Context(), rt, registration, rapid.Permutation(drawn).Draw(rt, "order"))
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("another order of events makes another report (-in order +as drawn):\n%s", diff)
		}
	})
}

// script is what the workers say: every trial's first attempt crashes, its second ends.
func script(r sweep.Registration) []told {
	at := time.Unix(1_800_000_000, 0).UTC()
	var events []told
	for _, l := range r.Ladders {
		for i, rung := range l.Rungs {
			for _, planned := range rung.Trials {
				tr := planned.Trial
				loss := 4.8 - min(float64(i), 2)/10 + float64(tr.Seed)/20 + tr.Alpha/1e3 + float64(tr.Seed)*float64(i)/1e3
				train, peak := loss-0.1, int64(100<<20+i)
				first, second := trial.NewAttemptID(tr.ID, 1), trial.NewAttemptID(tr.ID, 2)
				params := &trial.Environment{PID: 1, Backend: sweeptest.Backend, Platform: "xla:cpu", TrainableParams: int64(1000 * tr.Rank)}
				events = append(events,
					told{first, trial.Event{Seq: 1, At: at, Kind: trial.EventStarted, Environment: params}},
					told{first, trial.Event{Seq: 2, At: at, Kind: trial.EventEval, Step: 2, Evaluation: &trial.Evaluation{ValLoss: 5, Tokens: 9}}},
					told{first, trial.Event{Seq: 3, At: at, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Step: 2}}},
					told{second, trial.Event{Seq: 1, At: at, Kind: trial.EventStarted, Environment: params}},
					told{second, trial.Event{Seq: 2, At: at, Kind: trial.EventEval, Step: 4, Evaluation: &trial.Evaluation{ValLoss: loss, Tokens: 9}}},
					told{second, trial.Event{Seq: 3, At: at, Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: &peak, HostSource: "VmHWM"}}},
					told{second, trial.Event{Seq: 4, At: at, Kind: trial.EventEnded, Outcome: &trial.Outcome{
						State: trial.OutcomeDone, Step: 4, ValLoss: &loss, BestStep: 4, LastValLoss: &loss, TrainLoss: &train, Tokens: 28, TrainSeconds: 2,
					}}},
				)
			}
		}
	}
	return events
}

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// stored keeps the events in a store in their order and returns the report's JSON and text.
func stored(ctx context.Context, t failer, r sweep.Registration, events []told) string {
	t.Helper()
	var m sweeptest.MemStore
	id, err := m.CreateSweep(ctx, sweeptest.Info("order", 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Register(ctx, id, r); err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			for _, planned := range rung.Trials {
				tr := planned.Trial
				for number := 1; number <= 2; number++ {
					if err := m.BeginAttempt(ctx, tr.ID, number, trial.Assignment{Trial: tr.Trial()}, time.Unix(int64(number), 0)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	for _, e := range events {
		if err := m.AppendEvents(ctx, e.attempt, []trial.Event{e.event}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := m.Snapshot(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	report := Build(s)
	if err := report.JSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := report.Text(&b, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
