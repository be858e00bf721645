package plateau

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// StrikeProbability is the chance of a worthwhile gain below which a rung counts against climbing on. help/rule.md states it too.
const StrikeProbability = 0.20

// likelyEnough is the probability that a plateau needs to be called likely: below, the ladder climbs on. Both numbers were
// chosen on simulated ladders (experiments/calibrate): 0.15 for the first gave up a tenth of the true plateaus, 0.80 for the
// second doubled the wrong claims.
const likelyEnough = 0.90

// stopOnNoise is what suffices to stop where one seed each leaves the noise to noise_sd: two losses equal to the incumbent's reach
// 0.84 at its default, and one seed cannot say more than that. To stop is to save trials; what is called likely needs likelyEnough.
const stopOnNoise = 0.80

// Judge reports whether climbing to larger ranks still pays, as if the ladder ended with the last rung given.
//
// rungs ascend in Rank; ValLoss holds validation losses at the best evaluation, in nats per token, one per finished seed.
// Rungs are compared over the seeds they share. A ladder that the rule stops early is judged at that point: later rungs
// are listed as DecisionBeyond and move neither the state nor the recommendation. With one seed the intervals rest on
// NoiseSD alone, and the verdict is a likely plateau at best unless NoiseSD was given by a person. The recommended rank is not always the
// incumbent, which the claim is about: see recommend.
//
// Where Stop is certified, or Confirm is set, a stop that the grid's seeds do not certify asks for further seeds
// (Verdict.Draw) and is judged again once the losses include them. So does Confirm, once, where a plateau is likely though
// the ladder ended before patience ran out. What was drawn counts from then on and only for the ranks it was drawn for, so
// that neither the order of finished trials nor seeds that nobody asked for change anything.
//
// Intervals: the gain's is d ∓ t(1−α/2, ν)·s̃/√n over the common seeds; val_loss's is Student's over the rung's seeds, with
// the same one-sided α/2, and has no bounds where there is one seed.
//
// It fails when the settings are impossible, when the rungs are not ascending, finite and parallel, and when a relative
// min_gain meets a lowest rank whose mean is 0.
func (p Rule) Judge(rungs []Losses) (Verdict, error) {
	if err := p.Validate(); err != nil {
		return Verdict{}, err
	}
	if err := p.validateLosses(rungs); err != nil {
		return Verdict{}, err
	}
	c := NewClimb(p, Quantiles{})
	for _, r := range rungs {
		c.Add(r)
	}
	if c.MinGain == 0 {
		return Verdict{}, fmt.Errorf("min_gain is a share of the mean at rank %d, which is 0: give it as a number", rungs[0].Rank)
	}
	c.Finish()
	return c.Verdict(), nil
}

// Validate reports settings with which the rule means nothing.
func (p Rule) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(p.MinGain.Value > 0 && !math.IsInf(p.MinGain.Value, 0), "min_gain %v: want a positive number", p.MinGain.Value)
	check(p.Patience >= 1, "patience %d: want at least 1", p.Patience)
	check(p.Confidence > 0 && p.Confidence < 1, "confidence %v: want a number between 0 and 1", p.Confidence)
	check(p.NoiseSD >= 0 && !math.IsInf(p.NoiseSD, 0), "noise_sd %v: want a positive number", p.NoiseSD)
	check(p.Stop == StopLikely || p.Stop == StopCertified || p.Stop == "", "stop %q: want %q or %q", p.Stop, StopLikely, StopCertified)
	check(p.MaxSeeds >= 0, "max_seeds %d: want a positive number", p.MaxSeeds)
	return errors.Join(errs...)
}

