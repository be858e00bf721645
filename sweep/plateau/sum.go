package plateau

import (
	"math"
	"slices"
	"sort"
)

// Verdict sums the climb up, as if its last rung were the ladder's last.
func (c *Climb) Verdict() Verdict {
	c.level()
	state := c.state()
	recommended := c.recommend(state)
	v := Verdict{
		State:           state,
		RecommendedRank: c.Rungs[recommended].Rank,
		BestRank:        c.bestRank(),
		EquivalentRanks: c.equivalentRanks(recommended),
		MinGain:         c.MinGain,
		Rungs:           c.Rows,
		Flags:           []string{},
		Advice:          []Finding{},
	}
	v.Draw = c.Draw
	if recommended != c.Incumbent {
		v.IncumbentRank, v.Choice = c.Rungs[c.Incumbent].Rank, c.choice(state, recommended)
	}
	if v.State == StateLikelyPlateau {
		v.Probability = new(c.plateauProbability(c.cautious))
	}
	if (v.State == StateLikelyPlateau || v.State == StateInconclusive) && !c.certified() {
		v.SeedsToCertify = c.seedsToCertify()
	}
	if c.restsOnNoise() {
		v.Flags = append(v.Flags, FlagOneSeed)
	}
	if len(c.OverfitLate()) > 0 || v.State == StateLikelyPlateau && c.memorises() {
		v.Flags = append(v.Flags, FlagOverfitting)
	}
	if c.betterBeyond() != nil {
		v.Flags = append(v.Flags, FlagBeyond)
	}
	c.explain(&v)
	return v
}

// state is the first state in the order of State that the losses alone support.
func (c *Climb) state() State {
	switch {
	case c.certified() && c.memorises():
		return StateOverfit
	case c.Stopped && c.certified():
		return StatePlateau
	case (c.Stopped || c.Draw != nil) && c.claimsLikely():
		return StateLikelyPlateau
	case c.Rows[c.End].Decision == DecisionImproved:
		return StateStillImproving
	case c.count > 0 && c.claimsLikely():
		return StateLikelyPlateau
	}
	return StateInconclusive
}

// since returns the rows in (b, end]: what was tried over the incumbent.
func (c *Climb) since() []RungVerdict { return c.Rows[c.Incumbent+1 : c.End+1] }

// struck returns the rows that the count consists of.
func (c *Climb) struck() []RungVerdict { return c.Rows[c.End+1-c.count : c.End+1] }

// certified reports whether hi(b, j) < min_gain for every j in (b, end]. By the intersection–union principle (Berger 1982,
// Technometrics 24:295) each j may be tested at the full level.
func (c *Climb) certified() bool { return !slices.ContainsFunc(c.since(), c.open) }

// GivenNoiseWidth stretches the half-width of a gain that rests on a noise that a person gave, where a claim is to be certain: one number
// stands for all ranks, and low ones are noisier (experiments/calibrate).
const GivenNoiseWidth = 1.25

// open reports whether a row leaves a gain of min_gain possible. Numbers that rest on an assumed noise exclude nothing.
func (c *Climb) open(r RungVerdict) bool {
	switch {
	case r.Gain == nil || *r.Gain.Hi >= c.MinGain:
		return true
	case r.restsOnNoise():
		return !c.rule.noiseGiven() || r.onGivenNoise() >= c.MinGain
	}
	return false
}

// onGivenNoise is the upper bound of a gain for claims on a noise that a person gave.
func (r RungVerdict) onGivenNoise() float64 {
	return r.Gain.Mean + GivenNoiseWidth*(*r.Gain.Hi-r.Gain.Mean)
}

// openOnGivenNoise reports whether a row is flat, and open for its noise was given and not measured.
func (c *Climb) openOnGivenNoise(r RungVerdict) bool {
	return r.restsOnNoise() && c.rule.noiseGiven() && *r.Gain.Hi < c.MinGain && c.open(r)
}

