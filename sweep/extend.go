package sweep

import (
	"fmt"
	"slices"
	"strings"

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

// Extend fits a registration to what is registered. Its error says what the edited grid would take away; a model, data or settings that
// make other trials do that too.
func (s Snapshot) Extend(r Registration) (Extension, error) {
	x := Extension{Registration: r, From: slices.Repeat([]int{-1}, len(r.Ladders)), Candidates: make([][]int, len(r.Ladders))}
	if s.Sweep.Backend != "" && s.Sweep.Backend != r.Backend {
		return x, fmt.Errorf("%w: it was begun on %s and cannot go on with %s, whose rounding differs", trial.ErrInput, s.Sweep.Backend, r.Backend)
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
			if missing != "" && same {
				lack = missing
			}
		}
		if at < 0 {
			if lack == "" {
				lack = "no cell of the edited grid has its settings"
			}
			return x, fmt.Errorf("%w: ladder %d%s: %s", trial.ErrInput, i+1, named(l.Cell.Axes()), lack)
		}
		x.From[at], x.Candidates[at] = i, l.candidatesIn(&r.Ladders[at])
	}
	return x, nil
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
				note("its trials would be others")
			}
		}
	}
	for i := range l.Reference {
		if !planned[l.Reference[i].Trial.ID] {
			note("its reference would be another")
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
