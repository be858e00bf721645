package plateau

import (
	"fmt"
	"strconv"
	"strings"
)

// explain writes the reason and the advice of a verdict in plain words, from the numbers in its rows.
func (c *Climb) explain(v *Verdict) {
	b := c.Rungs[c.Incumbent].Rank
	tried := c.since()
	switch v.State {
	case StatePlateau:
		v.Reason = fmt.Sprintf("%s less than min_gain %s over rank %d: upper %s %s at confidence %s",
			does(tried, "gains", "gain"), ThreeDigits(c.MinGain), b, Either(len(tried), "bound", "bounds"), joinRows(tried, upper), ThreeDigits(c.rule.Confidence))
		v.Advice = append(v.Advice, fmt.Sprintf("use rank %d: %s nothing that min_gain counts", b, does(tried, "buys", "buy")))
	case StateLikelyPlateau:
		v.Reason = fmt.Sprintf("%s probably less than min_gain %s over rank %d: probability of a gain worth having %s; together %s that there is none",
			does(tried, "gains", "gain"), ThreeDigits(c.MinGain), b, joinRows(tried, chance), ThreeDigits(*v.Probability))
		if !c.patienceOut() {
			v.Reason += fmt.Sprintf("; the grid ended after %d of %d such ranks", c.count, c.rule.Patience)
		}
		v.Advice = append(v.Advice, c.adviseSeeds(v)...)
	case StateOverfit:
		v.Reason = fmt.Sprintf("%s worse than rank %d (gain %s) while the training loss keeps falling: larger ranks memorise",
			does(c.struck(), "is", "are"), b, joinRows(c.struck(), middle))
		v.Advice = append(v.Advice, fmt.Sprintf("use rank %d or lower, more dropout, fewer steps or more data", b))
	case StateStillImproving:
		v.Reason = fmt.Sprintf("the last rank, %d, still gains %s over rank %d, at least min_gain %s",
			b, intervalText(c.Rows[c.End].Gain), c.Rows[c.End].Incumbent, ThreeDigits(c.MinGain))
		v.Advice = append(v.Advice, "add larger ranks: the ladder ends before the plateau")
	default:
		c.explainInconclusive(v)
	}
	c.adviseCommon(v)
}

func (c *Climb) explainInconclusive(v *Verdict) {
	last := c.Rows[c.End]
	switch {
	case len(c.Rungs) == 1:
		v.Reason = fmt.Sprintf("one rank, %d, cannot show whether a larger or smaller one pays", last.Rank)
		v.Advice = append(v.Advice, "add ranks to the ladder")
		return
	case last.Gain == nil:
		v.Reason = fmt.Sprintf("ranks %d and %d have no seed in common", last.Incumbent, last.Rank)
	case c.count > 0 && c.count == len(c.since()):
		v.Reason = fmt.Sprintf("%s probably less than min_gain %s over rank %d, but that is only %d of %d such ranks: probability of a plateau %s",
			does(c.since(), "gains", "gain"), ThreeDigits(c.MinGain), last.Incumbent, c.count, c.rule.Patience, ThreeDigits(c.plateauProbability()))
	case c.count > 0:
		v.Reason = fmt.Sprintf("rank %d gains nothing worth having over rank %d, but earlier ranks may: probability of a plateau %s",
			last.Rank, last.Incumbent, ThreeDigits(c.plateauProbability()))
	default:
		v.Reason = fmt.Sprintf("rank %d gains %s over rank %d: that neither shows nor excludes a gain of min_gain %s",
			last.Rank, intervalText(last.Gain), last.Incumbent, ThreeDigits(c.MinGain))
	}
	v.Advice = append(v.Advice, c.adviseSeeds(v)...)
}

// adviseSeeds says what it takes to be certain.
func (c *Climb) adviseSeeds(v *Verdict) []string {
	var advice []string
	ended := !c.patienceOut() && c.count > 0
	what := "it"
	if ended {
		what = "the ranks tried"
	}
	switch {
	case v.SeedsToCertify != nil:
		advice = append(advice, fmt.Sprintf("%d seeds per rank would settle %s, if gain and noise stay as they are", *v.SeedsToCertify, what))
	case !c.certified():
		advice = append(advice, "no reasonable number of seeds would settle it: choose a larger min_gain, or larger ranks")
	}
	if ended {
		advice = append(advice, "add a larger rank: patience has not run out")
	}
	return advice
}

