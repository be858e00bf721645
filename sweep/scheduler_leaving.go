package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// EndLeaving ends the processes of a sweep's attempts that have had their last word but do not exit, where no coordinator is left to do so:
// as that, it asks those whose last word was heard a while ago to end, and then kills them. wait is called before it waits. It returns the
// attempts whose processes outlive even that.
func EndLeaving(ctx context.Context, s Snapshot, exec Executor, clock Clock, wait func(id trial.AttemptID),
) (left []trial.AttemptID, err error) {
	since := s.leavingSince()
	err = s.distinct(indices(len(s.Ladders)), func(t *TrialFacts) bool { return len(t.Attempts) > 0 }, func(_ int, t *TrialFacts) error {
		last, may := t.mayLeave(since)
		if !may {
			return nil
		}
		process, err := exec.Probe(ctx, last.ID)
		if err != nil || !process.Alive {
			return err
		}
		wait(last.ID)
		gone, err := endLeaving(ctx, last, exec, clock)
		if !gone {
			left = append(left, last.ID)
		}
		return err
	})
	if err != nil {
		return left, fmt.Errorf("end the workers that are left of sweep %s: %w", s.Sweep.Name, err)
	}
	return left, nil
}

// endLeaving waits for one to be gone, and asks, then kills it.
func endLeaving(ctx context.Context, a AttemptFacts, exec Executor, clock Clock) (gone bool, err error) {
	began := clock.Now()
	age := min(exitPatience, max(0, began.Wall.Sub(a.LastAt)))
	due := []time.Duration{exitPatience, exitPatience + termPatience, 2 * exitPatience} // to ask, to kill, to give it up
	stops := 0
	for {
		process, err := exec.Probe(ctx, a.ID)
		if err != nil || !process.Alive {
			return err == nil, err
		}
		if age+clock.Now().Uptime-began.Uptime >= due[stops] {
			if stops == 2 {
				return false, nil
			}
			if err := exec.Stop(ctx, a.ID, stops == 1); err != nil {
				return false, err
			}
			stops++
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-clock.After(probeEvery):
		}
	}
}
