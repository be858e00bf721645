package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// spent reports whether limits.time or limits.tokens has run out: nothing starts then, and what runs writes its checkpoint and ends.
func (i Info) spent() bool { return i.timeIsUp() || i.tokensAreUp() }

func (i Info) timeIsUp() bool { return i.Limits.Time > 0 && i.Elapsed >= i.Limits.Time }

func (i Info) tokensAreUp() bool { return i.Limits.Tokens > 0 && i.Tokens >= i.Limits.Tokens }

// CountTokens sets Info.Tokens where they are limited: those of the trials that the sweep launched attempts of, each trial once, however
// many ladders share it. What other sweeps trained is free. Every Store calls it on the snapshots it returns.
func (s *Snapshot) CountTokens() {
	if s.Sweep.Tokens = 0; s.Sweep.Limits.Tokens == 0 {
		return
	}
	for _, tokens := range s.TokensByTrial() {
		s.Sweep.Tokens += tokens
	}
}

// TokensByTrial is what CountTokens adds up, limited or not.
func (s *Snapshot) TokensByTrial() map[trial.ID]int64 {
	counted := map[trial.ID]int64{}
	s.Each(func(_ *Ladder, _ int, t *TrialFacts) {
		own := func(a AttemptFacts) bool { return a.Sweep == s.Sweep.Name }
		if t.Tokens > 0 && slices.ContainsFunc(t.Attempts, own) {
			counted[t.Trial.ID] = t.Tokens
		}
	})
	return counted
}

// reasonSpent says which limit ran out before the current rank was complete.
func (s standing) reasonSpent(info Info) plateau.Finding {
	if info.timeIsUp() {
		return plateau.Finding{Code: plateau.ReasonTime, Ranks: []int{s.rank()}, Limit: info.Limits.Time.Seconds()}
	}
	return plateau.Finding{Code: plateau.ReasonTokens, Ranks: []int{s.rank()}, Limit: float64(info.Limits.Tokens)}
}

// reasonStopping is for the time that running trials take to write their checkpoints.
func reasonStopping(info Info) plateau.Finding {
	if info.timeIsUp() {
		return plateau.Finding{Code: plateau.ReasonStopping}
	}
	return plateau.Finding{Code: plateau.ReasonStoppingTokens}
}

func adviseSpent(info Info) plateau.Code {
	if info.timeIsUp() {
		return plateau.AdviseMoreTime
	}
	return plateau.AdviseMoreTokens
}

// adviseUndrawn says what a likely plateau lacks whose extra seeds were not trained before a limit ran out.
func (s standing) adviseUndrawn(info Info) plateau.Finding {
	f := plateau.Finding{Code: plateau.AdviseUndrawn, Ranks: s.climb.Draw.Ranks, Limit: info.Limits.Time.Seconds(), Name: s.climb.Use()}
	if !info.timeIsUp() {
		f.Code, f.Limit = plateau.AdviseUndrawnSpent, float64(info.Limits.Tokens)
	}
	return f
}
