package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ledger is what the database has acknowledged and must never lose.
type ledger map[trial.AttemptID]*acknowledged

type acknowledged struct {
	seq      int64
	outcome  *trial.Outcome
	forgiven bool // a person asked to retry it
	losses   map[int]float64
}

func (l ledger) begun(id trial.AttemptID) {
	if l[id] == nil {
		l[id] = &acknowledged{losses: map[int]float64{}}
	}
}

func (l ledger) appended(id trial.AttemptID, events []trial.Event) {
	l.begun(id)
	a := l[id]
	for _, e := range events {
		if e.Seq <= a.seq {
			continue
		}
		a.seq = e.Seq
		if e.Evaluation != nil {
			a.losses[e.Step] = e.Evaluation.ValLoss
		}
		if e.Outcome != nil {
			a.outcome = e.Outcome
		}
	}
}

// done reports whether the trial has a result that the database knows of.
func (l ledger) done(id trial.ID) bool {
	for attempt, a := range l {
		if attempt.Trial() == id && a.outcome != nil && a.outcome.State == trial.OutcomeDone {
			return true
		}
	}
	return false
}

// check holds what was acknowledged against what is read.
func (l ledger) check(h *history, s sweep.Snapshot) {
	read := map[trial.AttemptID]sweep.AttemptFacts{}
	losses := map[trial.ID][]sweep.StepLoss{}
	s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		losses[t.Trial.ID] = t.Evaluations
		results := 0
		for _, a := range t.Attempts {
			read[a.ID] = a
			if a.Outcome != nil && a.Outcome.State == trial.OutcomeDone && !h.screens[a.ID] {
				results++
			}
		}
		if results > 1 {
			h.wrong("trial %.6s has %d results", t.Trial.ID, results)
		}
	})
	for id, a := range l {
		got, there := read[id]
		switch {
		case !there:
			h.wrong("attempt %s was acknowledged and is lost", short(id))
		case got.LastSeq < a.seq:
			h.wrong("attempt %s has %d events of %d that were acknowledged", short(id), got.LastSeq, a.seq)
		case a.outcome != nil && (got.Outcome == nil || a.outcome.State == trial.OutcomeDone && !reflect.DeepEqual(got.Outcome, a.outcome)):
			h.wrong("attempt %s ended as %+v, not as %+v", short(id), got.Outcome, a.outcome)
		}
		for step := range a.losses {
			if !slices.ContainsFunc(losses[id.Trial()], func(e sweep.StepLoss) bool { return e.Step == step }) {
				h.wrong("trial %.6s has lost its evaluation at step %d", id.Trial(), step)
			}
		}
	}
}

// outcome is what a sweep comes to, without attempts and times.
type outcome struct {
	verdicts []plateau.Verdict
	spent    bool // limits.time ended it, wherever it was
	trials   map[trial.ID]ending
}

// ending is what is known of a trial that is over.
type ending struct {
	place       place
	state       sweep.TrialState
	final       trial.Outcome
	evaluations []sweep.StepLoss
	screened    []trial.Screened
	steps       int
}

// place is a rung of a ladder, both from 0.
type place struct{ ladder, rung int }

func outcomeOf(s sweep.Snapshot) outcome {
	limit := s.Sweep.Limits.Time
	o := outcome{sweep.Conclude(s).Verdicts, limit > 0 && s.Sweep.Elapsed >= limit, map[trial.ID]ending{}}
	s.Each(func(l *sweep.Ladder, rung int, t *sweep.TrialFacts) {
		if !t.State().Over() {
			return
		}
		e := ending{place{l.Index, rung}, t.State(), trial.Outcome{}, t.Evaluations, t.Screened, t.LastStep}
		if f := t.Final(); f != nil {
			e.final = *f
			e.final.Error = ""
		}
		o.trials[t.Trial.ID] = e
	})
	return o
}

