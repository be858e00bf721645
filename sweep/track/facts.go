package track

import (
	"context"
	"errors"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Facts are a sweep at one moment.
type Facts struct {
	sweep.Snapshot
	Verdicts []plateau.Verdict // one per ladder
	Done     bool              // nothing is left to train
	Curve    func(ctx context.Context, id trial.ID) ([]sweep.CurveEvent, error)
}

// Sink brings a tool up to date.
type Sink interface {
	// Sync sends what the tool does not have yet. It returns how many things (runs, events) are still unsent; what was sent before an
	// error is not sent again.
	Sync(ctx context.Context, f Facts) (unsent int, err error)
}

// ErrRefused says that a tool does not take one run, where others may still be taken.
var ErrRefused = errors.New("refused")

// Runs returns a Sink that gives put each run that is new or has changed: the sweep's own first.
func Runs(put func(ctx context.Context, r Run) error) Sink {
	return &runs{put: put, sent: map[trial.ID]string{}}
}

type runs struct {
	put  func(ctx context.Context, r Run) error
	sent map[trial.ID]string // versions
}

// Sync implements Sink.
func (s *runs) Sync(ctx context.Context, f Facts) (unsent int, err error) {
	var refused []error
	put := func(r Run) error {
		if err := s.put(ctx, r); err != nil {
			return fmt.Errorf("run %s: %w", r.Name, err)
		}
		s.sent[r.Trial] = r.version
		return nil
	}
	send := func(version string, id trial.ID, run func() (Run, error)) {
		switch {
		case s.sent[id] == version:
			return
		case err != nil: // the tool is away
			unsent++
			return
		}
		r, failed := run()
		if failed == nil {
			r.version = version
			failed = put(r)
		}
		switch {
		case errors.Is(failed, ErrRefused):
			refused = append(refused, failed)
			unsent++
		case failed != nil:
			err = failed
			unsent++
		}
	}
	own := sweepRun(f)
	send(own.version, own.Trial, func() (Run, error) { return own, nil })
	eachBegun(f.Snapshot, func(l *sweep.Ladder, rung int, t *sweep.TrialFacts) {
		send(version(f, t), t.Trial.ID, func() (Run, error) {
			events, err := f.Curve(ctx, t.Trial.ID)
			return trialRun(f, l, rung, t, events), err
		})
	})
	return unsent, errors.Join(append(refused, err)...)
}

// eachBegun visits every trial that was begun once. A sweep that scouts alone is shown without what others trained of its ladders.
func eachBegun(s sweep.Snapshot, visit func(l *sweep.Ladder, rung int, t *sweep.TrialFacts)) {
	seen := map[trial.ID]bool{}
	s.Each(func(l *sweep.Ladder, rung int, t *sweep.TrialFacts) {
		foreign := s.Sweep.Strategy == sweep.StrategyCurve && t.Trial.Spec().Shrink == nil
		if len(t.Attempts) == 0 || seen[t.Trial.ID] || foreign {
			return
		}
		seen[t.Trial.ID] = true
		visit(l, rung, t)
	})
}
