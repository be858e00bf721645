package report

import (
	"fmt"
	"math"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// Outraced says which ladder is certainly better than one that was stopped for it.
type Outraced struct {
	Ladder int    `json:"ladder"` // from 1
	Cell   string `json:"cell"`   // its axes
	Scouts bool   `json:"scouts,omitempty"`
	// Ranks are where both were compared, the last being that of the stop; by scouts that of this ladder's lowest loss and the other's
	// largest.
	Ranks []int `json:"ranks"`
	// Behind is the mean loss above that ladder's at each of the ranks, paired by seed; by scouts one number.
	Behind []float64 `json:"behind"`
	Top    int       `json:"top"` // the last rank of the ladder, or the scout's
	// Left is what is left of it at Top if the gap goes on closing as between the two ranks; by scouts what their error leaves.
	Left       plateau.Interval `json:"left"`
	Confidence float64          `json:"confidence"`
	// Race is the arithmetic of it.
	Race plateau.Race `json:"race"`
}

func newOutraced(v plateau.Verdict) *Outraced {
	f := v.Reason
	scouts := f.Code == plateau.ReasonOutscouted
	if f.Code != plateau.ReasonOutraced && !scouts {
		return nil
	}
	return &Outraced{
		Ladder: f.Count, Cell: f.Name, Scouts: scouts, Ranks: f.Ranks, Behind: f.Values, Top: f.Of, Left: *f.Gain, Confidence: f.Value,
		Race: *v.Race,
	}
}

// outraced reports whether the ladder was stopped because another one is certainly better: what it recommends is where it stopped.
func (l Ladder) outraced() bool { return l.Verdict.State == plateau.StateOutraced }

// after is where an outraced ladder stopped.
func (o Outraced) after(s *Screening) string {
	if o.Scouts {
		return fmt.Sprintf("outraced: no rank trained (scouted knee %d)", s.Knee)
	}
	return fmt.Sprintf("outraced after rank %d", o.Ranks[len(o.Ranks)-1])
}

// race prints how an outraced ladder was shown to be behind.
func (t *text) race(o Outraced) {
	what := "Race"
	if o.Scouts {
		what = "Race of scouts"
	}
	t.print("")
	t.heading(wrap(fmt.Sprintf("%s against ladder %d (%s): outraced", what, o.Ladder, o.Cell), t.o.Width, "  "))
	if o.Scouts {
		t.raceOfScouts(o)
	} else {
		t.raceOfRanks(o)
	}
	var bounds []float64
	for _, s := range o.Race.Steps {
		bounds = append(bounds, s.Lo)
	}
	minGain, least := prose.Apart(3, o.Race.MinGain, bounds...)
	are := "is"
	if len(least) > 1 {
		are = "are all"
	}
	t.para("  decision ", "%s %s above min_gain %s, so no rank can be expected to come near enough", prose.List(least), are, minGain)
}

func (t *text) raceOfScouts(o Outraced) {
	s, decimals := o.Race.Steps[0], digits(o.Race.MinGain)+1
	f := func(v float64) string { return fixed(v, decimals) }
	t.para("  losses   ", "%s here, the lowest scouted, at rank %d; %s there, at rank %d, its largest: %s apart", f(s.Loss), o.Ranks[0],
		f(s.Leader), o.Ranks[1], f(o.Behind[0]))
	t.para("  error    ", "training may end up to %s below what a scout shows (sweep help scout), which leaves %s", f(s.Allowed), f(s.Gap))
	source := fmt.Sprintf("assumed, %s %% of the loss, as one run of each cell measures none", number(100*plateau.CautiousNoise))
	if t.rule.given {
		source = "noise_sd, " + t.rule.NoiseSource
	}
	t.para("  noise    ", "%s for a run (%s), √2 times that for a difference: s̃ = %s", number(roundTo(s.SD/math.Sqrt2, 3)), source,
		number(roundTo(s.SD, 3)))
	t.para("  bound    ", "%s - q·s̃ = %s - %s·%s = %s at least, %s", f(s.Gap), f(s.Gap), number(roundTo(s.Quantile, 4)),
		number(roundTo(s.SD, 3)), f(s.Lo), o.shared("other cell"))
}

func (t *text) raceOfRanks(o Outraced) {
	decimals := digits(o.Race.MinGain) + 1
	f := func(v float64) string { return fixed(v, decimals) }
	for i, s := range o.Race.Steps {
		how, level := "losses", o.shared("comparison")
		if i == len(o.Race.Steps)-1 {
			how, level = "if the gap went on changing per doubling of the rank as between those two, losses", o.level()
		}
		label := fmt.Sprintf("  %-9s", fmt.Sprintf("rank %d", s.Rank))
		t.para(label, "%s %s here and %s there, paired over %d %s; d - q·s̃/√n = %s - %s·%s/√%d = %s at least, %s",
			how, f(s.Loss), f(s.Leader), s.Seeds, plural("seed", s.Seeds), f(s.Gap), number(roundTo(s.Quantile, 4)),
			number(roundTo(s.SD, 3)), s.Seeds, f(s.Lo), level)
	}
}

// level is how certain a bound is by itself.
func (o Outraced) level() string { return fmt.Sprintf("one-sided at (1 - %s)/2", number(o.Confidence)) }

// shared is how certain it is where several share that.
func (o Outraced) shared(what string) string {
	n := o.Race.Comparisons
	return fmt.Sprintf("%s, shared by %d %s", o.level(), n, plural(what, n))
}