// compare says how a history's outcome differs from that of the one in which nothing went wrong. What was trained ahead of a need that
// never came may differ, and no time may be left to measure a truncated loss again that both a worker and the database lost.
func (h *history) compare(got outcome) {
	for i, want := range h.want.verdicts {
		if !got.spent && !h.want.spent && !contested(i, got, h.want) && !reflect.DeepEqual(got.verdicts[i], want) {
			h.wrong("ladder %d: %s at rank %d, without faults %s at rank %d\n%+v\n%+v", i+1, got.verdicts[i].State, got.verdicts[i].RecommendedRank,
				want.State, want.RecommendedRank, got.verdicts[i], want)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(got.trials)) {
		want, there := h.want.trials[id]
		if got.spent {
			want.screened = atRanksOf(want.screened, got.trials[id].screened)
		}
		if there && !reflect.DeepEqual(got.trials[id], want) {
			h.wrong("trial %.6s came to\n%+v, without faults to\n%+v", id, got.trials[id], want)
		}
	}
}

// contested reports whether a ladder may be unstable in one history and memory_limited in the other: a rank of it has a trial that
// diverges and one that runs out of memory. It is over with whichever comes first, and the rest of its trials, which might have made a
// majority that diverges, are not begun.
func contested(ladder int, got, want outcome) bool {
	states := []plateau.State{got.verdicts[ladder].State, want.verdicts[ladder].State}
	if !slices.Contains(states, plateau.StateUnstable) || !slices.Contains(states, plateau.StateMemoryLimited) {
		return false
	}
	diverged, over := map[place]bool{}, map[place]bool{}
	for _, o := range []outcome{got, want} {
		for _, e := range o.trials {
			diverged[e.place] = diverged[e.place] || e.state == sweep.TrialUnstable
			over[e.place] = over[e.place] || e.state == sweep.TrialOverMemory
		}
	}
	for at := range over {
		if at.ladder == ladder && over[at] && diverged[at] {
			return true
		}
	}
	return false
}

// atRanksOf keeps what was screened at a rank that others were screened at, too.
func atRanksOf(screened, others []trial.Screened) (kept []trial.Screened) {
	for _, s := range screened {
		if slices.ContainsFunc(others, func(o trial.Screened) bool { return o.Rank == s.Rank }) {
			kept = append(kept, s)
		}
	}
	return kept
}

// conclude looks at what a finished sweep has left.
func (c *coordinator) conclude(ctx context.Context, db *store.DB, s sweep.Snapshot) error {
	h := c.h
	if err := db.Check(ctx); err != nil {
		h.wrong("%v", err)
	}
	read, err := db.Snapshot(ctx, h.id)
	if err != nil {
		return err
	}
	h.facts.check(h, read)
	got := outcomeOf(read)
	if !reflect.DeepEqual(got, outcomeOf(s)) {
		h.wrong("the scheduler's last facts are not the database's")
	}
	if ids, _ := h.fake.Alive(); len(ids) > 0 {
		h.wrong("the sweep is done and %v live", ids)
	}
	if h.before != nil && len(h.want.verdicts) > 0 && read.Sweep.GridHash != h.info.GridHash {
		h.then(personExtends, time.Duration(h.rng.Int64N(int64(20*time.Second))))
		return nil
	}
	if h.mendable(read, got) {
		h.then(personRetries, time.Duration(h.rng.Int64N(int64(20*time.Second))))
		return nil
	}
	h.checkTimeLimited(got)
	if len(h.want.verdicts) > 0 {
		h.compare(got)
	}
	if err := h.checkRecorded(ctx, db, got); err != nil {
		return err
	}
	h.ends = &got
	return nil
}

// checkRecorded holds the verdicts in the database against those that the facts give, and a result against its curve. The list of sweeps
// takes a tenth of a history: where nobody extended the sweep or retried trials it is asked for now and then.
func (h *history) checkRecorded(ctx context.Context, db *store.DB, got outcome) error {
	if seldom := h.rng.IntN(8) == 0; seldom || h.before != nil || len(h.lossy) > 0 {
		list, err := db.List(ctx)
		if err != nil {
			return err
		}
		for i, v := range got.verdicts {
			if list[0].Verdicts[i] != v.State {
				h.wrong("ladder %d is recorded as %s and is %s", i+1, list[0].Verdicts[i], v.State)
			}
		}
	}
	ids := slices.Sorted(maps.Keys(got.trials))
	if len(ids) == 0 { // limits.time ran out before
		return nil
	}
	id := ids[h.rng.IntN(len(ids))]
	if got.trials[id].state != sweep.TrialDone {
		return nil
	}
	points, err := db.Points(ctx, id)
	if err != nil {
		return err
	}
	for i, p := range points {
		if p.Step != i+1 {
			h.wrong("trial %.6s lacks step %d", id, i+1)
			return nil
		}
	}
	if len(points) != got.trials[id].final.Step {
		h.wrong("trial %.6s has %d of %d steps", id, len(points), got.trials[id].final.Step)
	}
	return nil
}

// judge looks at how a coordinator ended.
func (h *history) judge(ctx context.Context, c *coordinator) {
	var others int
	for _, o := range h.lives {
		if o.leads {
			others++
		}
	}
	switch {
	case c.err == nil, errors.Is(c.err, errKilled):
	case errors.Is(c.err, sweep.ErrInterrupted):
		if !c.asked && c.told == 0 {
			h.wrong("%s was interrupted by nobody", c)
		}
		if ids, _ := h.fake.Alive(); len(ids) > 0 && others == 0 {
			h.wrong("%s was interrupted and %v live", c, ids)
		}
	case errors.Is(c.err, sweep.ErrLocked):
		if others == 0 && c.host == "a" {
			h.note("nobody holds the lease")
		}
	case h.lied:
		h.lied = false
		h.loseDatabase(ctx)
	case c.excuse == "":
		h.wrong("%s ended for no reason: %v", c, c.err)
	}
}

// checkStart holds a launch against what Decide and the scheduler promise.
func (h *history) checkStart(ctx context.Context, c *coordinator, a trial.Assignment) {
	ids, _ := h.fake.Alive()
	known, _ := h.fake.Attempts(ctx, a.Attempt.Trial())
	h.checkShape(c, a, ids)
	h.checkTime(c, a)
	h.screens[a.Attempt] = len(a.Screen) > 0 && h.facts.done(a.Attempt.Trial())
	switch {
	case c.heard:
		h.wrong("%s starts %s after it was asked to stop", c, short(a.Attempt))
	case !c.leads:
		h.wrong("%s starts %s after it lost its lease", c, short(a.Attempt))
	case c.told > 0 && c.shouldKnow(c.told):
		h.wrong("%s starts %s after the sweep was cancelled", c, short(a.Attempt))
	case h.paused > 0 && c.shouldKnow(h.paused):
		h.wrong("%s starts %s though the sweep was paused at %v", c, short(a.Attempt), h.paused)
	case h.facts.done(a.Attempt.Trial()) && len(a.Screen) == 0:
		h.wrong("%s starts %s though the trial is done", c, short(a.Attempt))
	case len(ids) >= h.capacity.Jobs:
		h.wrong("%s starts %s beside %v on %d jobs", c, short(a.Attempt), ids, h.capacity.Jobs)
	case slices.Contains(known, a.Attempt):
		h.wrong("%s starts %s again", c, short(a.Attempt))
	case !slices.IsSortedFunc(a.Checkpoints, newestFirst):
		h.wrong("%s starts %s from %v", c, short(a.Attempt), a.Checkpoints)
	}
}

// newestFirst orders folders of one trial's attempts, which end in their numbers.
func newestFirst(a, b string) int {
	return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a))
}

