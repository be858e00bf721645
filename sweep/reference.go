package sweep

import (
	"slices"

	"gonum.org/v1/gonum/stat"
)

// A ladder's reference trains the targets' weights themselves: what LoRA of any rank comes short of, or not. It stands beside the rungs,
// so that neither the rule nor a race or a strategy sees it, and it is trained once the ladder has come to its own end.

// referenceWork returns the trials of the reference that the ladder waits for or has finished. None begins that has not begun once one
// did not fit or took too long: the others would need as much.
func (s standing) referenceWork() []TrialFacts {
	if s.end != endRule && s.end != endRanks {
		return nil
	}
	trials := s.ladder.Reference
	limited := slices.ContainsFunc(trials, func(t TrialFacts) bool {
		return t.State() == TrialOverMemory || t.State() == TrialOverTime
	})
	if !limited {
		return trials
	}
	return slices.DeleteFunc(slices.Clone(trials), func(t TrialFacts) bool { return len(t.Attempts) == 0 })
}

// awaitsReference reports whether the ladder has an end and its reference is not over.
func (s standing) awaitsReference() bool {
	return slices.ContainsFunc(s.referenceWork(), func(t TrialFacts) bool { return !t.State().Over() })
}

// NoRung is the index of the rung that a trial of the reference stands at.
const NoRung = -1

// addReference gathers the trials that could start of a ladder's reference.
func (p *plan) addReference(ladder int, st *standing) {
	for _, t := range startables(st.referenceWork(), nil) {
		p.await(startable{ladder, st, NoRung, t, nil})
	}
}

// ReferenceChoice returns the candidate of the reference with the lowest mean loss over its seeds, of those whose trials are all done.
func (l Ladder) ReferenceChoice() (candidate int, ok bool) {
	all := Rung{Trials: l.Reference}
	var lowest float64
	for _, c := range all.candidates() {
		var losses []float64
		trials := all.of(c).Trials
		for i := range trials {
			if trials[i].State() == TrialDone {
				losses = append(losses, *trials[i].Final().ValLoss)
			}
		}
		if len(losses) < len(trials) {
			continue
		}
		if mean := stat.Mean(losses, nil); !ok || mean < lowest {
			candidate, lowest, ok = c, mean, true
		}
	}
	return candidate, ok
}