func (p Rule) validateLosses(rungs []Losses) error {
	if len(rungs) == 0 {
		return errors.New("no rung to judge")
	}
	complete := -1
	for i, r := range rungs {
		if r.Rank < 1 || i > 0 && r.Rank <= rungs[i-1].Rank {
			return fmt.Errorf("rung %d has rank %d: ranks are at least 1 and ascend", i+1, r.Rank)
		}
		if err := r.validate(); err != nil {
			return fmt.Errorf("rank %d: %w", r.Rank, err)
		}
		n := p.gridSeedsOf(r)
		if n == 0 {
			return fmt.Errorf("rank %d: none of the grid's seeds %v has a loss", r.Rank, p.GridSeeds)
		}
		if r.Complete && complete >= 0 && !p.Sparing() && n != p.gridSeedsOf(rungs[complete]) {
			return fmt.Errorf("ranks %d and %d are both complete with %d and %d seeds", rungs[complete].Rank, r.Rank,
				p.gridSeedsOf(rungs[complete]), n)
		}
		if r.Complete {
			complete = i
		}
	}
	return nil
}

// gridSeedsOf counts the grid's seeds that a rung has a loss for.
func (p Rule) gridSeedsOf(l Losses) int {
	n := 0
	for _, s := range l.Seeds {
		if p.inGrid(s) {
			n++
		}
	}
	return n
}

// inGrid reports whether every rung is trained with the seed.
func (p Rule) inGrid(seed int64) bool {
	return len(p.GridSeeds) == 0 || slices.Contains(p.GridSeeds, seed)
}

func (l Losses) validate() error {
	if len(l.Seeds) == 0 {
		return errors.New("no seed has a loss")
	}
	for i, s := range l.Seeds {
		if slices.Contains(l.Seeds[:i], s) {
			return fmt.Errorf("seed %d appears twice", s)
		}
	}
	err := validateColumn("val_loss", l.Seeds, l.ValLoss)
	if l.Train != nil {
		err = errors.Join(err, validateColumn("train_loss", l.Seeds, l.Train))
	}
	if l.Last != nil {
		err = errors.Join(err, validateColumn("last val_loss", l.Seeds, l.Last))
	}
	return err
}

func validateColumn(name string, seeds []int64, column []float64) error {
	if len(column) != len(seeds) {
		return fmt.Errorf("%d seeds and %d values of %s", len(seeds), len(column), name)
	}
	for i, v := range column {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s of seed %d is %v", name, seeds[i], v)
		}
	}
	return nil
}

// bySeed returns the losses with seeds ascending, so that sums and with them every digit are the same for any order.
func (l Losses) bySeed() Losses {
	if slices.IsSorted(l.Seeds) {
		return l
	}
	order := make([]int, len(l.Seeds))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(l.Seeds[a], l.Seeds[b]) })
	sorted := l
	sorted.Seeds, sorted.ValLoss = reorder(l.Seeds, order), reorder(l.ValLoss, order)
	if l.Train != nil {
		sorted.Train = reorder(l.Train, order)
	}
	if l.Last != nil {
		sorted.Last = reorder(l.Last, order)
	}
	return sorted
}

func reorder[T any](x []T, order []int) []T {
	out := make([]T, len(x))
	for i, o := range order {
		out[i] = x[o]
	}
	return out
}

// Climb is one pass of the rule over a ladder: the incumbent, its strikes, and one row per rung.
type Climb struct {
	rule      Rule
	Rungs     []Losses // what counts
	full      []Losses // all that was given
	passed    [][]int  // asked, when each rung was passed
	asked     []int    // how many of the grid's seeds count, by rung
	whole     int      // the rung, from 1, that begins with all of them whatever the rule says; 0 for none
	MinGain   float64  // nats
	noiseSD   float64  // of one value; used where one seed leaves nothing else
	Rows      []RungVerdict
	Incumbent int  // index of b
	count     int  // strikes in a row
	Stopped   bool // patience ran out
	End       int  // index of the last rung that counted
	quantiles Quantiles
	trends    []trend // of the rungs up to each
	drawn     []bool  // rungs that further seeds were drawn for
	Draw      *Draw   // drawn seeds that are missing; the climb waits for them at end
}

// Quantiles keeps t(1−α/2, ν) by ν: the inverse of the incomplete beta function is the slowest part of a verdict. Climbs of one
// confidence may share it, one after the other.
type Quantiles map[float64]float64

// NewClimb returns a climb that has not begun. It reads and adds to q.
func NewClimb(p Rule, q Quantiles) *Climb {
	return &Climb{rule: p, MinGain: p.MinGain.Value, noiseSD: p.NoiseSD, quantiles: q}
}