// leastLoss says so where a promoted rank was not even better on average.
func leastLoss(r RungVerdict) string {
	if r.Gain.Mean > 0 {
		return ""
	}
	return ", and no rank tried over it was better on average"
}

func (c *Climb) adviseCommon(v *Verdict) {
	if c.restsOnNoise() {
		source := c.rule.NoiseSource
		if c.rule.NoiseSD == 0 || source == "" {
			source = NoiseDefault
		}
		on := "one seed per rank: the intervals rest"
		if rows := c.onNoise(); len(rows) < c.End {
			on = does(rows, "is", "are") + " compared on one seed: " + Either(len(rows), "that interval rests", "those intervals rest")
		}
		v.Advice = append(v.Advice, fmt.Sprintf("%s on noise_sd %s (%s); three seeds measure the noise", on, ThreeDigits(c.noiseSD), source))
	}
	if b := c.Rows[c.Incumbent]; b.Promoted && b.Decision != DecisionImproved {
		v.Advice = append(v.Advice, fmt.Sprintf("rank %d gains %s over rank %d, which is not certain: the ladder climbed on from there because a plateau at rank %d was neither certain nor likely enough%s",
			c.Rungs[c.Incumbent].Rank, intervalText(b.Gain), b.Incumbent, b.Incumbent, leastLoss(b)))
	}
	if d := v.Draw; d != nil {
		v.Advice = append(v.Advice, fmt.Sprintf("train seeds %v at ranks %v: they %s", d.Seeds, d.Ranks, c.Use()))
	}
	if r := c.betterBeyond(); r != nil {
		v.Advice = append(v.Advice, fmt.Sprintf("rank %d, past the point where the rule stopped, gains %s over rank %d: a patience of %d was too short here",
			r.Rank, intervalText(r.Gain), r.Incumbent, c.rule.Patience))
	}
	if v.State == StateLikelyPlateau && c.memorises() {
		v.Advice = append(v.Advice, fmt.Sprintf("%s worse than rank %d while the training loss keeps falling: more dropout, fewer steps or more data",
			does(c.struck(), "is", "are"), c.Rungs[c.Incumbent].Rank))
	}
	if c.overfitsLate() {
		v.Advice = append(v.Advice, "the validation loss rises after its best step: fewer steps, a lower learning rate or more dropout")
	}
}

// use says what drawn seeds are for.
func (c *Climb) Use() string {
	if c.patienceOut() {
		return "may certify the plateau"
	}
	return "show better how likely the plateau is"
}

// does opens a sentence about rows: "rank 8 gains", "ranks 8 and 16 gain".
func does(rows []RungVerdict, one, many string) string {
	return Either(len(rows), "rank", "ranks") + " " + joinRows(rows, func(r RungVerdict) string { return strconv.Itoa(r.Rank) }) +
		" " + Either(len(rows), one, many)
}

func Either(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func upper(r RungVerdict) string  { return ThreeDigits(*r.Gain.Hi) }
func middle(r RungVerdict) string { return ThreeDigits(r.Gain.Mean) }
func chance(r RungVerdict) string {
	if r.Probability == nil {
		return "unknown"
	}
	return ThreeDigits(*r.Probability)
}

// joinRows joins rows: "a", "a and b", "a, b and c".
func joinRows(rows []RungVerdict, text func(RungVerdict) string) string {
	var parts []string
	for _, r := range rows {
		parts = append(parts, text(r))
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

func intervalText(i *Interval) string {
	return fmt.Sprintf("%s [%s, %s]", ThreeDigits(i.Mean), ThreeDigits(*i.Lo), ThreeDigits(*i.Hi))
}

// threeDigits prints three significant digits.
func ThreeDigits(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }

// listInts writes 2, 4 and 8.
func ListInts(values []int) string {
	rows := make([]RungVerdict, len(values))
	for i, v := range values {
		rows[i].Rank = v
	}
	return joinRows(rows, func(r RungVerdict) string { return strconv.Itoa(r.Rank) })
}
