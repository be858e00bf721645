package report

import (
	"errors"
	"fmt"
	"io"
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
	shell  prose.Shell
}

// ExplainedStep is one rung as the rule saw it, and what it cost.
type ExplainedStep struct {
	plateau.RungVerdict
	Gains         []float64 `json:"gains"` // val_loss of the incumbent − val_loss of this rank, one per seed in Seeds
	Cost          Cost      `json:"cost"`
	IncumbentCost *Cost     `json:"incumbent_cost"` // nil for the baseline

	over string // what the loss is the mean of, where that is fewer seeds than the grid's
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
		Steps: []ExplainedStep{}, ladder: l, shell: r.Shell,
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
		step := ExplainedStep{RungVerdict: *rung.judged, Gains: []float64{}, Cost: rung.Cost, over: rung.over(r.Rule)}
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
	t.verdict(e.ladder, e.shell.Unbroken())
	t.words()
	t.arithmetic(e)
	t.words()
	return t.err
}

// arithmetic prints what the verdict rests on, rank by rank.
func (t *text) arithmetic(e Explanation) {
	t.updates(e)
	if o := e.Verdict.Outraced; o == nil || !o.Scouts {
		t.climbRule(e)
	}
	for _, s := range e.Steps {
		t.print("")
		t.step(s, e)
		t.tuned(e, s.Rank)
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
		"row end the ladder where a plateau is %s, and else it climbs on from the next rank with a better mean, or the one that loses "+
		"least.", minGain,
		number(e.Rule.Confidence), strike, e.Rule.Patience, enough)
	if e.Rule.SeedsPerRank == plateau.NeededSeeds {
		t.para("", "Seeds are trained as needed: ranks begin with one or two. Where P is %g or more the climb goes on from a rank without the "+
			"others; between %s and that it takes one more. What a plateau rests on has all of them.", plateau.ClimbOn, strike)
	}
}
