package report

import (
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// Reference is a ladder's full fine-tuning, at the learning rate with the lowest mean loss. No verdict and no recommendation rests on it.
type Reference struct {
	LearningRate float64           `json:"learning_rate"` // 0 while none has finished all seeds
	ValLoss      *plateau.Interval `json:"val_loss"`      // mean over the seeds; nil likewise
	// Gain is over the ladder's recommended rank, paired by seed, with Student bounds; nil while there is none, or no common seed.
	Gain   *plateau.Interval `json:"gain_over_recommended"`
	Cost   Cost              `json:"cost"`
	Trials []Trial           `json:"trials"` // of that learning rate; all while there is none
	Tried  []float64         `json:"tried"`  // learning rates with a finished seed

	over       int         // the recommended rank
	candidates []Candidate // all learning rates, with their trials
}

// newReference returns what a ladder's reference shows; nil where it has none, or none has begun.
func newReference(l sweep.Ladder, rungs []Rung, v plateau.Verdict, rule plateau.Rule) *Reference {
	if !started(sweep.Rung{Trials: l.Reference}) {
		return nil
	}
	out := &Reference{Trials: []Trial{}, Tried: []float64{}, over: v.RecommendedRank}
	chosen, ok := l.ReferenceChoice()
	for _, t := range l.Reference {
		rate := t.Trial.Spec().Train.LearningRate
		shown := newTrial(t)
		if t.Candidate == len(out.candidates) {
			out.candidates = append(out.candidates, Candidate{Tuned: Cell{{Name: "learning_rate", Value: fmt.Sprint(rate)}}})
		}
		of := &out.candidates[t.Candidate]
		of.Trials = append(of.Trials, shown)
		if t.State() == sweep.TrialDone && !slices.Contains(out.Tried, rate) {
			out.Tried = append(out.Tried, rate)
		}
		if ok && t.Candidate != chosen {
			continue
		}
		out.Trials = append(out.Trials, shown)
		if ok {
			out.LearningRate = rate
		}
	}
	out.Cost = cost(out.Trials)
	if !ok {
		return out
	}
	var losses []float64
	for _, t := range out.Trials {
		losses = append(losses, *t.ValLoss)
	}
	out.ValLoss = &plateau.Interval{Mean: stat.Mean(losses, nil)}
	i := slices.IndexFunc(rungs, func(r Rung) bool { return r.Rank == v.RecommendedRank && r.ValLoss != nil })
	if row := out.row(); i >= 0 && len(pairedLosses(rungs[i], row)) > 0 {
		gain := pairedDifference(rungs[i], row, rule.Confidence)
		out.Gain = &gain
	}
	return out
}

// row is the reference as the last row of its ladder's table.
func (r *Reference) row() Rung {
	row := Rung{
		Trials: r.Trials, Candidates: r.candidates, ValLoss: r.ValLoss, Gain: r.Gain, Cost: r.Cost, started: true, lora: lora.Spec{Full: true},
	}
	if r.Gain != nil {
		row.Incumbent = &r.over
	}
	if r.ValLoss != nil {
		row.Decision = new(plateau.StepDecision("reference"))
	}
	return row
}

// rows are the ladder's rungs and, as the last of them, its reference.
func (l Ladder) rows() []Rung {
	if l.Reference == nil {
		return l.Rungs
	}
	return append(slices.Clone(l.Rungs), l.Reference.row())
}

// name is the rank, or what a reference is called.
func (r Rung) name() string {
	if r.lora.Full {
		return "full"
	}
	return strconv.Itoa(r.Rank)
}

// Sentence is what the report says of the reference of a ladder.
func (r *Reference) Sentence(l Ladder) string { return r.text(l.Verdict.minGain()) }

// line is the model card's line about the reference; empty where there is none.
func (r *Reference) line(l Ladder) string {
	if r == nil {
		return ""
	}
	return "The reference: " + r.Sentence(l)
}

// text says in one sentence what ranks leave on the table.
func (r *Reference) text(minGain float64) string {
	decimals := digits(minGain)
	if r.ValLoss == nil {
		text := "full fine-tuning has no result yet: no learning rate has finished all its seeds."
		for _, t := range r.Trials {
			if t.Error != "" {
				text = fmt.Sprintf("full fine-tuning has no result: trial %s is %s: %s", t.ID, t.State, t.Error)
			}
		}
		return text
	}
	text := fmt.Sprintf("full fine-tuning at learning rate %g", r.LearningRate)
	if len(r.Tried) > 1 {
		text += fmt.Sprintf(" (the best of %s)", prose.List(r.Tried))
	}
	text += " reaches " + fixed(r.ValLoss.Mean, decimals)
	switch {
	case r.Gain == nil:
		return text + "."
	case r.Gain.Mean < 0:
		return text + fmt.Sprintf(": rank %d is better by %s", r.over, bounds(negated(*r.Gain), decimals)) + "."
	}
	return text + fmt.Sprintf(": rank %d leaves %s on the table.", r.over, bounds(*r.Gain, decimals))
}

// negated is the interval of the opposite difference.
func negated(i plateau.Interval) plateau.Interval {
	out := plateau.Interval{Mean: -i.Mean}
	if i.Lo != nil && i.Hi != nil {
		out.Lo, out.Hi = new(-*i.Hi), new(-*i.Lo)
	}
	return out
}
