package plateau

import "slices"

// explain finds the reason and the advice of a verdict in the numbers of its rows.
func (c *Climb) explain(v *Verdict) {
	b, use := c.Rungs[c.Incumbent].Rank, v.RecommendedRank
	tried := c.since()
	switch v.State {
	case StatePlateau:
		v.Reason = Finding{Code: ReasonPlateau, Ranks: ranksOf(tried), Over: b, Values: valuesOf(tried, upper), Value: c.rule.Confidence}
		v.advise(Finding{Code: AdviseRank, Ranks: ranksOf(tried), Over: use})
	case StateLikelyPlateau:
		v.Reason = Finding{Code: ReasonLikelyPlateau, Ranks: ranksOf(tried), Over: b, Values: valuesOf(tried, c.chance)}
		if !c.patienceOut() {
			v.Reason.Count, v.Reason.Of = c.count, c.rule.Patience
		}
		c.adviseSeeds(v)
	case StateOverfit:
		v.Reason = Finding{Code: ReasonOverfit, Ranks: ranksOf(c.struck()), Over: b, Values: valuesOf(c.struck(), middle)}
		v.advise(Finding{Code: AdviseRankOrLower, Over: use})
	case StateStillImproving:
		v.Reason = Finding{Code: ReasonStillImproving, Ranks: []int{b}, Gain: c.Rows[c.End].Gain, Over: c.Rows[c.End].Incumbent}
		v.advise(Finding{Code: AdviseLargerRanks})
	default:
		c.explainInconclusive(v)
	}
	c.adviseCommon(v)
}

func (v *Verdict) advise(f Finding) { v.Advice = append(v.Advice, f) }

func (c *Climb) explainInconclusive(v *Verdict) {
	last := c.Rows[c.End]
	v.Reason = Finding{Ranks: []int{last.Rank}, Over: last.Incumbent}
	switch {
	case len(c.Rungs) == 1:
		v.Reason.Code = ReasonOneRank
		v.advise(Finding{Code: AdviseRanks})
		return
	case last.Gain == nil:
		v.Reason.Code = ReasonNothingShared
	case c.patienceOut():
		v.Reason.Code, v.Reason.Ranks, v.Reason.Value = ReasonNotLikely, ranksOf(c.since()), c.plateauProbability(c.cautious)
		v.Reason.Over, v.Reason.Limit = c.Rungs[c.Incumbent].Rank, likelyEnough
	case c.count > 0 && c.count == len(c.since()):
		v.Reason.Code, v.Reason.Ranks = ReasonFewStrikes, ranksOf(c.since())
		v.Reason.Count, v.Reason.Of, v.Reason.Value = c.count, c.rule.Patience, c.plateauProbability(c.cautious)
	case c.count > 0:
		v.Reason.Code, v.Reason.Value = ReasonEarlierOpen, c.plateauProbability(c.cautious)
	default:
		v.Reason.Code, v.Reason.Gain = ReasonOpen, last.Gain
	}
	c.adviseSeeds(v)
}

// adviseSeeds says what it takes to be certain.
func (c *Climb) adviseSeeds(v *Verdict) {
	ended := !c.patienceOut() && c.count > 0
	switch {
	case v.SeedsToCertify != nil && ended:
		v.advise(Finding{Code: AdviseSeeds, Count: *v.SeedsToCertify, Of: c.rule.Patience})
	case v.SeedsToCertify != nil:
		v.advise(Finding{Code: AdviseSeeds, Count: *v.SeedsToCertify})
	case !c.certified():
		v.advise(Finding{Code: AdviseNoSeeds})
	}
	if ended {
		v.advise(Finding{Code: AdviseClimb})
	}
}

func (c *Climb) adviseCommon(v *Verdict) {
	b := c.Rows[c.Incumbent]
	if c.restsOnNoise() {
		c.adviseNoise(v)
	}
	if b.Promoted && b.Decision != DecisionImproved && v.Choice == nil {
		f := Finding{Code: AdviseUncertain, Ranks: []int{b.Rank}, Gain: b.Gain, Over: b.Comparison.Incumbent, Count: b.WentOnWith}
		if b.WentOnWith > 0 {
			f.Of = len(c.rule.GridSeeds) - len(b.Seeds)
		}
		v.advise(f)
	}
	if d := v.Draw; d != nil {
		v.advise(Finding{Code: AdviseDraw, Seeds: d.Seeds, Ranks: d.Ranks, Name: c.Use()})
	}
	if r := c.betterBeyond(); r != nil {
		v.advise(Finding{Code: AdviseBeyond, Ranks: []int{r.Rank}, Gain: r.Gain, Over: r.Incumbent, Of: c.rule.Patience})
	}
	if v.State == StateLikelyPlateau && c.memorises() {
		v.advise(Finding{Code: AdviseMemorises, Ranks: ranksOf(c.struck()), Over: b.Rank})
	}
	if ranks := c.OverfitLate(); len(ranks) > 0 {
		v.advise(Finding{Code: AdviseOverfits, Ranks: ranks})
	}
}

// adviseNoise names the ranks whose interval rests on noise_sd; none where all do.
func (c *Climb) adviseNoise(v *Verdict) {
	f := Finding{Code: AdviseNoise, Value: c.noiseSD, Name: c.rule.NoiseSource}
	if c.rule.NoiseSD == 0 || f.Name == "" {
		f.Name = NoiseDefault
	}
	switch {
	case c.rule.noiseAssumed():
		f.Limit = c.noiseSD * (CautiousNoise / DefaultNoise)
	case slices.ContainsFunc(c.since(), c.openOnGivenNoise):
		f.Limit = c.noiseSD * GivenNoiseWidth
	}
	if rows := c.onNoise(); len(rows) < c.End {
		f.Ranks = ranksOf(rows)
	}
	v.advise(f)
}

// Use says what drawn seeds are for.
func (c *Climb) Use() string {
	if c.patienceOut() {
		return UseCertify
	}
	return UseShow
}

func ranksOf(rows []RungVerdict) []int {
	ranks := make([]int, len(rows))
	for i, r := range rows {
		ranks[i] = r.Rank
	}
	return ranks
}

func valuesOf(rows []RungVerdict, of func(RungVerdict) float64) []float64 {
	values := make([]float64, len(rows))
	for i, r := range rows {
		values[i] = of(r)
	}
	return values
}

func upper(r RungVerdict) float64  { return *r.Gain.Hi }
func middle(r RungVerdict) float64 { return r.Gain.Mean }

// chance is that of a gain worth having, as a claim counts it.
func (c *Climb) chance(r RungVerdict) float64 { return r.chanceOf(c.MinGain, c.cautious(r)) }
