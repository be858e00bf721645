package sweep

import (
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// reasonFailed lists the trials that failed for good.
func (s standing) reasonFailed() plateau.Finding {
	rung := s.ended()
	f := plateau.Finding{Code: plateau.ReasonFailed, Of: len(rung.Trials)}
	for _, t := range rung.Trials {
		if t.State() == TrialFailed {
			failure := s.ladder.failure(rung, t)
			failure.Error, failure.Crashes = t.Failure()
			f.Trials = append(f.Trials, failure)
		}
	}
	f.Count = len(f.Trials)
	return f
}

// ended is the rung that ended the ladder: the current one, or its scouts.
func (s standing) ended() Rung {
	if s.scouting {
		return s.ladder.scoutRung(s.rank())
	}
	return s.ladder.Rungs[s.current].grid()
}

// failure places a trial that ended without a loss.
func (l Ladder) failure(r Rung, t TrialFacts) plateau.Failure {
	f := plateau.Failure{Trial: string(t.Trial.ID), Rank: r.Rank, Seed: t.seed()}
	if t.Candidate < len(l.Candidates) {
		f.Tuned = l.Candidates[t.Candidate].String()
	}
	return f
}

// Failure is why a trial failed for good: its error, or how often it crashed in a row and its last error.
func (t TrialFacts) Failure() (message string, crashes int) {
	if o := t.Final(); o != nil && o.Error != "" {
		return o.Error, 0
	}
	if last := t.Attempts[len(t.Attempts)-1].Outcome; last != nil {
		message = last.Error
	}
	return message, len(t.stuck())
}

func (s standing) reasonUnstable() plateau.Finding {
	rung := s.ended()
	f := plateau.Finding{Code: plateau.ReasonUnstable, Ranks: []int{rung.Rank}, Of: len(rung.Trials)}
	for _, t := range rung.Trials {
		if t.State() == TrialUnstable {
			failure := s.ladder.failure(rung, t)
			failure.Step = t.Final().Step
			f.Trials = append(f.Trials, failure)
		}
	}
	f.Count = len(f.Trials)
	return f
}

func (s standing) adviseUnstable() []plateau.Finding {
	spec := s.ladder.Rungs[s.current].grid().Trials[0].Trial.Spec()
	rate := plateau.Finding{Code: plateau.AdviseLowerRate, Value: s.learningRate()}
	if s.tunes("learning_rate") {
		rate.Name = "learning_rate"
	}
	alpha := plateau.Finding{Code: plateau.AdviseAlpha, Over: spec.LoRA.Rank, Value: spec.LoRA.Alpha, Limit: spec.LoRA.Scaling()}
	return []plateau.Finding{rate, alpha}
}

// learningRate is the current rung's, the lowest where it is tuned.
func (s standing) learningRate() float64 {
	trials := s.ladder.Rungs[s.current].grid().Trials
	rate := trials[0].Trial.Spec().Train.LearningRate
	for _, t := range trials {
		rate = min(rate, t.Trial.Spec().Train.LearningRate)
	}
	return rate
}

// adviseLess says what fits where the current rank does not; limit is the grid's, 0 where the machine has no more.
func (s standing) adviseLess(less, cheaper plateau.Code, limit float64) []plateau.Finding {
	first := plateau.Finding{Code: less, Ranks: []int{s.rank()}, Limit: limit}
	if len(s.counted) > 0 {
		first.Over = s.rung(s.climb.End).Rank
	}
	return append([]plateau.Finding{first, {Code: cheaper}}, s.rankCost()...)
}

// rankCost says what the current rank itself takes, from the number of parameters that its workers, or those of the rank
// below, reported; none where no worker came so far. What the base model and a batch take does not depend on rank.
func (s standing) rankCost() []plateau.Finding {
	for i := s.current; i >= 0; i-- {
		rung := s.ladder.Rungs[i]
		for _, t := range rung.ChosenRung().Trials {
			if t.TrainableParams == 0 {
				continue
			}
			params := t.TrainableParams * int64(s.rank()) / int64(rung.Rank)
			return []plateau.Finding{{Code: plateau.AdviseRankCost, Over: s.rank(), Count: int(params), Value: float64(params * lora.TrainingBytes)}}
		}
	}
	return nil
}

func (s standing) reasonMemory(info Info) plateau.Finding {
	f := plateau.Finding{Code: plateau.ReasonMemory, Ranks: []int{s.rank()}, Limit: float64(info.Limits.Memory)}
	for _, t := range s.ended().Trials {
		if t.shape().over { // the machine ended it
			f.Limit = 0
		}
	}
	return f
}

func (s standing) reasonTrialTime(info Info) plateau.Finding {
	return plateau.Finding{Code: plateau.ReasonTrialTime, Ranks: []int{s.rank()}, Limit: info.Limits.TrialTime.Seconds()}
}

// lastCounted is the last rank that counts, none where none does.
func (s standing) lastCounted() []int {
	if len(s.counted) == 0 {
		return nil
	}
	return []int{s.rung(len(s.counted) - 1).Rank}
}

// reasonRunning counts the trials that the ladder waits for, and lists those that are not over. Reports say by it what is missing.
func (s standing) reasonRunning() plateau.Finding {
	if s.held {
		return plateau.Finding{Code: plateau.ReasonHeld, Ranks: s.lastCounted()}
	}
	f := plateau.Finding{Code: plateau.ReasonRunning}
	for _, w := range s.work() {
		f.Ranks = append(f.Ranks, s.ladder.Rungs[w.index].Rank)
		for _, t := range w.trials {
			f.Of++
			if t.State().Over() {
				f.Count++
			} else {
				f.Trials = append(f.Trials, plateau.Failure{Trial: string(t.Trial.ID), Rank: f.Ranks[len(f.Ranks)-1], Seed: t.seed()})
			}
		}
	}
	switch {
	case s.climb.Draw != nil && !s.climb.Draw.Grid:
		f.Code, f.Name = plateau.ReasonDrawing, s.climb.Use()
		f.Of += len(s.unregistered())
	case s.scouting:
		f.Code = plateau.ReasonScouting
		f.Of += len(s.unregistered())
	case len(s.screens) > 0:
		f.Code = plateau.ReasonScreening
	}
	return f
}
