package sweeptest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Asked implements sweep.Store.
func (m *MemStore) Asked(_ context.Context, sweepID int64) (sweep.Asked, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(sweepID)
	if err != nil {
		return sweep.Asked{}, err
	}
	return s.info.Asked, nil
}

// Ask implements Store.
func (m *MemStore) Ask(_ context.Context, sweepID int64, kind sweep.RequestKind, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(sweepID)
	if err != nil {
		return err
	}
	s.info.Asked.Last++
	switch kind {
	case sweep.RequestPause, sweep.RequestResume:
		s.info.Asked.Paused = kind == sweep.RequestPause
	case sweep.RequestCancel:
		if !slices.ContainsFunc(m.sessions, func(o *memSession) bool { return o.sweep == sweepID }) {
			return fmt.Errorf("session of sweep %d: %w", sweepID, sweep.ErrNotFound)
		}
		s.info.Asked.Cancelled = true
	case sweep.RequestRetry:
		return fmt.Errorf("request %s names no trials", kind)
	}
	return nil
}

// Retry implements Store.
func (m *MemStore) Retry(_ context.Context, sweepID int64, last []trial.AttemptID, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(sweepID)
	if err != nil {
		return err
	}
	numbers := map[trial.ID]int{}
	for _, id := range last {
		if !slices.Contains(m.attemptsOf(id.Trial()), id) {
			return fmt.Errorf("attempt %s: %w", id, sweep.ErrNotFound)
		}
		numbers[id.Trial()] = id.Number()
	}
	s.info.Asked.Last++
	if s.retried == nil {
		s.retried = map[trial.ID]int{}
	}
	maps.Copy(s.retried, numbers)
	return nil
}