// noiseGiven reports whether a person vouched for NoiseSD.
func (p Rule) noiseGiven() bool {
	return p.NoiseSD > 0 && (p.NoiseSource == NoiseFromGrid || p.NoiseSource == NoiseFromFlag)
}

// noiseAssumed reports whether nobody gave NoiseSD and nothing measured it.
func (p Rule) noiseAssumed() bool { return p.NoiseSD == 0 || p.NoiseSource == NoiseDefault }

// restsOnNoise reports whether some row rests on noise_sd.
func (c *Climb) restsOnNoise() bool {
	return slices.ContainsFunc(c.Rows[:c.End+1], RungVerdict.restsOnNoise)
}

// onNoise returns the rows up to the last that counts whose gain was bounded by noise_sd instead of seeds.
func (c *Climb) onNoise() []RungVerdict {
	return slices.DeleteFunc(slices.Clone(c.Rows[:c.End+1]), func(r RungVerdict) bool { return !r.restsOnNoise() })
}

// restsOnNoise reports whether the row's gain was bounded by noise_sd.
func (r RungVerdict) restsOnNoise() bool { return r.Gain != nil && r.DF == nil }

// plateauProbability is max(0, 1 − ΣP(j)) over (b, end]: Boole's bound on the chance that no rank tried gains min_gain.
//
// Where the grid ended before patience did, a rank k < patience rungs above b counts as gaining too much from
// min_gain·k/patience on: returns diminish with rank on a ladder that is about to plateau, so that patience rungs gain at
// most patience/k times what k of them do, but without this a steady climb in steps below min_gain would pass for flat.
func (c *Climb) plateauProbability(sd func(RungVerdict) float64) float64 {
	p := 1.0
	ended := !c.patienceOut()
	for i, r := range c.since() {
		if r.Probability == nil {
			return 0
		}
		worthwhile := c.MinGain
		if k := i + 1; ended && k < c.rule.Patience {
			worthwhile *= float64(k) / float64(c.rule.Patience)
		}
		p -= r.chanceOf(worthwhile, sd(r))
	}
	return max(0, p)
}

// likely reports whether the plateau is likely enough to stop at.
func (c *Climb) likely() bool {
	enough := likelyEnough
	if slices.ContainsFunc(c.since(), RungVerdict.restsOnNoise) {
		enough = stopOnNoise
	}
	return c.plateauProbability(sdOf) >= enough
}

// claimsLikely reports whether the plateau is likely enough to be called so.
func (c *Climb) claimsLikely() bool { return c.plateauProbability(c.cautious) >= likelyEnough }

func sdOf(r RungVerdict) float64 { return r.SD }

// cautious is the standard deviation of a row's gain that a claim rests on: where the noise is assumed, that of the noisiest ladders.
func (c *Climb) cautious(r RungVerdict) float64 {
	if r.restsOnNoise() && c.rule.noiseAssumed() {
		return r.SD * (CautiousNoise / DefaultNoise)
	}
	return r.SD
}

// chanceOf is the probability that the row's true gain is at least x, where one paired gain has the standard deviation sd.
func (r RungVerdict) chanceOf(x, sd float64) float64 {
	df := math.Inf(1)
	if r.DF != nil {
		df = *r.DF
	}
	return survival((x-r.Gain.Mean)*math.Sqrt(float64(len(r.Seeds)))/sd, df)
}

// memorises reports whether patience ran out on strikes that are all worse than the incumbent while the training loss falls
// from rung to rung.
func (c *Climb) memorises() bool {
	if !c.Stopped {
		return false
	}
	strikes := c.struck()
	for i, s := range strikes {
		r := c.End + 1 - len(strikes) + i
		before := r - 1
		if i == 0 {
			before = c.Incumbent
		}
		if s.Decision != DecisionWorse || !c.trainsBetter(before, r) {
			return false
		}
	}
	return true
}

