package sweeptest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// MemStore implements Store in memory. The zero value is an empty store.
type MemStore struct {
	mu       sync.Mutex
	sweeps   []*memSweep // ids count from 1
	ladders  []*memLadder
	trials   map[trial.ID]trial.Brief
	attempts map[trial.AttemptID]*memAttempt
	sessions []*memSession
}

type memSweep struct {
	info    sweep.Info
	ladders []*memLadder
	retried map[trial.ID]int
}

type memLadder struct {
	id       int64
	seeds    []int64 // of the sweep
	plan     sweep.LadderPlan
	extra    []sweep.ExtraTrial
	verdicts []plateau.Verdict
}

type memAttempt struct {
	number   int
	sweep    string
	intended time.Time
	micro    int // trial.Assignment.MicroBatch
	events   map[int64]trial.Event
}

type memSession struct {
	sweep       int64
	start, beat time.Duration // uptime
}

// CreateSweep implements Store.
func (m *MemStore) CreateSweep(_ context.Context, info sweep.Info) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sweeps {
		if s.info.Name == info.Name {
			return 0, fmt.Errorf("sweep %s exists", info.Name)
		}
	}
	info.ID, info.Strategy = int64(len(m.sweeps)+1), cmp.Or(info.Strategy, sweep.StrategyLadder)
	m.sweeps = append(m.sweeps, &memSweep{info: info})
	return info.ID, nil
}

// StartSession implements Store: the newest session holds the lease.
func (m *MemStore) StartSession(_ context.Context, sweepID int64, now sweep.Instant, _ sweep.Coordinator) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.find(sweepID); err != nil {
		return 0, err
	}
	m.sessions = append(m.sessions, &memSession{sweep: sweepID, start: now.Uptime, beat: now.Uptime})
	m.sweeps[sweepID-1].info.Asked.Cancelled = false
	return int64(len(m.sessions)), nil
}

// Heartbeat implements sweep.Store.
func (m *MemStore) Heartbeat(_ context.Context, session int64, now sweep.Instant, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if session < 1 || session > int64(len(m.sessions)) {
		return sweep.ErrLocked
	}
	own := m.sessions[session-1]
	for _, newer := range m.sessions[session:] {
		if newer.sweep == own.sweep {
			return sweep.ErrLocked
		}
	}
	own.beat = max(own.beat, now.Uptime)
	return nil
}

// Register implements sweep.Store.
func (m *MemStore) Register(_ context.Context, sweepID int64, r sweep.Registration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(sweepID)
	if err != nil {
		return err
	}
	if len(s.ladders) > 0 {
		if err := s.registeredAs(r); err != nil {
			return err
		}
		s.info.Platform, s.info.PluginPath = r.Platform, r.PluginPath
		return nil
	}
	s.info.Backend, s.info.Platform, s.info.PluginPath, s.info.Warnings = r.Backend, r.Platform, r.PluginPath, r.Warnings
	s.info.Rule.NoiseSD, s.info.Rule.NoiseSource = r.NoiseSD, r.NoiseSource
	if m.trials == nil {
		m.trials = map[trial.ID]trial.Brief{}
	}
	for _, plan := range r.Ladders {
		l := &memLadder{id: int64(len(m.ladders) + 1), seeds: s.info.Seeds, plan: plan}
		m.ladders = append(m.ladders, l)
		s.ladders = append(s.ladders, l)
		for _, r := range plan.Rungs {
			for _, t := range r.Trials {
				m.trials[t.Trial.ID] = t.Trial
			}
		}
		for _, t := range plan.Reference {
			m.trials[t.Trial.ID] = t.Trial
		}
	}
	return nil
}

// registeredAs compares a registration with the one that is there.
func (s *memSweep) registeredAs(r sweep.Registration) error {
	same := s.info.Backend == r.Backend && len(s.ladders) == len(r.Ladders)
	for i := 0; same && i < len(s.ladders); i++ {
		same = reflect.DeepEqual(s.ladders[i].plan.Rungs, r.Ladders[i].Rungs) &&
			reflect.DeepEqual(s.ladders[i].plan.Reference, r.Ladders[i].Reference)
	}
	if !same {
		return fmt.Errorf("sweep %s is registered with other trials", s.info.Name)
	}
	return nil
}

