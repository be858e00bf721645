package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// estimate is what a trial is expected to need at its peak where memory is short: the first that is known of what it said or measured
// itself, what its candidate's trials of the rung did, what those of the last measured rung below it did, and the largest peak of any trial
// with the same model, batch and sequence length. 0 means that nothing like it was ever measured.
func (p *plan) estimate(ladder, rung int, t *TrialFacts) int64 {
	platform := p.snapshot.Sweep.Platform
	need := p.nearest(ladder, rung, t, func(t *TrialFacts) int64 { return t.need(platform) },
		func(t *TrialFacts) int64 { return t.peak(platform) })
	if need > 0 {
		return need
	}
	return p.peakOf(likenessOf(t.Trial.Shared)).on(platform)
}

// hostBytes is the same of the memory of its process, which is not what is short on a GPU, and of which nothing is predicted there.
func (p *plan) hostBytes(ladder, rung int, t *TrialFacts) int64 {
	if !p.onDevice {
		return p.estimate(ladder, rung, t)
	}
	peak := func(t *TrialFacts) int64 { return t.peak("") }
	if bytes := p.nearest(ladder, rung, t, peak, peak); bytes > 0 {
		return bytes
	}
	return p.peakOf(likenessOf(t.Trial.Shared)).on("")
}

// nearest is the first that is known of what holds for the trial itself, the most that holds for its candidate's trials of the rung, and
// the most that holds for those of the last rung below it of which anything is known. 0 means nothing.
func (p *plan) nearest(ladder, rung int, t *TrialFacts, own, below func(*TrialFacts) int64) int64 {
	if known := own(t); known > 0 || rung == NoRung {
		return known
	}
	rungs := p.snapshot.Ladders[ladder].Rungs
	known := rungs[rung].most(t.Candidate, own)
	for r := rung - 1; r >= 0 && known == 0; r-- {
		known = rungs[r].most(t.Candidate, below)
	}
	return known
}

// most is the most that holds for a candidate's trials.
func (r Rung) most(candidate int, of func(*TrialFacts) int64) int64 {
	var most int64
	for i := range r.Trials {
		if t := &r.Trials[i]; t.Candidate == candidate {
			most = max(most, of(t))
		}
	}
	return most
}

// peakOf is the largest peak of any trial that is so like.
func (p *plan) peakOf(like likeness) peak {
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
