package sweep

import (
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Conclusions are what all ladders of a sweep say.
type Conclusions struct {
	Verdicts []plateau.Verdict // one per ladder, in ladder order; StateRunning while undecided
	Done     bool              // no trial runs, and none is left to start
}

// Conclude says what each ladder's facts amount to: the first state in the order incomplete, unstable (diverged too), overfit, plateau,
// likely_plateau, memory_limited, time_limited, still_improving, inconclusive that holds, or running while trials are
// missing that may still come, or still run when limits.time or limits.tokens is spent. It is pure: the same facts give the same verdict,
// digit for digit, in whatever order they arrived. Reason and advice name only losses and settings, never a measured time or size,
// so that a resumed sweep's verdict equals an uninterrupted one's; those are in Next.
//
// A ladder that a limit cuts short while strikes are counted, but patience has not run out, is limited, not a likely
// plateau: raising the limit would go on climbing.
func Conclude(s Snapshot) Conclusions {
	var d Decider
	d.look(s)
	running := d.running(nil)
	standings, verdicts := d.conclude(s, running)
	waits := func(st *standing) bool { return st.end == endNone || st.awaitsReference() }
	return Conclusions{verdicts, len(running) == 0 && (s.Sweep.spent() || !slices.ContainsFunc(standings, waits))}
}

// concludeAt is conclude where trials of the ladder may still run although a limit is spent.
func (s *standing) concludeAt(info Info, running map[trial.ID]bool) plateau.Verdict {
	v := s.conclude(info)
	if s.end == endNone && info.spent() && s.runs(running) {
		s.cut(&v, plateau.StateRunning, reasonStopping(info))
	}
	return v
}

func (s standing) conclude(info Info) plateau.Verdict {
	v := plateau.Verdict{
		State: plateau.StateInconclusive, EquivalentRanks: []int{}, Advice: []plateau.Finding{}, Flags: []string{},
		Rungs: []plateau.RungVerdict{},
	}
	if len(s.counted) > 0 {
		v = s.climb.Verdict()
		if ranks := s.stepLimited(); len(ranks) > 0 {
			v.Flags = append(v.Flags, plateau.FlagStepLimited)
			v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseLonger, Ranks: ranks})
		}
	}
	if s.lead != nil {
		v.RecommendedRank, v.BestRank = s.lead.RecommendedRank, s.lead.BestRank
	}
	if fall, ok := s.trainingGain(); ok && fall < v.MinGain {
		v.Flags = append(v.Flags, plateau.FlagBarelyTrained)
		v.Advice = append(v.Advice, plateau.Finding{Code: plateau.AdviseBarely, Value: fall, Limit: s.learningRate()})
	}
	switch s.end {
	case endRule, endScouted:
	case endRanks:
		s.adviseNext(&v, info)
	case endNone:
		s.concludeOpen(&v, info)
	case endOutraced:
		s.cut(&v, plateau.StateOutraced, s.reasonOutraced(info), advice(s.adviseRace())...)
		v.Race = &s.lag.Race
	case endFailed:
		reason := s.reasonFailed()
		logs := plateau.Finding{Code: plateau.AdviseLogs, Trials: reason.Trials[:min(1, len(reason.Trials))], Of: len(reason.Trials)}
		s.cut(&v, plateau.StateIncomplete, reason, logs, plateau.Finding{Code: plateau.AdviseRerun})
	case endUnstable:
		s.cut(&v, plateau.StateUnstable, s.reasonUnstable(), s.adviseUnstable()...)
	case endOverMemory:
		reason := s.reasonMemory(info)
		s.cut(&v, plateau.StateMemoryLimited, reason, s.adviseLess(plateau.AdviseLessMemory, plateau.AdviseSmaller, reason.Limit)...)
		v.Next = s.next(info, s.rank())
	case endOverTime:
		reason := s.reasonTrialTime(info)
		s.cut(&v, plateau.StateTimeLimited, reason, s.adviseLess(plateau.AdviseLessTime, plateau.AdviseCheaper, reason.Limit)...)
		v.Next = s.next(info, s.rank())
	}
	if v.State != plateau.StateRunning {
		s.adviseScale(&v)
		s.adviseTuned(&v)
	}
	s.concludeDiverged(&v)
	s.concludeScreened(&v)
	return v
}