// resolve turns what is relative to the lowest rank's loss into nats.
func (c *Climb) resolve() {
	base := math.Abs(c.Rows[0].ValLoss.Mean)
	if c.rule.MinGain.Relative {
		c.MinGain *= base
	}
	if c.noiseSD == 0 {
		c.noiseSD = DefaultNoise * base
	}
}

// DefaultNoise is noise_sd as a fraction of the lowest rank's loss where nothing better is known.
const DefaultNoise = 0.0025

// CautiousNoise takes its place where a plateau is to be called likely on a noise that nobody measured: the largest that was seen, that of
// ladders whose seeds share nothing (experiments/calibrate: 0.58 %) and of real ones between their lowest ranks (0.5 %).
const CautiousNoise = 0.006

// Add takes the next rung into account.
func (c *Climb) Add(l Losses) {
	r := len(c.Rungs)
	c.full, c.drawn = append(c.full, l.bySeed()), append(c.drawn, false)
	c.asked = append(c.asked, c.firstLoss(l, c.begin(r)))
	l = c.counting(r)
	c.Rungs, c.passed = append(c.Rungs, l), append(c.passed, slices.Clone(c.asked))
	seeds, losses := c.gridOf(l)
	c.Rows = append(c.Rows, RungVerdict{
		Rank: l.Rank, ValLoss: c.lossInterval(losses), Comparison: Comparison{Seeds: seeds, Decision: DecisionBaseline},
	})
	if r == 0 {
		c.resolve()
	}
	c.trends = append(c.trends, c.fitTrend())
	if r == 0 {
		c.Rows[r].Effect = EffectBegins
		return
	}
	c.Rows[r].Comparison = c.compare(c.Incumbent, r, r).comparison(c)
	c.score(r)
}

// score counts rung r for or against climbing on, and moves the incumbent.
func (c *Climb) score(r int) {
	row := &c.Rows[r]
	if c.Stopped || c.Draw != nil {
		row.Decision, row.Count, row.Effect = DecisionBeyond, c.count, EffectStopped
		if c.Draw != nil {
			row.Effect = EffectNotReached
		}
		return
	}
	c.End = r
	ready := c.resolveNear(r)
	row.Judged, row.Effect = row.Comparison, EffectWaits
	if !ready {
		return
	}
	c.passed[r] = slices.Clone(c.asked)
	switch row.Effect = c.effect(r); row.Effect {
	case EffectClimbs:
		c.Incumbent, c.count = r, 0
	case EffectGoesOn:
		c.Incumbent, c.count, row.Promoted, row.WentOnWith = r, 0, true, len(row.Seeds)
	case EffectStrike:
		c.count++
	default:
		c.count = 0
	}
	row.Count = c.count
	if c.patienceOut() {
		c.settle()
	}
}

// effect is what rung r does to the climb.
func (c *Climb) effect(r int) Effect {
	switch row := c.Rows[r]; {
	case row.Decision == DecisionImproved:
		return EffectClimbs
	case c.likelyImproved(r):
		return EffectGoesOn
	case c.strikes(row):
		return EffectStrike
	}
	return EffectNoStrike
}

// strikes reports whether a rung counts against climbing on.
func (c *Climb) strikes(r RungVerdict) bool {
	return r.Probability != nil && *r.Probability < StrikeProbability
}

// gridOf returns what a rung has of the grid's seeds.
func (c *Climb) gridOf(l Losses) (seeds []int64, losses []float64) {
	for i, s := range l.Seeds {
		if c.rule.inGrid(s) {
			seeds, losses = append(seeds, s), append(losses, l.ValLoss[i])
		}
	}
	return seeds, losses
}

// lossInterval is Student's interval of a rung's mean loss, each bound one-sided at α/2.
func (c *Climb) lossInterval(losses []float64) Interval {
	m := mean(losses)
	if len(losses) < 2 {
		return Interval{Mean: m}
	}
	half := c.quantile(float64(len(losses)-1)) * math.Sqrt(variance(losses)/float64(len(losses)))
	lo, hi := m-half, m+half
	return Interval{Mean: m, Lo: &lo, Hi: &hi}
}
