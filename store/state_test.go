package store_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// TestTrialStatesAgree: whatever two sweeps did to trials that they share, decisions, reports, the views and the list's counts say
// the same of every trial.
func TestTrialStatesAgree(t *testing.T) {
	t.Parallel()
	db := open(t)
	n := 0
	counts := map[int64]map[sweep.TrialState]int{} // by sweep
	rapid.Check(t, func(rt *rapid.T) {
		n++
		names := []string{fmt.Sprintf("one %d", n), fmt.Sprintf("two %d", n), ""}
		r := sweeptest.Registration([]float64{float64(n)}, []int{1, 2}, []int64{0, 1})
		var ids []int64
		for i, name := range names[:2] {
			info := sweeptest.Info(name, 0, 1)
			info.Limits.Memory = rapid.SampledFrom([]int64{0, 1000}).Draw(rt, "limit")
			r.Platform = []string{"xla:cpu", "xla:cuda"}[i]
			id, err := db.CreateSweep(t.Context(), info)
			if err != nil {
				rt.Fatal(err)
			}
			if err := db.Register(t.Context(), id, r); err != nil {
				rt.Fatal(err)
			}
			ids = append(ids, id)
		}
		for _, rung := range r.Ladders[0].Rungs {
			for _, planned := range rung.Trials {
				writeHistory(rt, db, planned.Trial, names, ids)
			}
		}
		for _, id := range ids {
			s, err := db.Snapshot(t.Context(), id)
			if err != nil {
				rt.Fatal(err)
			}
			counts[id] = checkStates(rt, db, s)
		}
	})
	list, err := db.List(t.Context())
	if err != nil || len(list) != len(counts) {
		t.Fatalf("List() = %d sweeps, %v; want %d", len(list), err, len(counts))
	}
	seen := map[sweep.TrialState]int{}
	for _, l := range list {
		count := counts[l.ID]
		noLoss := count[sweep.TrialUnstable] + count[sweep.TrialOverMemory] + count[sweep.TrialOverTime]
		open := count[sweep.TrialRunning] + count[sweep.TrialInterrupted] + count[sweep.TrialCrashed]
		if l.Done != count[sweep.TrialDone] || l.Failed != count[sweep.TrialFailed] || l.NoLoss != noLoss || l.Open != open || l.Trials != 4 {
			t.Errorf("%s: the list counts %d done, %d failed, %d without a loss, %d open of %d; the snapshot has %v", l.Name, l.Done, l.Failed,
				l.NoLoss, l.Open, l.Trials, count)
		}
		for state, n := range count {
			seen[state] += n
		}
	}
	for _, state := range []sweep.TrialState{
		sweep.TrialPending, sweep.TrialRunning, sweep.TrialInterrupted, sweep.TrialCrashed, sweep.TrialDone, sweep.TrialUnstable,
		sweep.TrialOverMemory, sweep.TrialOverTime, sweep.TrialFailed,
	} {
		if seen[state] == 0 {
			t.Errorf("no history came to %s", state)
		}
	}
}

// writeHistory gives a trial attempts, most of them crashes of one sweep without progress.
// Now and then a person asks one of the sweeps to retry it.
func writeHistory(rt *rapid.T, db *store.DB, tr trial.Brief, sweeps []string, ids []int64) {
	states := slices.Concat(slices.Repeat([]trial.OutcomeState{trial.OutcomeCrashed}, 60), []trial.OutcomeState{
		"", "", "", trial.OutcomeInterrupted, trial.OutcomeDone, trial.OutcomeDone, trial.OutcomeDone,
		trial.OutcomeUnstable, trial.OutcomeOverMemory, trial.OutcomeOverTime,
		trial.OutcomeFailed,
	})
	owner, number := rapid.SampledFrom(sweeps).Draw(rt, "owner"), 0
	for range rapid.SampledFrom([]int{0, 1, 2, 4, 5, 6, 7, 8, 16, 20, 24}).Draw(rt, "attempts") {
		number += rapid.IntRange(1, 2).Draw(rt, "next")
		by := owner
		if rapid.SampledFrom([]bool{false, false, false, false, false, false, false, true}).Draw(rt, "shared") {
			by = rapid.SampledFrom(sweeps).Draw(rt, "by")
		}
		events := drawEvents(rt, rapid.SampledFrom(states).Draw(rt, "state"))
		if err := db.BeginAttempt(rt.Context(), tr.ID, number, trial.Assignment{Sweep: by, Trial: tr.Trial()}, moment(number)); err != nil {
			rt.Fatal(err)
		}
		if err := db.AppendEvents(rt.Context(), trial.NewAttemptID(tr.ID, number), events); err != nil {
			rt.Fatal(err)
		}
		if rapid.IntRange(0, 9).Draw(rt, "retry") == 0 {
			last := []trial.AttemptID{trial.NewAttemptID(tr.ID, number)}
			if err := db.Retry(rt.Context(), rapid.SampledFrom(ids).Draw(rt, "in"), last, moment(number)); err != nil {
				rt.Fatal(err)
			}
		}
	}
}