// AddTrials implements sweep.Store.
func (m *MemStore) AddTrials(_ context.Context, ladder int64, trials []sweep.ExtraTrial) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ladder < 1 || ladder > int64(len(m.ladders)) {
		return fmt.Errorf("ladder %d: %w", ladder, sweep.ErrNotFound)
	}
	l := m.ladders[ladder-1]
	next := slices.Clone(l.extra)
	for _, t := range trials {
		if err := l.check(t); err != nil {
			return fmt.Errorf("ladder %d, trial %s: %w", ladder, t.Trial.ID, err)
		}
		same := func(o sweep.ExtraTrial) bool {
			alike := (o.Trial.Spec().Shrink == nil) == (t.Trial.Spec().Shrink == nil)
			return alike && o.Rank == t.Rank && o.Candidate == t.Candidate && o.Trial.Seed == t.Trial.Seed
		}
		if i := slices.IndexFunc(next, same); i < 0 {
			next = append(next, t)
		} else if next[i].Trial.ID != t.Trial.ID {
			return fmt.Errorf("ladder %d, rank %d: seed %d is trial %s, not %s", ladder, t.Rank, t.Trial.Seed, next[i].Trial.ID, t.Trial.ID)
		}
	}
	l.extra = next
	for _, t := range trials {
		m.trials[t.Trial.ID] = t.Trial
	}
	return nil
}

// check holds what must be true of an extra trial of the ladder.
func (l *memLadder) check(t sweep.ExtraTrial) error {
	switch {
	case !slices.ContainsFunc(l.plan.Rungs, func(r sweep.RungPlan) bool { return r.Rank == t.Rank }) || t.Trial.Rank != t.Rank:
		return fmt.Errorf("it is none of rank %d of the ladder", t.Rank)
	case t.Candidate < 0 || t.Candidate >= max(1, len(l.plan.Candidates)):
		return fmt.Errorf("the ladder has no candidate %d", t.Candidate)
	case t.Trial.Spec().Shrink == nil && slices.Contains(l.seeds, t.Trial.Seed):
		return fmt.Errorf("seed %d is one of the grid's", t.Trial.Seed)
	}
	return nil
}

// Confirm implements Store.
func (m *MemStore) Confirm(_ context.Context, sweepID int64, maxSeeds int, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(sweepID)
	if err != nil {
		return err
	}
	if maxSeeds < 1 {
		return fmt.Errorf("max_seeds %d: want a positive number", maxSeeds)
	}
	s.info.Confirm(maxSeeds)
	return nil
}

// BeginAttempt implements sweep.Store.
func (m *MemStore) BeginAttempt(_ context.Context, tr trial.ID, number int, a trial.Assignment, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.trials[tr]; !ok {
		return fmt.Errorf("trial %s: %w", tr, sweep.ErrNotFound)
	}
	if m.attempts == nil {
		m.attempts = map[trial.AttemptID]*memAttempt{}
	}
	id := trial.NewAttemptID(tr, number)
	if m.attempts[id] == nil {
		m.attempts[id] = &memAttempt{number: number, sweep: a.Sweep, intended: at, micro: a.MicroBatch, events: map[int64]trial.Event{}}
	}
	return nil
}

// AppendEvents implements Store.
func (m *MemStore) AppendEvents(ctx context.Context, id trial.AttemptID, events []trial.Event) error {
	return m.Append(ctx, sweep.News{Attempt: id, Events: events})
}

// Append implements sweep.Store: all of them or, where one is not valid, none.
func (m *MemStore) Append(_ context.Context, news ...sweep.News) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[trial.AttemptID]map[int64]trial.Event{}
	for _, n := range news {
		a := m.attempts[n.Attempt]
		if a == nil {
			return fmt.Errorf("attempt %s: %w", n.Attempt, sweep.ErrNotFound)
		}
		if next[n.Attempt] == nil {
			next[n.Attempt] = maps.Clone(a.events)
		}
		for _, e := range n.Events {
			if _, known := next[n.Attempt][e.Seq]; known {
				continue
			}
			if err := valid(e, next[n.Attempt]); err != nil {
				return fmt.Errorf("attempt %s, event %d: %w", n.Attempt, e.Seq, err)
			}
			next[n.Attempt][e.Seq] = e
		}
	}
	for id, events := range next {
		m.attempts[id].events = events
	}
	return nil
}

// RecordVerdict implements sweep.Store.
func (m *MemStore) RecordVerdict(_ context.Context, ladder int64, v plateau.Verdict, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ladder < 1 || ladder > int64(len(m.ladders)) {
		return fmt.Errorf("ladder %d: %w", ladder, sweep.ErrNotFound)
	}
	l := m.ladders[ladder-1]
	if n := len(l.verdicts); n == 0 || !reflect.DeepEqual(l.verdicts[n-1], v) {
		l.verdicts = append(l.verdicts, v)
	}
	return nil
}