// checkLease looks whether a coordinator that has just taken the lease took it from one that lives.
func (h *history) checkLease(c *coordinator) {
	for _, o := range h.lives {
		if o != c && o.leads && h.shift == 0 && h.took-o.since > store.LeaseTime && h.took-o.thawed > store.LeaseTime && o.until < h.took {
			h.wrong("%s took the lease of %s, which lives", c, o)
		}
	}
}

// patience is how long a worker may go unknown to a living coordinator.
const patience = 10 * time.Second

// checkWorkers looks for workers that no coordinator knows of.
func (h *history) checkWorkers() {
	for _, c := range h.lives {
		if !c.leads || h.took-max(c.since, c.thawed) <= patience || c.until > h.took {
			continue
		}
		ids, ages := h.fake.Alive()
		h.checkStuck(c, ids)
		h.checkSpent(c, ids)
		for i, id := range ids {
			if ages[i] > patience && h.took-max(c.probed[id], h.full) > patience { // who finds the disk full waits
				h.wrong("%s does not know of %s, begun %v ago", c, short(id), ages[i])
			}
		}
	}
}

// rival starts a coordinator on the other host while c is frozen.
func (h *history) rival(c *coordinator, after time.Duration) {
	k := rivalOnA
	if c.otherHost() == "b" {
		k = rivalOnB
	}
	h.then(k, after)
}

func (o outcome) String() string {
	var states []string
	for _, v := range o.verdicts {
		states = append(states, fmt.Sprintf("%s at rank %d", v.State, v.RecommendedRank))
	}
	return fmt.Sprint(states)
}
