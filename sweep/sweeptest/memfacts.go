package sweeptest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// facts derives what is known about a trial from its attempts' events.
func (m *MemStore) facts(t trial.Brief) sweep.TrialFacts {
	f := sweep.TrialFacts{Trial: t}
	losses := map[int]trial.Evaluation{}
	screened := map[int]trial.Screened{}
	for _, id := range m.attemptsOf(t.ID) {
		a := m.attempts[id]
		facts := sweep.AttemptFacts{ID: id, Number: a.number, Sweep: a.sweep, Intended: a.intended, CheckpointStep: -1, MicroBatch: a.micro}
		for _, seq := range slices.Sorted(maps.Keys(a.events)) {
			e := a.events[seq]
			facts.LastSeq, facts.LastAt = seq, e.At
			switch e.Kind {
			case trial.EventStarted:
				f.TrainableParams = e.Environment.TrainableParams
			case trial.EventPredicted:
				f.Prediction = e.Prediction
			case trial.EventPoint:
				f.LastStep = max(f.LastStep, e.Step)
				f.Tokens = max(f.Tokens, e.Point.Tokens)
			case trial.EventEval:
				f.LastStep = max(f.LastStep, e.Step)
				losses[e.Step] = *e.Evaluation
			case trial.EventCheckpoint:
				facts.CheckpointStep = max(facts.CheckpointStep, e.Step)
			case trial.EventMemory:
				f.Memory = merge(f.Memory, *e.Memory)
			case trial.EventScreened:
				screened[e.Screened.Rank] = *e.Screened
			case trial.EventEnded:
				facts.Outcome = e.Outcome
				f.Tokens = max(f.Tokens, e.Outcome.Tokens)
			case trial.EventResumed, trial.EventUpdates:
			}
		}
		f.Attempts = append(f.Attempts, facts)
	}
	for step, loss := range losses {
		f.Evaluations = append(f.Evaluations, sweep.StepLoss{Step: step, ValLoss: loss.ValLoss, Measures: loss.Measures, Seconds: loss.Seconds})
	}
	for _, rank := range slices.Sorted(maps.Keys(screened)) {
		f.Screened = append(f.Screened, screened[rank])
	}
	slices.SortFunc(f.Evaluations, func(a, b sweep.StepLoss) int { return cmp.Compare(a.Step, b.Step) })
	return f
}

// merge returns the larger of each peak, with its source.
func merge(a, b trial.Memory) trial.Memory {
	if a.PeakHostBytes == nil || b.PeakHostBytes != nil && *b.PeakHostBytes > *a.PeakHostBytes {
		a.PeakHostBytes, a.HostSource = b.PeakHostBytes, b.HostSource
	}
	if a.PeakDeviceBytes == nil || b.PeakDeviceBytes != nil && *b.PeakDeviceBytes > *a.PeakDeviceBytes {
		a.PeakDeviceBytes, a.DeviceSource = b.PeakDeviceBytes, b.DeviceSource
	}
	return a
}

// valid holds the invariants that a database's constraints would.
func valid(e trial.Event, others map[int64]trial.Event) error {
	if e.Seq < 1 {
		return errors.New("seq counts from 1")
	}
	if _, err := json.Marshal(e); err != nil {
		return err // a loss that is not finite
	}
	set := map[trial.EventKind]bool{
		trial.EventStarted: e.Environment != nil, trial.EventPredicted: e.Prediction != nil, trial.EventResumed: true,
		trial.EventPoint: e.Point != nil, trial.EventEval: e.Evaluation != nil, trial.EventCheckpoint: true,
		trial.EventMemory: e.Memory != nil, trial.EventScreened: e.Screened != nil, trial.EventUpdates: len(e.Updates) > 0,
		trial.EventEnded: e.Outcome != nil,
	}
	if !set[e.Kind] {
		return fmt.Errorf("kind %q lacks what it says", e.Kind)
	}
	for _, o := range others {
		if e.Kind == trial.EventEnded && o.Kind == trial.EventEnded {
			return errors.New("the attempt has an outcome")
		}
	}
	return nil
}
