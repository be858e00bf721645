package plateau

import "math"

// Resolution is the smallest gain that a number of seeds can tell from none, in nats or, where noise is known only as a
// share of the loss, as a share of the lowest rank's mean loss.
type Resolution struct {
	Second   float64 `json:"second_rung"` // where the variance rests on one pair of ranks
	Last     float64 `json:"last_rung"`   // where all pairs of the ladder share their variances, at best
	Relative bool    `json:"relative"`
}

// Resolution says what seeds can certify on a ladder of rungs ranks. The bounds of a paired gain lie t(1−α/2, ν)·s̃/√n on
// both sides of its mean, with s̃ = √2·noise_sd for two ranks whose noise is independent once the seeds' common part is
// removed: a gain is `improved`, or its absence `flat`, only where min_gain is at least that. ν is n−1 at the second rung;
// at the last the moderated variance adds at most (pairs−1)(n−1)/2, see fitTrend. One seed has the normal quantile, by
// noise_sd alone: a claim on what a person gave needs GivenNoiseWidth times as much, and without that it certifies nothing, so the result
// is nil.
func (p Rule) Resolution(seeds, rungs int) *Resolution {
	if seeds == 1 && !p.noiseGiven() {
		return nil
	}
	noise, relative := p.NoiseSD, false
	if noise == 0 {
		noise, relative = DefaultNoise, true
	}
	n := float64(seeds)
	width := func(df float64) float64 {
		return NewClimb(p, Quantiles{}).quantile(df) * math.Sqrt2 * noise / math.Sqrt(n)
	}
	if seeds == 1 {
		w := GivenNoiseWidth * width(math.Inf(1))
		return &Resolution{Second: w, Last: w, Relative: relative}
	}
	pairs := float64(max(rungs-1, 1))
	return &Resolution{Second: width(n - 1), Last: width((n - 1) * (1 + (pairs-1)/2)), Relative: relative}
}

// SeedsNeeded is how many seeds per rank could certify min_gain. Nil where more than MostSeeds would be needed, or where min_gain
// and the noise are not known in the same unit.
type SeedsNeeded struct {
	Second *int `json:"second_rung"`
	Last   *int `json:"last_rung"` // at best
}

// SeedsNeeded finds the fewest seeds, two at least, whose Resolution on a ladder of rungs ranks is finer than min_gain.
func (p Rule) SeedsNeeded(rungs int) SeedsNeeded {
	var n SeedsNeeded
	for seeds := MostSeeds; seeds >= 2; seeds-- {
		r := p.Resolution(seeds, rungs)
		if r.Relative != p.MinGain.Relative {
			return n
		}
		if r.Second < p.MinGain.Value {
			n.Second = new(seeds)
		}
		if r.Last < p.MinGain.Value {
			n.Last = new(seeds)
		}
	}
	return n
}