// concludeOpen is for a ladder that has trials to do: running, or out of time or tokens. Where only extra seeds are
// missing, the end of those leaves the verdict that the grid's seeds support.
func (s standing) concludeOpen(v *plateau.Verdict, info Info) {
	switch {
	case !info.spent():
		s.cut(v, plateau.StateRunning, s.reasonRunning())
		return
	case s.climb.Draw != nil && !s.climb.Draw.Grid:
		v.Draw = nil
		v.Advice = append(v.Advice, s.adviseUndrawn(info))
		return
	}
	s.cut(v, plateau.StateTimeLimited, s.reasonSpent(info), advice(adviseSpent(info))...)
	v.Next = s.next(info, s.rank())
}

// cut replaces a verdict's state where something other than the rule ended the ladder.
func (s standing) cut(v *plateau.Verdict, state plateau.State, reason plateau.Finding, advice ...plateau.Finding) {
	if len(s.counted) > 0 && state != plateau.StateRunning {
		then := v.Reason
		if v.Probability != nil {
			then.Value = *v.Probability
		}
		reason.Over, reason.Then = s.rung(s.climb.End).Rank, &then
	}
	v.State, v.Reason = state, reason
	if state != plateau.StateRunning {
		v.Draw = nil
	}
	v.Probability, v.SeedsToCertify, v.Next = nil, nil, nil
	v.Advice = append([]plateau.Finding{}, advice...)
}

// advice makes findings of codes that need no numbers.
func advice(codes ...plateau.Code) []plateau.Finding {
	findings := make([]plateau.Finding, len(codes))
	for i, c := range codes {
		findings[i].Code = c
	}
	return findings
}

// rank is the current rung's.
func (s standing) rank() int { return s.ladder.Rungs[s.current].Rank }

// trainingGain is the most that training won at any counted rung over the loss before its first step, the mean over its
// seeds. It reports false where that was not measured.
func (s standing) trainingGain() (most float64, ok bool) {
	for i := range s.counted {
		trials := s.chosen[i].Trials
		var gains []float64
		for j := range trials {
			t := &trials[j]
			start, ok := t.startLoss()
			if o := t.Final(); ok && o != nil && o.ValLoss != nil {
				gains = append(gains, start-*o.ValLoss)
			}
		}
		if len(gains) > 0 && (!ok || stat.Mean(gains, nil) > most) {
			most, ok = stat.Mean(gains, nil), true
		}
	}
	return most, ok
}

// stepLimited lists the counted ranks from the incumbent on that still learn at their last step: at the rate of its last evaluation
// interval, training for as long again would win min_gain. One that overfits on average is not told to train longer because a seed of it
// still learns.
func (s standing) stepLimited() []int {
	c := s.climb
	overfit := c.OverfitLate()
	var ranks []int
	for i := c.Incumbent; i <= c.End; i++ {
		trials := s.chosen[i].Trials
		var gains []float64
		for j := range trials {
			if g, ok := trials[j].gainByDoubling(); ok {
				gains = append(gains, g)
			}
		}
		if rank := c.Rungs[i].Rank; len(gains) > 0 && stat.Mean(gains, nil) >= c.MinGain && !slices.Contains(overfit, rank) {
			ranks = append(ranks, rank)
		}
	}
	return ranks
}

// gainByDoubling extrapolates the fall of the validation loss over the last evaluation interval to as many steps again as
// the trial took.
func (t *TrialFacts) gainByDoubling() (float64, bool) {
	o := t.Final()
	last := slices.IndexFunc(t.Evaluations, func(e StepLoss) bool { return o != nil && e.Step == o.Step })
	if last < 1 || o.State != trial.OutcomeDone || o.BestStep < o.Step {
		return 0, false
	}
	before, after := t.Evaluations[last-1], t.Evaluations[last]
	return (before.ValLoss - after.ValLoss) * float64(after.Step) / float64(after.Step-before.Step), true
}
