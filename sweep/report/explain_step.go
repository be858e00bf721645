package report

import (
	"fmt"
	"math"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// step prints the arithmetic of one rank.
func (t *text) step(s ExplainedStep, e Explanation) {
	decimals := digits(e.Verdict.minGain()) + 1
	if s.IncumbentCost == nil {
		t.heading(fmt.Sprintf("Rank %d: %s", s.Rank, s.Decision))
		t.para("  loss     ", "%s over %s %s", plusMinus(s.ValLoss, decimals), plural("seed", len(s.Seeds)), prose.List(s.Seeds))
		t.para("  cost     ", "%s", costs(s.Cost))
		return
	}
	t.heading(fmt.Sprintf("Rank %d against rank %d: %s", s.Rank, s.Incumbent, s.Decision))
	t.para("  loss     ", "%s%s", plusMinus(s.ValLoss, decimals), s.over)
	if s.Gain == nil {
		t.para("  gain     ", "none: the two ranks have no seed in common%s", s.effect(e))
		return
	}
	t.para("  gain     ", "%s", s.difference(decimals))
	t.para("  noise    ", "%s", s.noise(e.Verdict.minGain()))
	t.para("  interval ", "%s", s.interval(decimals))
	if s.Probability != nil {
		t.para("  chance   ", "P %s of a gain of at least min_gain", against(*s.Probability, plateau.StrikeProbability, plateau.ClimbOn))
	}
	t.para("  decision ", "%s", s.decided(e))
	for _, c := range s.Earlier {
		t.para("  before   ", "over rank %d with %s %s: %s", c.Incumbent, plural("seed", len(c.Seeds)), prose.List(c.Seeds), earlier(c, decimals))
	}
	if climbed := s.climbed(e.Rule.Stop); climbed != "" {
		t.para("  climbed  ", "%s", climbed)
	}
	t.para("  bought   ", "%s for %s", bounds(*s.Gain, decimals), extras(*s.IncumbentCost, s.Cost))
}

// difference is the gain with what it is the mean of.
func (s ExplainedStep) difference(decimals int) string {
	if len(s.Gains) == 1 {
		return fmt.Sprintf("d = %s, on seed %d alone", fixed(s.Gain.Mean, decimals), s.Seeds[0])
	}
	return fmt.Sprintf("d = %s, the mean of %s for seeds %s", fixed(s.Gain.Mean, decimals), fixedList(s.Gains, decimals), prose.List(s.Seeds))
}

// climbed says how a rank became the incumbent otherwise than by improving at once.
func (s ExplainedStep) climbed(stop plateau.StopMode) string {
	switch {
	case !s.Promoted:
		return ""
	case s.Decision == plateau.DecisionImproved:
		return fmt.Sprintf("rank %d is the incumbent from here on: compared again, its gain is certain", s.Rank)
	case s.WentOnWith > 0:
		return fmt.Sprintf("rank %d is the incumbent from here on, uncertain as its gain is: with %d %s it was likely enough to climb on",
			s.Rank, s.WentOnWith, plural("seed", s.WentOnWith))
	}
	enough := "neither certain nor likely enough"
	if stop == plateau.StopCertified {
		enough = "not certain"
	}
	return fmt.Sprintf("rank %d is the incumbent from here on, uncertain as its gain is: the plateau at rank %d was %s", s.Rank, s.Incumbent,
		enough)
}

// earlier prints a comparison that a later one replaced.
func earlier(c plateau.Comparison, decimals int) string {
	if c.Gain == nil {
		return string(c.Decision)
	}
	return bounds(*c.Gain, decimals) + ", " + string(c.Decision)
}

// noise says where s̃ comes from (Smyth 2004, section 5, where a trend moderates the pair's own variance).
func (s ExplainedStep) noise(minGain float64) string {
	sd := number(roundTo(s.SD, 3))
	prior := s.PriorDF == nil || *s.PriorDF > 0
	n := len(s.Seeds)
	switch floor := s.SD <= minGain*plateau.NoiseFloor*(1+1e-9); {
	case floor && n > 1:
		return fmt.Sprintf("s̃ = %s, the floor of min_gain/%g: the %d differences agree to more digits than that", sd, 1/plateau.NoiseFloor, n)
	case floor:
		return fmt.Sprintf("s̃ = %s, the floor of min_gain/%g: the noise known is less than that", sd, 1/plateau.NoiseFloor)
	case s.PairSD == nil && !prior:
		return fmt.Sprintf("one seed: s̃ = %s, √2 times noise_sd, with normal quantiles", sd)
	case s.PairSD == nil:
		return fmt.Sprintf("one common seed: s̃ = s0 = %s, from the trend over the ladder's pairs (d0 = %s)", sd, s.priorDF())
	case !prior:
		return fmt.Sprintf("s̃ = s = %s of these %d differences, %d %s of freedom; there is no trend over the ladder yet (d0 = 0)",
			sd, n, n-1, plural("degree", n-1))
	}
	return fmt.Sprintf("s = %s of these %d differences, s0 = %s from the trend over the ladder's pairs with d0 = %s; together "+
		"s̃ = √((d0·s0² + %d·s²)/(d0 + %d)) = %s with %s degrees of freedom",
		number(roundTo(*s.PairSD, 3)), n, number(roundTo(s.PriorSD, 3)), s.priorDF(), n-1, n-1, sd, degrees(s.DF))
}

func (s ExplainedStep) priorDF() string { return degrees(s.PriorDF) }

func degrees(df *float64) string {
	if df == nil {
		return "infinity"
	}
	return number(roundTo(*df, 3))
}

func (s ExplainedStep) interval(decimals int) string {
	if s.Gain.Lo == nil || s.Gain.Hi == nil {
		return "none"
	}
	n := float64(len(s.Seeds))
	half := (*s.Gain.Hi - *s.Gain.Lo) / 2
	return fmt.Sprintf("d ± q·s̃/√n = %s ± %s·%s/√%d = [%s, %s]", fixed(s.Gain.Mean, decimals), number(roundTo(half*math.Sqrt(n)/s.SD, 4)),
		number(roundTo(s.SD, 3)), len(s.Seeds), fixed(*s.Gain.Lo, decimals), fixed(*s.Gain.Hi, decimals))
}

// decided says why the decision fell, by the numbers that stand above, and what it did to incumbent and strikes, by the numbers of then.
func (s ExplainedStep) decided(e Explanation) string {
	minGain := e.Verdict.minGain()
	text := ""
	switch s.Decision {
	case plateau.DecisionImproved:
		limit, d := apart(minGain, minGain, s.Gain.Mean)
		_, lo := apart(minGain, 0, *s.Gain.Lo)
		text = fmt.Sprintf("improved: the lower bound %s is above 0, and d = %s is at least min_gain %s", lo[0], d[0], limit)
	case plateau.DecisionWorse:
		_, hi := apart(minGain, 0, *s.Gain.Hi)
		text = fmt.Sprintf("worse: the upper bound %s is below 0", hi[0])
	case plateau.DecisionFlat:
		limit, hi := apart(minGain, minGain, *s.Gain.Hi)
		text = fmt.Sprintf("flat: the upper bound %s is below min_gain %s%s", hi[0], limit, s.unlessGiven(e))
	case plateau.DecisionUnresolved:
		text = s.unresolved(minGain)
	case plateau.DecisionBaseline, plateau.DecisionBeyond:
		text = string(s.Decision)
	}
	return text + s.effect(e)
}

// apart writes a limit, and values with the decimals of the lines above, or as many more as it takes for them to stand on their side of it.
func apart(minGain, limit float64, values ...float64) (string, []string) {
	decimals := digits(minGain) + 1
	return prose.ApartAs(func(v float64, more int) string { return prose.Significant(v, 3+more) },
		func(v float64, more int) string { return fixed(v, decimals+more) }, limit, values...)
}

// unresolved says why a gain is neither shown nor excluded: it is not certainly there, nor certainly less than min_gain.
func (s ExplainedStep) unresolved(minGain float64) string {
	limit, hi := apart(minGain, minGain, *s.Gain.Hi)
	_, lo := apart(minGain, 0, *s.Gain.Lo)
	if *s.Gain.Lo > 0 {
		limit, both := apart(minGain, minGain, *s.Gain.Hi, s.Gain.Mean)
		return fmt.Sprintf("unresolved: the lower bound %s is above 0, but d = %s is less than min_gain %s, and the upper bound %s is not",
			lo[0], both[1], limit, both[0])
	}
	return fmt.Sprintf("unresolved: the lower bound %s is not above 0, and the upper bound %s is not below min_gain %s", lo[0], hi[0], limit)
}

// effect says what the rank did to the climb when it was first judged.
func (s ExplainedStep) effect(e Explanation) string {
	when, then := "; ", s.Judged
	if len(then.Seeds) != len(s.Seeds) || then.Incumbent != s.Incumbent {
		when = fmt.Sprintf("; when first judged, over rank %d with %s %s, ", then.Incumbent, plural("seed", len(then.Seeds)),
			prose.List(then.Seeds))
	}
	switch s.Effect {
	case plateau.EffectBegins:
		return ""
	case plateau.EffectStopped:
		return ": the ladder had stopped before this rank, so it is listed and not counted"
	case plateau.EffectNotReached:
		return ": the climb waited for further seeds of lower ranks, so it is listed and not counted"
	case plateau.EffectClimbs:
		if then.Decision != s.Decision {
			return when + "it had improved; the climb went on from it"
		}
		return fmt.Sprintf("; rank %d is the incumbent from here on", s.Rank)
	case plateau.EffectStrike:
		return fmt.Sprintf("%sP %s, below %s: strike %d of %d%s", when, against(*then.Probability, plateau.StrikeProbability),
			strikeLimit(), s.Count, e.Rule.Patience, s.patience(e))
	case plateau.EffectGoesOn:
		return fmt.Sprintf("%sP %s, not below %g: the climb goes on from here without further seeds", when,
			against(*then.Probability, plateau.ClimbOn), plateau.ClimbOn)
	case plateau.EffectWaits:
		return s.waits(when)
	case plateau.EffectNoStrike:
	}
	if then.Probability == nil {
		return when + "P is not known: no strike, the count starts again"
	}
	return fmt.Sprintf("%sP %s, not below %s: no strike, the count starts again", when,
		against(*then.Probability, plateau.StrikeProbability), strikeLimit())
}

// patience says that the strike was the last that the rule allows.
func (s ExplainedStep) patience(e Explanation) string {
	if s.Count < e.Rule.Patience {
		return ""
	}
	return ", patience has run out"
}

// waits says why a sparing climb takes a further seed before it counts the rank.
func (s ExplainedStep) waits(when string) string {
	p := s.Judged.Probability
	switch {
	case p == nil:
		return when + "no seed is common to both: a further one is to tell"
	case *p >= plateau.StrikeProbability && *p < plateau.ClimbOn:
		return fmt.Sprintf("%sP %s, not below %s, but below %g: a further seed is to tell", when,
			against(*p, plateau.StrikeProbability, plateau.ClimbOn), strikeLimit(), plateau.ClimbOn)
	}
	return when + "nothing measured the noise that this rests on: a further seed is to tell"
}

func strikeLimit() string { return fixed(plateau.StrikeProbability, 2) }

// against prints a probability, as chance does, so that it stands on the side of each limit where it is.
func against(p float64, limits ...float64) string {
	text := chance(p)
	if text[0] == '<' || text[0] == '>' {
		return text
	}
	for _, limit := range limits {
		if _, apart := prose.Apart(3, limit, p); len(apart[0]) > len(text) {
			text = apart[0]
		}
	}
	return "= " + text
}

// unlessGiven says why a flat rank may still gain too much for a certain plateau, where it does.
func (s ExplainedStep) unlessGiven(e Explanation) string {
	if s.DF != nil || !e.Rule.given {
		return ""
	}
	wide := s.Gain.Mean + plateau.GivenNoiseWidth*(*s.Gain.Hi-s.Gain.Mean)
	if wide < e.Verdict.minGain() {
		return ""
	}
	_, texts := apart(e.Verdict.minGain(), e.Verdict.minGain(), wide)
	return fmt.Sprintf(", but %s at %g times the given noise_sd, which is what a certain plateau rests on", texts[0], plateau.GivenNoiseWidth)
}

func fixedList(values []float64, decimals int) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fixed(v, decimals)
	}
	return prose.List(words)
}
