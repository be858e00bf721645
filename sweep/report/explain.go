package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// ErrAmbiguous says that a name fits several ladders.
var ErrAmbiguous = errors.New("it fits several")

// Explanation is one ladder's verdict with the arithmetic of every step. Its JSON is the body of `sweep explain -o json`.
type Explanation struct {
	Sweep      string          `json:"sweep"`
	Rule       Rule            `json:"rule"`
	Ladder     int             `json:"ladder"`
	Cell       Cell            `json:"cell"`
	Conditions Conditions      `json:"conditions"`
	Verdict    Verdict         `json:"verdict"`
	Steps      []ExplainedStep `json:"steps"` // one per judged rung, ascending
	// Tuning has what each started rung was tuned over, ascending; absent where nothing is tuned.
	Tuning []TunedRung `json:"tuning,omitempty"`
	// Updates has the rungs of which they are known, ascending: see WithUpdates.
	Updates []Updates `json:"updates,omitempty"`

	ladder Ladder
}

// ExplainedStep is one rung as the rule saw it, and what it cost.
type ExplainedStep struct {
	plateau.RungVerdict
	Gains         []float64 `json:"gains"` // val_loss of the incumbent − val_loss of this rank, one per seed in Seeds
	Cost          Cost      `json:"cost"`
	IncumbentCost *Cost     `json:"incumbent_cost"` // nil for the baseline
}

// Explain returns the explanation of one ladder: by its number in the report ("2"), by its id in the database ("id=7"), or
// by settings that only it has ("dropout=0.1", several joined by commas or as its title prints them). It fails with
// sweep.ErrNotFound.
func (r Report) Explain(ladder string) (Explanation, error) {
	number, err := r.find(ladder)
	if err != nil {
		return Explanation{}, err
	}
	l := r.Ladders[number-1]
	e := Explanation{
		Sweep: r.Sweep, Rule: r.Rule, Ladder: number, Cell: l.Cell, Conditions: l.Conditions, Verdict: l.Verdict,
		Steps: []ExplainedStep{}, ladder: l,
	}
	costs := map[int]Rung{}
	for _, rung := range l.Rungs {
		costs[rung.Rank] = rung
		if tuning := rung.tuning(); tuning != nil && rung.started {
			e.Tuning = append(e.Tuning, *tuning)
		}
		if rung.judged == nil {
			continue
		}
		step := ExplainedStep{RungVerdict: *rung.judged, Gains: []float64{}, Cost: rung.Cost}
		if before, ok := costs[step.Incumbent]; ok {
			step.Gains, step.IncumbentCost = gains(before, rung, step.Seeds), &before.Cost
		}
		e.Steps = append(e.Steps, step)
	}
	return e, nil
}

