package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// ending says why a ladder goes no further.
type ending int

const (
	endNone       ending = iota // it goes on with the current rung
	endRule                     // patience ran out
	endRanks                    // no rank is left
	endFailed                   // trials of the current rung failed for good
	endUnstable                 // NaN in more than half of the current rung's seeds
	endOverMemory               // the current rung does not fit
	endOverTime                 // the current rung's trials take too long
	endOutraced                 // another cell is certainly better
	endScouted                  // nothing but the scout was asked for
)

// standing is how far a ladder has come: the rungs that count, and the one that is worked on or ended it.
type standing struct {
	ladder  Ladder
	climb   *plateau.Climb // over the rungs that count
	counted []int          // which do: indices of the climb's rungs, ascending
	chosen  []Rung         // each of those with the trials that stand for it alone
	current int            // index of the rung worked on, or of the one that ended the ladder early
	end     ending
	closed  []int // candidates of the current rung of which no trial begins that has not begun

	racing bool         // what other ladders show may end it
	held   bool         // the current rung waits for other ladders of the race
	lag    *plateau.Lag // by how much the ladder is behind the leader of the race; nil where it is not out
	leader Ladder       // that it is behind
	best   int          // the leader's largest rank, which its scout trained

	lead *plateau.Verdict // of the ranks that are complete while the lowest is not; nil where none is, or the lowest counts

	screens   []int              // the ranks that the current rung's adapters are truncated to; nil where it is not screened
	scouting  bool               // what is worked on is the current rung's scout, not its trials
	screening *plateau.Screening // nil where the ladder is neither screened nor scouted, or not yet
}

// stand walks a ladder up to where its facts end. It never looks past the rung where the rule stops, so what another ladder
// trained there changes nothing.
func stand(info Info, l Ladder, q plateau.Quantiles) standing {
	switch {
	case info.Strategy == StrategyScreen:
		return standScreened(info, l, q)
	case info.Strategy.Scouts():
		return standScouted(info, l, q)
	}
	return walk(info, l, 0, len(l.Rungs), q)
}

// walk is stand from the rung with the index lowest, over as many rungs as a race allows.
func walk(info Info, l Ladder, lowest, allowed int, q plateau.Quantiles) standing {
	rule := ruleOf(info, l)
	s := standing{ladder: l.needed(rule), climb: plateau.NewClimb(rule, q)}
	for i := lowest; i < len(l.Rungs); i++ {
		if s.current = i; i == allowed {
			s.end, s.held = endNone, true
			return s
		}
		s.begin(l, i)
		if s.end == endNone && len(s.counted) == 0 {
			s.lead = leadOf(rule, l.Rungs[i+1:], q)
		}
		if s.end != endRanks {
			return s
		}
		s.count(i, l.Rungs[i])
		if s.seeAsked(l) {
			return s
		}
		if s.climb.Draw != nil {
			s.end = s.drawing()
			return s
		}
		if s.climb.Stopped {
			s.end = endRule
			return s
		}
	}
	s.end = endRanks
	s.climb.Finish()
	if !s.seeAsked(l) && s.climb.Draw != nil {
		s.end = s.drawing()
	}
	return s
}

// drawing is the end of a ladder that the rule wants more seeds of: none yet, unless no rank works. Seeds would certify nothing then.
func (s standing) drawing() ending {
	if s.allDiverged() {
		return endRule
	}
	return endNone
}

// ruleOf is a sweep's rule on a ladder. It tells the grid's seeds from drawn ones. What is screened or tuned takes all of the grid's:
// the knee and the choice among candidates rest on them.
func ruleOf(info Info, l Ladder) plateau.Rule {
	rule := info.Rule
	rule.GridSeeds = info.Seeds
	if info.Strategy == StrategyScreen || len(l.Candidates) > 1 {
		rule.SeedsPerRank = plateau.EverySeed
	}
	return rule
}

// count lets the climb take the next rung, of which all facts are given.
func (s *standing) count(index int, full Rung) {
	s.climb.Add(full.ChosenRung().losses())
	s.counted, s.chosen = append(s.counted, index), append(s.chosen, s.ladder.Rungs[index].ChosenRung())
}

// rung is the climb's rung with an index of its own.
func (s standing) rung(i int) Rung { return s.ladder.Rungs[s.counted[i]] }

// assignedRung is a part of what an open ladder needs: trials of one rung.
type assignedRung struct {
	index  int // of the rung
	trials []TrialFacts
	closed []int // candidates of which no trial begins that has not begun
	screen []int // the ranks to screen its trials' adapters at
}

// work returns the trials that a ladder without an end waits for, finished ones among them: those of the current rung, or
// those that the rule asked for further seeds of.
func (s standing) work() []assignedRung {
	if s.held {
		return nil
	}
	if s.scouting {
		return []assignedRung{{s.current, s.ladder.scoutRung(s.rank()).Trials, s.closed, nil}}
	}
	if s.climb.Draw == nil {
		return []assignedRung{{s.current, s.ladder.Rungs[s.current].grid().Trials, s.closed, s.screens}}
	}
	var work []assignedRung
	for _, i := range s.counted {
		rung := s.ladder.Rungs[i]
		switch {
		case !slices.Contains(s.climb.Draw.Ranks, rung.Rank):
		case s.climb.Draw.Grid:
			work = append(work, s.awaited(i))
		default:
			trials, closed := rung.ChosenRung().extra()
			work = append(work, assignedRung{i, trials, closed, nil})
		}
	}
	return work
}

// unregistered returns the trials that the ladder needs and does not hold yet: its scouts, or what the rule drew.
func (s standing) unregistered() []ExtraTrial {
	if s.scouting {
		return s.unscouted()
	}
	if s.climb.Draw == nil || s.climb.Draw.Grid {
		return nil
	}
	var trials []ExtraTrial
	for _, w := range s.work() {
		rung := s.ladder.Rungs[w.index].ChosenRung()
		for _, seed := range s.climb.Draw.Seeds {
			if !slices.ContainsFunc(w.trials, func(t TrialFacts) bool { return t.seed() == seed }) {
				first := rung.Trials[0]
				trials = append(trials, ExtraTrial{rung.Rank, PlannedTrial{first.Candidate, first.Trial.WithSeed(seed)}})
			}
		}
	}
	return trials
}
