package sweeptest

import (
	"cmp"
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
