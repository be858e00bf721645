package sweep

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Extension is a registration of an edited grid, and where what is registered already stands in it. Ladders, ranks, candidates and seeds
// are added, none is taken away: what was trained and said stays where it is.
type Extension struct {
	Registration

	// From is for each planned ladder the stored one that it goes on from, as an index into Snapshot.Ladders; -1 for a new one.
	From []int
	// Candidates is for each planned ladder what each of its stored candidates has become.
	Candidates [][]int
}

// TakenError says what an edited grid would take away from a sweep. It is a trial.ErrInput.
type TakenError struct{ What string }

func (e *TakenError) Error() string { return e.What }

// Unwrap returns trial.ErrInput.
func (e *TakenError) Unwrap() error { return trial.ErrInput }

// Extend fits a registration to what is registered. It fails with a TakenError where the edited grid would take something
// away, as a model, data or settings that make other trials do.
func (s Snapshot) Extend(r Registration) (Extension, error) {
	x := Extension{Registration: r, From: slices.Repeat([]int{-1}, len(r.Ladders)), Candidates: make([][]int, len(r.Ladders))}
	if s.Sweep.Backend != "" && s.Sweep.Backend != r.Backend {
		return x, fmt.Errorf("%w: it was begun on %s and cannot go on with %s, whose rounding differs",
			trial.ErrInput, s.Sweep.Backend, r.Backend)
	}
	for i, l := range s.Ladders {
		at, lack := -1, ""
		for j := range r.Ladders {
			if x.From[j] >= 0 {
				continue
			}
			missing := l.lackIn(&r.Ladders[j])
			same := sameCell(l.Cell, r.Ladders[j].Cell)
			if missing == "" && (at < 0 || same) {
				at = j
			}
			if missing != "" && sameCell(l.Cell.Axes(), r.Ladders[j].Cell.Axes()) {
				lack = missing
			}
		}
		if at < 0 {
			return x, &TakenError{fmt.Sprintf("ladder %d%s: %s", i+1, named(l.Cell.Axes()), l.whyNot(r, lack))}
		}
		x.From[at], x.Candidates[at] = i, l.candidatesIn(&r.Ladders[at])
	}
	return x, nil
}

// whyNot says why no planned ladder goes on from l: what the one with its settings lacks, and what of its inputs is another than it was.
func (l Ladder) whyNot(r Registration, lack string) string {
	for _, p := range r.Ladders {
		if !sameCell(l.Cell.Axes(), p.Cell.Axes()) {
			continue
		}
		from, to := l.Rungs[0].Trials[0].Trial.Shared.Spec.Data, p.Rungs[0].Trials[0].Trial.Shared.Spec.Data
		switch {
		case l.Model.Reference == p.Model.Reference && l.Model.Fingerprint != p.Model.Fingerprint:
			return "the model " + l.Model.Reference + " has changed since the sweep was registered: restore it"
		case l.Corpus.Fingerprint != p.Corpus.Fingerprint && reflect.DeepEqual(from, to):
			return "the text of " + strings.Join(slices.Concat(from.Train, from.Validation, from.Retain), " or ") +
				" has changed since the sweep was registered: restore it"
		}
	}
	return cmp.Or(lack, "no cell of the grid has its settings")
}

func named(axes Cell) string {
	if len(axes) == 0 {
		return ""
	}
	return " (" + axes.String() + ")"
}

// sameCell reports whether all settings that both name have the same value.
func sameCell(a, b Cell) bool {
	for _, s := range a {
		if i := slices.IndexFunc(b, func(o Setting) bool { return o.Name == s.Name }); i >= 0 && b[i].Value != s.Value {
			return false
		}
	}
	return true
}

// lackIn says what of the ladder a plan lacks; nothing where it has all of it.
func (l Ladder) lackIn(p *LadderPlan) string {
	planned := map[trial.ID]bool{}
	ranks, seeds := map[int]bool{}, map[int64]bool{}
	for _, r := range p.Rungs {
		ranks[r.Rank] = true
		for i := range r.Trials {
			planned[r.Trials[i].Trial.ID], seeds[r.Trials[i].Trial.Seed] = true, true
		}
	}
	for i := range p.Reference {
		planned[p.Reference[i].Trial.ID] = true
	}
	lack := ""
	note := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !strings.Contains(lack, text) {
			lack = strings.TrimPrefix(lack+", "+text, ", ")
		}
	}
	for i := range l.Rungs {
		for j := range l.Rungs[i].Trials {
			switch t := &l.Rungs[i].Trials[j]; {
			case t.Extra || planned[t.Trial.ID]:
			case !ranks[l.Rungs[i].Rank]:
				note("rank %d is gone", l.Rungs[i].Rank)
			case !seeds[t.Trial.Seed]:
				note("seed %d is gone", t.Trial.Seed)
			default:
				note("its trials would be trained with other settings")
			}
		}
	}
	for i := range l.Reference {
		if !planned[l.Reference[i].Trial.ID] {
			note("its reference would be trained with other settings")
		}
	}
	return lack
}

// candidatesIn is what each candidate of the ladder is called in a plan that has all of its trials.
func (l Ladder) candidatesIn(p *LadderPlan) []int {
	is := map[trial.ID]int{}
	for _, r := range p.Rungs {
		for i := range r.Trials {
			is[r.Trials[i].Trial.ID] = r.Trials[i].Candidate
		}
	}
	candidates := make([]int, max(1, len(l.Candidates)))
	for _, t := range l.Rungs[0].Trials {
		if !t.Extra {
			candidates[t.Candidate] = is[t.Trial.ID]
		}
	}
	return candidates
}

// Freed lists the last attempts of trials that a limit ended and these limits might not: what was measured against the former one says
// nothing of the new one.
func (s Snapshot) Freed(limits Limits) (last []trial.AttemptID) {
	memory, trialTime := raised(s.Sweep.Limits.Memory, limits.Memory), raised(s.Sweep.Limits.TrialTime, limits.TrialTime)
	seen := map[trial.ID]bool{}
	s.Each(func(_ *Ladder, _ int, t *TrialFacts) {
		o := t.Final()
		if o == nil || seen[t.Trial.ID] {
			return
		}
		seen[t.Trial.ID] = true
		// One with a loss is another sweep's, seen with the former limit.
		if memory && o.State == trial.OutcomeOverMemory && o.ValLoss == nil || trialTime && o.State == trial.OutcomeOverTime {
			last = append(last, t.Attempts[len(t.Attempts)-1].ID)
		}
	})
	return last
}

// raised reports whether a limit, of which 0 is none, allows more than it did.
func raised[N int64 | time.Duration](before, now N) bool {
	return before > 0 && (now == 0 || now > before)
}
