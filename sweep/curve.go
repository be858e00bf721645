package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// CurveEvent is a point, an evaluation or a peak of memory that an attempt of a trial reported.
type CurveEvent struct {
	Attempt int // its number
	trial.Event
}

// Curve is what counts of a trial's events, given in the order in which they were reported: an attempt that continued from a checkpoint
// replaces what earlier ones reported of the steps after it. So a curve grows at its end alone until a new attempt takes its first step.
func Curve(events []CurveEvent) []CurveEvent {
	var kept []CurveEvent
	stepped := 0 // the attempt that went on last
	for _, e := range events {
		if e.Attempt != stepped && e.Kind != trial.EventMemory {
			stepped = e.Attempt
			kept = slices.DeleteFunc(kept, func(k CurveEvent) bool {
				// It may evaluate at the checkpoint's step, which it did not take again; its peak of memory follows.
				again := e.Kind == trial.EventPoint || k.Kind != trial.EventPoint
				return k.Attempt != e.Attempt && (k.Step > e.Step || k.Step == e.Step && again)
			})
		}
		kept = append(kept, e)
	}
	return kept
}