// trainsBetter reports whether rung r has a lower mean train_loss than rung b over their common seeds.
func (c *Climb) trainsBetter(b, r int) bool {
	if c.Rungs[b].Train == nil || c.Rungs[r].Train == nil {
		return false
	}
	fall := 0.0
	seeds, _ := c.paired(b, r)
	for _, s := range seeds {
		fall += c.Rungs[b].Train[slices.Index(c.Rungs[b].Seeds, s)] - c.Rungs[r].Train[slices.Index(c.Rungs[r].Seeds, s)]
	}
	return fall > 0
}

// OverfitLate lists the ranks from the incumbent on that lost min_gain or more between their best step and their last.
func (c *Climb) OverfitLate() []int {
	var ranks []int
	for _, l := range c.Rungs[c.Incumbent : c.End+1] {
		if l.Last != nil && math.Abs(mean(l.Last)-mean(l.ValLoss)) >= c.MinGain {
			ranks = append(ranks, l.Rank)
		}
	}
	return ranks
}

// betterBeyond returns the first row past the stop whose gain is certain and worth having: patience was too short.
func (c *Climb) betterBeyond() *RungVerdict {
	for i := range c.Rows[c.End+1:] {
		if r := &c.Rows[c.End+1+i]; r.Gain != nil && *r.Gain.Lo > 0 && r.Gain.Mean >= c.MinGain {
			return r
		}
	}
	return nil
}

// bestRank is the rank of the best mean; the lowest rank among equals. Means that differ by rounding alone are equal.
func (c *Climb) bestRank() int {
	const rounding = 1e-12
	best := 0
	for r := range c.Rungs {
		gain := c.Rows[best].ValLoss.Mean - c.Rows[r].ValLoss.Mean
		if c.rule.Maximize {
			gain = -gain
		}
		if gain > rounding*math.Abs(c.Rows[best].ValLoss.Mean) {
			best = r
		}
	}
	return c.Rungs[best].Rank
}

// equivalentRanks lists the ranks that are not shown to be worse than a rung by min_gain or more, itself among them.
func (c *Climb) equivalentRanks(rung int) []int {
	var ranks []int
	for r := range c.Rungs {
		if r == rung || c.notWorse(rung, r) {
			ranks = append(ranks, c.Rungs[r].Rank)
		}
	}
	return ranks
}

// notWorse reports whether rung r may lose less than min_gain over rung b.
func (c *Climb) notWorse(b, r int) bool {
	g := c.compare(b, r, len(c.Rungs)-1)
	return g.n == 0 || g.hi >= -c.MinGain
}

// MostSeeds ends the search for how many seeds would settle a question: beyond, the answer is to change the question.
const MostSeeds = 100

// seedsToCertify is the number of seeds per rank at which every rung since the incumbent would be certain, gains and
// standard deviations staying as they are; nil where none up to MostSeeds suffices.
func (c *Climb) seedsToCertify() *int {
	need := 0
	for _, row := range c.since() {
		n := c.seedsFor(row)
		if n == 0 {
			return nil
		}
		need = max(need, n)
	}
	if need == 0 {
		return nil
	}
	return &need
}

// seedsFor is the number of seeds at which a row's gain would be certainly below min_gain or, from min_gain on, certainly
// above 0; 0 where there is none.
func (c *Climb) seedsFor(row RungVerdict) int {
	if row.Gain == nil {
		return 0
	}
	margin := c.MinGain - row.Gain.Mean
	if margin <= 0 {
		margin = row.Gain.Mean
	}
	alpha := (1 - c.rule.Confidence) / 2
	certain := func(n int) bool {
		return survival(margin*math.Sqrt(float64(n))/row.SD, *row.PriorDF+float64(n-1)) < alpha
	}
	n := 2 + sort.Search(MostSeeds-1, func(i int) bool { return certain(i + 2) })
	if n > MostSeeds {
		return 0
	}
	return n
}