// TestTrialStatesAgreeAtTheLimits: one crash decides whether a trial has failed, in the view as in decisions.
func TestTrialStatesAgreeAtTheLimits(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	trials := registration().Ladders[0].Rungs
	for i, crashes := range []struct {
		times int
		by    cause.Cause
		want  sweep.TrialState
	}{
		{14, cause.Disk, sweep.TrialCrashed},
		{15, cause.Disk, sweep.TrialFailed},
		{4, cause.Crash, sweep.TrialCrashed},
		{5, cause.Crash, sweep.TrialFailed},
	} {
		tr := trials[i/2].Trials[i%2].Trial
		for number := range crashes.times {
			launch(t, db, tr, number+1, []trial.Event{
				{Seq: 1, At: moment(1), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Cause: crashes.by}},
			})
		}
		rows, err := db.Query(t.Context(), `SELECT state FROM trials WHERE id = ?`, string(tr.ID))
		if err != nil || len(rows) != 1 || rows[0][0] != string(crashes.want) {
			t.Errorf("%d × %s: the view says %v, %v; want %s", crashes.times, crashes.by, rows, err, crashes.want)
		}
		snapshot(t, db, id).Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
			if f.Trial.ID == tr.ID && f.State() != crashes.want {
				t.Errorf("%d × %s: the snapshot says %s, want %s", crashes.times, crashes.by, f.State(), crashes.want)
			}
		})
	}
}

// causes are those of attempts that crash, the common ones more than once.
func causes() []cause.Cause {
	return slices.Concat(slices.Repeat([]cause.Cause{cause.Disk, cause.Crash, cause.None, cause.Killed}, 8), []cause.Cause{
		cause.Lost, cause.NoProcess, cause.Hung, cause.Preempted, cause.NodeFailure, cause.Memory, cause.MemoryShared, cause.MemoryAsked,
		cause.Time, cause.Code,
	})
}

// drawEvents returns those of an attempt that ended so; one without a state runs.
func drawEvents(rt *rapid.T, state trial.OutcomeState) []trial.Event {
	var events []trial.Event
	add := func(e trial.Event) {
		e.Seq, e.At = int64(len(events)+1), moment(len(events))
		events = append(events, e)
	}
	if step := rapid.SampledFrom([]int{-1, -1, -1, -1, -1, 0, 1, 2}).Draw(rt, "checkpoint"); step >= 0 {
		add(trial.Event{Kind: trial.EventCheckpoint, Step: step})
	}
	if rapid.Bool().Draw(rt, "measured") {
		host := int64(rapid.IntRange(999, 1001).Draw(rt, "host"))
		device := int64(rapid.IntRange(999, 1001).Draw(rt, "device"))
		add(trial.Event{Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: &host, PeakDeviceBytes: &device}})
	}
	if state != "" {
		o := &trial.Outcome{State: state}
		if state == trial.OutcomeCrashed {
			o.Cause = rapid.SampledFrom(causes()).Draw(rt, "cause")
			o.MicroBatch = rapid.SampledFrom([]int{0, 0, 0, 4}).Draw(rt, "micro batch")
		}
		if state == trial.OutcomeDone {
			o.ValLoss = new(4.5)
		}
		add(trial.Event{Kind: trial.EventEnded, Outcome: o})
	}
	return events
}

// checkStates compares a sweep's trials with the view and the report, and counts their states.
func checkStates(rt *rapid.T, db *store.DB, s sweep.Snapshot) map[sweep.TrialState]int {
	want, count := map[string]string{}, map[sweep.TrialState]int{}
	for _, rung := range s.Ladders[0].Rungs {
		for _, facts := range rung.Trials {
			state := facts.State()
			want[string(facts.Trial.ID)] = string(state)
			count[state]++
		}
	}
	rows, err := db.Query(rt.Context(), `SELECT id, state, val_loss FROM trials WHERE sweep = ?`, s.Sweep.Name)
	if err != nil || len(rows) != len(want) {
		rt.Fatalf("view trials: %d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		if row[1] != want[row[0]] || (row[1] == "done") != (row[2] != "NULL") {
			rt.Errorf("%s: trial %s is %s with loss %s in the view, %s in the snapshot",
				s.Sweep.Name, row[0], row[1], row[2], want[row[0]])
		}
	}
	for _, rung := range report.Build(s).Ladders[0].Rungs {
		for _, trial := range rung.Trials {
			if string(trial.State) != want[string(trial.ID)] {
				rt.Errorf("%s: trial %s is %s in the report, %s in the snapshot", s.Sweep.Name, trial.ID, trial.State, want[string(trial.ID)])
			}
		}
	}
	return count
}
