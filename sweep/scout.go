package sweep

import (
	"math"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// scouts returns the trials that show every rank up to the one with that index: one per candidate, with the first seed. They follow
// from the rungs' trials, so a grid does not plan them.
func (l Ladder) scouts(top int) []PlannedTrial {
	var planned []PlannedTrial
	for _, c := range l.Rungs[top].candidates() {
		first := l.Rungs[top].of(c).Trials[0].Trial.Trial()
		var lower []lora.Spec
		for _, r := range slices.Backward(l.Rungs[:top]) {
			lower = append(lower, r.of(c).Trials[0].Trial.Spec().LoRA)
		}
		spec := first.Spec.ShrinkTo(lower).OnRows(l.Corpus.TrainSequences)
		planned = append(planned, PlannedTrial{c, trial.New(spec, first.Base, first.Data, first.Backend).Brief()})
	}
	return planned
}

// scoutRung returns the scouts of a rank as a rung of their own. It is empty until they are registered.
func (l Ladder) scoutRung(rank int) Rung {
	r := Rung{Rank: rank}
	for _, t := range l.Scouts {
		if t.Trial.Rank == rank {
			r.Trials = append(r.Trials, t)
		}
	}
	return r
}

// scoutNoise stands for the noise between the ranks of one run, which share rows, start and most of their training: next to none.
// What a scout errs by is no noise but too little training at low ranks, which ScoutError says.
const scoutNoise = 1e-9

// scouted applies the rule to what a scout shows, as if each rank had been trained.
func (r Rung) scouted(rule plateau.Rule, lower []Rung, q plateau.Quantiles) *plateau.Screening {
	rule.NoiseSD = scoutNoise
	stands := r.ChosenRung()
	rule.GridSeeds = []int64{stands.Trials[0].seed()}
	s, c := stands.screen(rule, lower, q)
	s.Scout, s.MinGain = true, c.MinGain
	s.Ranks, s.Losses = append(s.Ranks, r.Rank), append(s.Losses, c.Rows[len(lower)].ValLoss)
	return s
}

// ScoutError is by how much the loss that a scout shows at a rank may be too low and too high, in nats: the largest differences from
// training at the rank that were measured (experiments/LOG.md, 2026-11-29, what a scout errs by), as shares of the loss. The largest rank
// is trained like any trial. How much too high it is grows with the halvings below the knee, where a cut-down adapter spreads what a small
// one concentrates. Too low it is where trials are short, for a cut-down adapter has learned more than a fresh one.
func ScoutError(loss float64, rank, knee, top int) (low, high float64) {
	if rank == top {
		return 0, 0
	}
	tooLow, tooHigh := 0.0105, []float64{0.003, 0.006, 0.0065, 0.013, 0.0165}
	below := 0
	if rank < knee {
		below = int(math.Round(math.Log2(float64(knee) / float64(rank))))
	}
	return loss * tooLow, loss * tooHigh[min(below, len(tooHigh)-1)]
}

// TrainedLikeScout returns the loss of the trial that was trained at a rank with the seed and the settings of the scout whose largest
// rank is top, where there is one.
func (l Ladder) TrainedLikeScout(top, rank int) (float64, bool) {
	i := slices.IndexFunc(l.Rungs, func(r Rung) bool { return r.Rank == rank })
	for _, scout := range l.scoutRung(top).ChosenRung().Trials {
		for j := range l.Rungs[i].Trials {
			t := &l.Rungs[i].Trials[j]
			if t.Candidate == scout.Candidate && t.seed() == scout.seed() && t.State() == TrialDone {
				return *t.Final().ValLoss, true
			}
		}
	}
	return 0, false
}
