package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// estimate is what a trial is expected to need at its peak: the first that is known of what it said or measured
// itself, what its candidate's trials of the rung did, what those of the last measured rung below it did, and the largest peak of any trial
// with the same model, batch and sequence length. 0 means that nothing like it was ever measured.
func (p *plan) estimate(ladder, rung int, t *TrialFacts) int64 {
	l := p.snapshot.Ladders[ladder]
	platform := p.snapshot.Sweep.Platform
	if need := t.need(platform); need > 0 {
		return need
	}
	if rung == NoRung {
		return p.peakOf(likenessOf(t.Trial.Shared))
	}
	var need int64
	for i := range l.Rungs[rung].Trials {
		if sibling := &l.Rungs[rung].Trials[i]; sibling.Candidate == t.Candidate {
			need = max(need, sibling.need(platform))
		}
	}
	for r := rung - 1; r >= 0 && need == 0; r-- {
		need = l.Rungs[r].of(t.Candidate).peak(platform)
	}
	if need > 0 {
		return need
	}
	return p.peakOf(likenessOf(t.Trial.Shared))
}

// peakOf is the largest peak of any trial that is so like.
func (p *plan) peakOf(like likeness) int64 {
	if p.peaks == nil {
		p.peaks = p.known.peaks()
	}
	return p.peaks[like]
}

// need is the larger of the trial's own prediction and measured peak; 0 means neither is there.
func (t *TrialFacts) need(platform string) int64 {
	need := t.peak(platform)
	if t.Prediction != nil {
		need = max(need, t.Prediction.PredictedBytes)
	}
	return need
}

// likeness is what memory depends on, beside the settings of an adapter: trials that share it need about the same.
type likeness struct {
	base            string
	dtype, compute  string
	batch, sequence int
	full            bool
}

func likenessOf(s *trial.Shared) likeness {
	train := s.Spec.Train
	return likeness{s.Base, train.Dtype, train.ComputeDtype, train.BatchSize, s.Spec.Data.SequenceLength, s.Spec.LoRA.Full}
}

// calibration is what a candidate's last measured rung below a rung says, or the next one above it where a screening trained
// that first; nil where there is none. An extra seed has its own rung's.
func (s standing) calibration(platform string, candidate, rung int) *trial.Calibration {
	nearest := slices.Clone(s.counted)
	slices.SortFunc(nearest, func(a, b int) int {
		if a <= rung && b <= rung {
			return b - a
		}
		return a - b // where both are above; of two sides the lower comes first
	})
	for _, r := range nearest {
		rung := s.ladder.Rungs[r].of(candidate)
		if peak, analysis := rung.peak(platform), rung.analysis(); peak > 0 && analysis > 0 {
			return &trial.Calibration{Rank: rung.Rank, PeakBytes: peak, AnalysisBytes: analysis, Factor: s.memoryFactor(r, platform, candidate)}
		}
	}
	return nil
}

// noticeableGrowth is the analysed growth, as a fraction of the peak, from which the measured growth says something about
// the plug-in rather than about the noise of VmHWM.
const noticeableGrowth = 0.02

// memoryFactor is measured growth over analysed growth between the lowest measured rung and rung r: above 1 where a plug-in
// under-reports its temporaries. It is never below 1, for a prediction that is too low costs more than one too high.
func (s standing) memoryFactor(r int, platform string, candidate int) float64 {
	last := s.ladder.Rungs[r].of(candidate)
	for _, rung := range s.ladder.Rungs[:r] {
		first := rung.of(candidate)
		if first.peak(platform) == 0 || first.analysis() == 0 {
			continue
		}
		analysed := float64(last.analysis() - first.analysis())
		if analysed < noticeableGrowth*float64(last.peak(platform)) {
			return 1
		}
		return max(1, float64(last.peak(platform)-first.peak(platform))/analysed)
	}
	return 1
}
