package sweep_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestCurve(t *testing.T) {
	t.Parallel()
	event := func(kind trial.EventKind) func(attempt, step int) sweep.CurveEvent {
		return func(attempt, step int) sweep.CurveEvent {
			return sweep.CurveEvent{Attempt: attempt, Event: trial.Event{Kind: kind, Step: step}}
		}
	}
	p, e, m := event(trial.EventPoint), event(trial.EventEval), event(trial.EventMemory)
	for name, test := range map[string]struct{ reported, want []sweep.CurveEvent }{
		"nothing":         {},
		"one attempt":     {[]sweep.CurveEvent{e(1, 0), p(1, 1), e(1, 1), m(1, 1)}, []sweep.CurveEvent{e(1, 0), p(1, 1), e(1, 1), m(1, 1)}},
		"continued":       {[]sweep.CurveEvent{p(1, 1), p(1, 2), e(1, 2), p(2, 2), e(2, 2)}, []sweep.CurveEvent{p(1, 1), p(2, 2), e(2, 2)}},
		"twice":           {[]sweep.CurveEvent{p(1, 1), p(1, 2), p(1, 3), p(2, 3), p(2, 4), p(3, 2)}, []sweep.CurveEvent{p(1, 1), p(3, 2)}},
		"from the start":  {[]sweep.CurveEvent{e(1, 0), p(1, 1), e(2, 0)}, []sweep.CurveEvent{e(2, 0)}},
		"evaluated again": {[]sweep.CurveEvent{p(1, 1), e(1, 1), p(1, 2), e(2, 1), p(2, 2)}, []sweep.CurveEvent{p(1, 1), e(2, 1), p(2, 2)}},
		"memory again":    {[]sweep.CurveEvent{e(1, 0), m(1, 0), e(2, 0), m(2, 0), p(2, 1)}, []sweep.CurveEvent{e(2, 0), m(2, 0), p(2, 1)}},
		"memory first":    {[]sweep.CurveEvent{p(1, 1), p(1, 2), m(2, 1), p(2, 2)}, []sweep.CurveEvent{p(1, 1), m(2, 1), p(2, 2)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, sweep.Curve(test.reported)); diff != "" {
				t.Errorf("Curve (-want +got):\n%s", diff)
			}
		})
	}
}