// Verdicts returns what was recorded for a ladder, oldest first.
func (m *MemStore) Verdicts(ladder int64) []plateau.Verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ladders[ladder-1].verdicts)
}

// Refresh implements sweep.Store.
func (m *MemStore) Refresh(ctx context.Context, s sweep.Snapshot, _ ...int) (sweep.Snapshot, error) {
	next, err := m.Snapshot(ctx, s.Sweep.ID)
	for i, l := range next.Ladders {
		if i < len(s.Ladders) && reflect.DeepEqual(l, s.Ladders[i]) {
			next.Ladders[i] = s.Ladders[i]
		}
	}
	return next, err
}

// Snapshot implements Store.
func (m *MemStore) Snapshot(_ context.Context, sweepID int64) (sweep.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(sweepID)
	if err != nil {
		return sweep.Snapshot{}, err
	}
	out := sweep.Snapshot{Sweep: s.info}
	for _, session := range m.sessions {
		if session.sweep == sweepID {
			out.Sweep.Elapsed += session.beat - session.start
		}
	}
	for i, l := range s.ladders {
		ladder := sweep.Ladder{
			ID: l.id, Index: i, Cell: l.plan.Cell, Model: l.plan.Model, Corpus: l.plan.Corpus, Candidates: l.plan.Candidates,
		}
		for j := range l.plan.Rungs {
			ladder.Rungs = append(ladder.Rungs, m.rung(l, j))
		}
		ladder.Scouts = m.scouts(l)
		for _, t := range l.plan.Reference {
			f := m.facts(t.Trial)
			f.Candidate = t.Candidate
			ladder.Reference = append(ladder.Reference, f)
		}
		out.Ladders = append(out.Ladders, ladder)
	}
	out.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) { t.Retried = s.retried[t.Trial.ID] })
	out.Reopen()
	out.CountTokens()
	return out, nil
}

// rung returns a ladder's rung with its trials candidate by candidate, the extra seeds of each behind those of the grid.
func (m *MemStore) rung(l *memLadder, index int) sweep.Rung {
	plan := l.plan.Rungs[index]
	rung := sweep.Rung{Rank: plan.Rank}
	for c := range max(1, len(l.plan.Candidates)) {
		for _, t := range plan.Trials {
			if t.Candidate == c {
				f := m.facts(t.Trial)
				f.Candidate = c
				rung.Trials = append(rung.Trials, f)
			}
		}
		var extra []sweep.TrialFacts
		for _, t := range l.extra {
			if t.Rank == rung.Rank && t.Candidate == c && t.Trial.Spec().Shrink == nil {
				f := m.facts(t.Trial)
				f.Candidate, f.Extra = c, true
				extra = append(extra, f)
			}
		}
		slices.SortFunc(extra, func(a, b sweep.TrialFacts) int { return cmp.Compare(a.Trial.Seed, b.Trial.Seed) })
		rung.Trials = append(rung.Trials, extra...)
	}
	return rung
}

// scouts returns a ladder's scouts by rank and candidate.
func (m *MemStore) scouts(l *memLadder) []sweep.TrialFacts {
	var scouts []sweep.TrialFacts
	for _, t := range l.extra {
		if t.Trial.Spec().Shrink != nil {
			f := m.facts(t.Trial)
			f.Candidate = t.Candidate
			scouts = append(scouts, f)
		}
	}
	slices.SortFunc(scouts, func(a, b sweep.TrialFacts) int {
		return cmp.Or(cmp.Compare(a.Trial.Rank, b.Trial.Rank), cmp.Compare(a.Candidate, b.Candidate))
	})
	return scouts
}

func (m *MemStore) find(sweepID int64) (*memSweep, error) {
	if sweepID < 1 || sweepID > int64(len(m.sweeps)) {
		return nil, fmt.Errorf("sweep %d: %w", sweepID, sweep.ErrNotFound)
	}
	return m.sweeps[sweepID-1], nil
}

// attemptsOf returns a trial's attempts, oldest first.
func (m *MemStore) attemptsOf(tr trial.ID) []trial.AttemptID {
	var ids []trial.AttemptID
	for id := range m.attempts {
		if id.Trial() == tr {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b trial.AttemptID) int { return cmp.Compare(a.Number(), b.Number()) })
	return ids
}