// find returns a ladder's number.
func (r Report) find(ladder string) (int, error) {
	var found []int
	for _, l := range r.Ladders {
		if l.matches(ladder) {
			found = append(found, l.Number)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	problem := fmt.Errorf("ladder %q of sweep %s: %w", ladder, r.Sweep, sweep.ErrNotFound)
	if len(found) > 1 {
		problem = fmt.Errorf("ladder %q of sweep %s is not one ladder: %w", ladder, r.Sweep, ErrAmbiguous)
	}
	var there []string
	for _, l := range r.Ladders {
		if len(found) == 0 || slices.Contains(found, l.Number) {
			there = append(there, l.title())
		}
	}
	if len(there) == 0 {
		return 0, fmt.Errorf("%w; it has none yet", problem)
	}
	return 0, fmt.Errorf("%w; choose from:\n  %s", problem, strings.Join(there, "\n  "))
}

// matches reports whether a ladder is the one that a person names.
func (l Ladder) matches(name string) bool {
	if number, err := strconv.Atoi(name); err == nil {
		return l.Number == number
	}
	if id, ok := strings.CutPrefix(name, "id="); ok {
		return id == strconv.FormatInt(l.id, 10)
	}
	if name != "" && name == l.Cell.Axes() {
		return true
	}
	for part := range strings.SplitSeq(name, ",") {
		setting, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !slices.ContainsFunc(l.Cell, func(s sweep.Setting) bool { return s.Name == setting && s.Value == value }) {
			return false
		}
	}
	return true
}

func gains(from, to Rung, seeds []int64) []float64 {
	out := []float64{}
	for _, seed := range seeds {
		a, b := loss(from, seed), loss(to, seed)
		if a != nil && b != nil {
			out = append(out, *a-*b)
		}
	}
	return out
}

func loss(r Rung, seed int64) *float64 {
	for _, t := range r.Trials {
		if t.Seed == seed {
			return t.ValLoss
		}
	}
	return nil
}

// Text prints the explanation in words and numbers.
func (e Explanation) Text(w io.Writer, o Options) error {
	t := newText(w, o, e.Rule)
	t.heading(e.ladder.title())
	t.verdict(e.ladder)
	t.arithmetic(e)
	return t.err
}

// arithmetic prints what the verdict rests on, rank by rank.
func (t *text) arithmetic(e Explanation) {
	t.updates(e)
	if o := e.Verdict.Outraced; o == nil || !o.Scouts {
		t.climbRule(e)
	}
	strikes := 0
	for _, s := range e.Steps {
		t.print("")
		t.step(s, e, strikes)
		t.tuned(e, s.Rank)
		strikes = s.Count
	}
	if e.Verdict.Outraced != nil {
		t.race(*e.Verdict.Outraced)
		return
	}
	if len(e.ladder.Rungs) > len(e.Steps) || len(e.ladder.NotStarted) > 0 {
		t.print("")
	}
	for _, r := range e.ladder.Rungs {
		if r.judged == nil {
			t.para("", "Rank %d: not judged, %s.", r.Rank, decision(r))
			t.tuned(e, r.Rank)
		}
	}
}

// climbRule says what a climb goes by.
func (t *text) climbRule(e Explanation) {
	t.print("")
	minGain := "min_gain"
	if e.Verdict.MinGain != nil {
		minGain += " " + number(roundTo(*e.Verdict.MinGain, 3))
	}
	strike := fixed(plateau.StrikeProbability, 2)
	enough := "certain, or likely enough"
	if e.Rule.Stop == plateau.StopCertified {
		enough = "certain"
	}
	t.para("", "A rank counts as improved when its gain over the incumbent is at least %s and certainly above 0. Each "+
		"bound is one-sided at (1 - %s)/2, and a rank whose probability P of a gain of min_gain is below %s is a strike; %d in a "+
		"row end the ladder where a plateau is %s, and else it climbs on from the next rank with a better mean.", minGain,
		number(e.Rule.Confidence), strike, e.Rule.Patience, enough)
	if e.Rule.SeedsPerRank == plateau.NeededSeeds {
		t.para("", "Seeds are trained as needed: ranks begin with one or two. Where P is %g or more the climb goes on from a rank without the "+
			"others; between %s and that it takes one more. What a plateau rests on has all of them.", plateau.ClimbOn, strike)
	}
}

func (t *text) step(s ExplainedStep, e Explanation, strikes int) {
	decimals := digits(e.Verdict.minGain()) + 1
	if s.IncumbentCost == nil {
		t.heading(fmt.Sprintf("Rank %d: %s", s.Rank, s.Decision))
		t.para("  loss     ", "%s over %s %s", plusMinus(s.ValLoss, decimals), plural("seed", len(s.Seeds)), prose.List(s.Seeds))
		t.para("  cost     ", "%s", costs(s.Cost))
		return
	}
	t.heading(fmt.Sprintf("Rank %d against rank %d: %s", s.Rank, s.Incumbent, s.Decision))
	t.para("  loss     ", "%s", plusMinus(s.ValLoss, decimals))
	if s.Gain == nil {
		t.para("  gain     ", "none: the two ranks have no seed in common")
		return
	}
	t.para("  gain     ", "d = %s, the mean of %s for %s %s", fixed(s.Gain.Mean, decimals), fixedList(s.Gains, decimals),
		plural("seed", len(s.Seeds)), prose.List(s.Seeds))
	t.para("  noise    ", "%s", s.noise(e.Verdict.minGain()))
	t.para("  interval ", "%s", s.interval(decimals))
	if s.Probability != nil {
		t.para("  chance   ", "P %s of a gain of at least min_gain", equals(chance(*s.Probability)))
	}
	t.para("  decision ", "%s", s.decided(e, strikes))
	for _, c := range s.Earlier {
		t.para("  before   ", "over rank %d with %s %s: %s", c.Incumbent, plural("seed", len(c.Seeds)), prose.List(c.Seeds), earlier(c, decimals))
	}
	if s.Promoted && s.Decision == plateau.DecisionImproved {
		t.para("  climbed  ", "rank %d is the incumbent from here on: compared again, its gain is certain", s.Rank)
	} else if s.WentOnWith > 0 {
		t.para("  climbed  ", "rank %d is the incumbent from here on, uncertain as its gain is: with %d %s P was %g or more, which is enough to "+
			"climb on",
			s.Rank, s.WentOnWith, plural("seed", s.WentOnWith), plateau.ClimbOn)
	} else if s.Promoted {
		t.para("  climbed  ", "rank %d is the incumbent from here on, uncertain as its gain is: the plateau at rank %d was neither "+
			"certain nor likely enough",
			s.Rank, s.Incumbent)
	}
	t.para("  bought   ", "%s for %s", bounds(*s.Gain, decimals), extras(*s.IncumbentCost, s.Cost))
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
	switch {
	case s.PairSD == nil && !prior:
		return fmt.Sprintf("one seed: s̃ = %s, √2 times noise_sd, with normal quantiles", sd)
	case s.PairSD == nil:
		return fmt.Sprintf("one common seed: s̃ = s0 = %s, from the trend over the ladder's pairs (d0 = %s)", sd, s.priorDF())
	case s.SD <= minGain*plateau.NoiseFloor*(1+1e-9):
		return fmt.Sprintf("s̃ = %s, the floor of min_gain/%g: the %d differences agree to more digits than that", sd, 1/plateau.NoiseFloor, n)
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

// decided says why the decision fell and what it did to incumbent and strikes.
func (s ExplainedStep) decided(e Explanation, strikes int) string {
	minGain, strike := number(roundTo(e.Verdict.minGain(), 3)), fixed(plateau.StrikeProbability, 2)
	why := map[plateau.StepDecision]string{
		plateau.DecisionImproved:   "improved: the lower bound is above 0 and d is at least " + minGain,
		plateau.DecisionWorse:      "worse: the upper bound is below 0",
		plateau.DecisionFlat:       "flat: the upper bound is below " + minGain + s.unlessGiven(e),
		plateau.DecisionUnresolved: "unresolved: the interval neither shows nor excludes a gain of " + minGain,
		plateau.DecisionBeyond:     "beyond: the ladder had stopped before this rank, so it is listed and not counted",
	}[s.Decision]
	switch {
	case s.Decision == plateau.DecisionBeyond:
		return why
	case len(s.Earlier) > 0:
		return fmt.Sprintf("%s; compared again, the strikes were counted before: %d of %d", why, s.Count, e.Rule.Patience)
	case s.Decision == plateau.DecisionImproved:
		return fmt.Sprintf("%s; rank %d is the incumbent from here on", why, s.Rank)
	case s.Count > strikes:
		return fmt.Sprintf("%s; P is below %s: strike %d of %d", why, strike, s.Count, e.Rule.Patience)
	}
	return why + "; P is not below " + strike + ": no strike, the count starts again"
}

// unlessGiven says why a flat rank may still gain too much for a certain plateau, where it does.
func (s ExplainedStep) unlessGiven(e Explanation) string {
	if s.DF != nil || s.Gain == nil || e.Rule.NoiseSource != plateau.NoiseFromGrid {
		return ""
	}
	wide := s.Gain.Mean + plateau.GivenNoiseWidth*(*s.Gain.Hi-s.Gain.Mean)
	if wide < e.Verdict.minGain() {
		return ""
	}
	return fmt.Sprintf(", but %s at %g times the given noise_sd, which is what a certain plateau rests on", number(roundTo(wide, 3)),
		plateau.GivenNoiseWidth)
}

// equals puts "= " before a number that no comparison precedes.
func equals(number string) string {
	if number[0] == '<' || number[0] == '>' {
		return number
	}
	return "= " + number
}

func fixedList(values []float64, decimals int) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fixed(v, decimals)
	}
	return prose.List(words)
}
