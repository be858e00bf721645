package plateau

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Racer is one cell of a race over cells: what it measured at the last two ranks that all of them have finished.
type Racer struct {
	Before, Last Losses // at those ranks; a ladder that has ended keeps its recommended rank in both
	MinGain      float64
	Tested       bool // it would climb on, so that stopping it saves something
}

// Lag is by how much a cell is certainly behind the leader of its race.
type Lag struct {
	Leader int       // index of the racer that leads
	Behind []float64 // mean loss above the leader's, before and last, paired by seed; of scouts that of the lowest losses
	// Left is what remains of it at the last rank of the ladder, at least: as last where the gap grew, else as if it went on
	// closing as fast to the end; of scouts what their error leaves of it. Lo is the bound.
	Left Interval
	Race Race
}

// Race is the arithmetic behind a Lag.
type Race struct {
	MinGain     float64 `json:"min_gain"`    // the larger of both cells': what every bound must exceed
	Comparisons int     `json:"comparisons"` // that share α/2
	// Steps are, by ranks, what holds before, at the last rank, and what is left at the top; of scouts there is one.
	Steps []RaceStep `json:"steps"`
}

// RaceStep is one difference to the leader with its bound, Lo = Gap − Quantile·SD/√Seeds.
type RaceStep struct {
	Rank     int     `json:"rank"`
	Loss     float64 `json:"loss"`              // of this cell, the mean over the shared seeds; at the top extrapolated
	Leader   float64 `json:"leader"`            // of the one that leads, likewise
	Allowed  float64 `json:"allowed,omitempty"` // for the scout's error
	Gap      float64 `json:"gap"`               // Loss − Leader − Allowed
	Seeds    int     `json:"seeds"`
	SD       float64 `json:"sd"` // of one difference
	Quantile float64 `json:"quantile"`
	Lo       float64 `json:"lo"`
}

// fewestPooled is from how many climbing cells on their noise is pooled: the residuals of two are one and the same.
const fewestPooled = 3

// Race says which cells certainly cannot come within min_gain of the leader's loss, whatever further ranks bring; nil for the others.
//
// The leader is the racer with the lowest mean. A cell is out where three differences to it, paired by seed, all exceed min_gain: at the
// rank before, at the last one, and what is left at rank top if the gap goes on closing, per doubling of the rank, as between the two.
// So one rank shows nothing, nor does one seed. The gap at equal ranks is what counts: the loss that a cell ends with lies
// above the leader's by the least gap of all ranks to come, however much both still gain.
//
// The bounds at the two ranks are one-sided at α/2 over comparisons, which is how often the best cell could be tested: once against each
// other cell at each rank (Bonferroni; the idea of racing: Maron and Moore 1994). What is left at the top is bounded at α/2 itself: it is
// an allowance already, for gains fall with rank, and corrected too it would cost a third of what racing saves without a cell kept for it
// (experiments/calibrate/race). All three must hold, which needs no further correction (intersection–union). The variance is moderated as
// a ladder's is (Smyth 2004), the prior being the residuals of all climbing cells once what seeds share is removed.
func (p Rule) Race(racers []Racer, top, comparisons int) []*Lag {
	lags := make([]*Lag, len(racers))
	leader := leaderOf(racers, func(r Racer) float64 { return mean(r.Last.ValLoss) })
	r := race{
		rule: p, racers: racers, leader: leader, level: (1 - p.Confidence) / 2 / float64(comparisons), compared: comparisons,
		pools: map[contrast]trend{}, quantiles: map[[2]float64]float64{},
	}
	for i, c := range racers {
		if c.Tested && i != leader && c.climbs() {
			lags[i] = r.lag(i, top)
		}
	}
	return lags
}

// leaderOf is the index of the racer with the lowest loss; -1 of none.
func leaderOf[R any](racers []R, loss func(R) float64) int {
	leader := -1
	for i, r := range racers {
		if leader < 0 || loss(r) < loss(racers[leader]) {
			leader = i
		}
	}
	return leader
}

type race struct {
	rule      Rule
	racers    []Racer
	leader    int
	level     float64 // one-sided, of one bound
	compared  int     // comparisons that share it
	pools     map[contrast]trend
	quantiles map[[2]float64]float64 // by level and degrees of freedom
}

// contrast weighs a cell's losses at the two ranks.
type contrast struct{ before, last float64 }

// lag is a cell's, nil where it is not certainly behind.
func (r race) lag(i, top int) *Lag {
	c := r.racers[i]
	doublings := math.Log2(float64(top)/float64(c.Last.Rank)) / math.Log2(float64(c.Last.Rank)/float64(c.Before.Rank))
	before, last := r.gap(i, contrast{1, 0}, r.level), r.gap(i, contrast{0, 1}, r.level)
	left := r.gap(i, contrast{-doublings, 1 + doublings}, (1-r.rule.Confidence)/2)
	if before == nil || last == nil || left == nil {
		return nil
	}
	before.Rank, last.Rank, left.Rank = c.Before.Rank, c.Last.Rank, top
	race := Race{
		MinGain: max(c.MinGain, r.racers[r.leader].MinGain), Comparisons: r.compared, Steps: []RaceStep{*before, *last, *left},
	}
	if last.Lo < left.Lo {
		left = last
	}
	if min(before.Lo, left.Lo) <= race.MinGain {
		return nil
	}
	return &Lag{
		Leader: r.leader, Behind: []float64{before.Gap, last.Gap}, Left: Interval{Mean: left.Gap, Lo: &left.Lo}, Race: race,
	}
}

// gap is by how much a cell's contrast exceeds the leader's, paired by seed; nil where they share less than two seeds.
func (r race) gap(i int, w contrast, level float64) *RaceStep {
	own, lead := r.values(i, w), r.values(r.leader, w)
	var diffs, leads []float64
	for _, s := range r.seeds(i) {
		if y, ok := lead[s]; ok {
			diffs, leads = append(diffs, own[s]-y), append(leads, y)
		}
	}
	if len(diffs) < 2 {
		return nil
	}
	prior, df := r.pool(w), float64(len(diffs)-1)
	s2 := df * variance(diffs)
	if prior.df > 0 {
		s2 += prior.df * prior.at(1, 1)
		df += prior.df
	}
	sd := max(math.Sqrt(s2/df), NoiseFloor*r.racers[i].MinGain)
	d, leader, q := mean(diffs), mean(leads), r.quantile(level, df)
	return &RaceStep{
		Loss: leader + d, Leader: leader, Gap: d, Seeds: len(diffs), SD: sd, Quantile: q, Lo: d - q*sd/math.Sqrt(float64(len(diffs))),
	}
}

// quantile is t(1−level, ν), kept: many cells have the same.
func (r race) quantile(level, df float64) float64 {
	key := [2]float64{level, df}
	if _, ok := r.quantiles[key]; !ok {
		r.quantiles[key] = distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(1 - level)
	}
	return r.quantiles[key]
}

// seeds are the grid's that a cell has at both ranks, ascending.
func (r race) seeds(i int) []int64 {
	c := r.racers[i]
	var seeds []int64
	for _, s := range c.Last.Seeds {
		if r.rule.inGrid(s) && slices.Contains(c.Before.Seeds, s) {
			seeds = append(seeds, s)
		}
	}
	slices.Sort(seeds)
	return seeds
}

// values are a cell's contrast by seed.
func (r race) values(i int, w contrast) map[int64]float64 {
	c, values := r.racers[i], map[int64]float64{}
	for _, s := range r.seeds(i) {
		values[s] = w.before*c.Before.ValLoss[slices.Index(c.Before.Seeds, s)] + w.last*c.Last.ValLoss[slices.Index(c.Last.Seeds, s)]
	}
	return values
}

// pool is what the climbing cells say about the variance of a difference between two of them, by the seeds that all of them have: twice
// that of a cell's residuals, once each seed's mean over the cells is taken off.
func (r race) pool(w contrast) trend {
	if t, ok := r.pools[w]; ok {
		return t
	}
	var rows [][]float64
	common := r.common()
	for i, c := range r.racers {
		if values := r.values(i, w); c.climbs() && len(values) > 1 {
			row := make([]float64, len(common))
			for j, s := range common {
				row[j] = values[s]
			}
			rows = append(rows, row)
		}
	}
	r.pools[w] = r.fit(rows)
	return r.pools[w]
}

// common are the seeds of every climbing cell that has two at least.
func (r race) common() []int64 {
	var common []int64
	for i, c := range r.racers {
		seeds := r.seeds(i)
		switch {
		case !c.climbs() || len(seeds) < 2:
		case common == nil:
			common = seeds
		default:
			common = slices.DeleteFunc(common, func(s int64) bool { return !slices.Contains(seeds, s) })
		}
	}
	return common
}

// climbs reports whether the cell has the last two ranks, and not one that it ended with before.
func (c Racer) climbs() bool { return c.Before.Rank < c.Last.Rank }

func (r race) fit(rows [][]float64) trend {
	if len(rows) < fewestPooled || len(rows[0]) < 2 {
		return trend{}
	}
	n, cells := len(rows[0]), float64(len(rows))
	shared := make([]float64, n)
	for _, row := range rows {
		for s, y := range row {
			shared[s] += y / cells
		}
	}
	floor := NoiseFloor * r.racers[r.leader].MinGain
	pairs := make([]pairVariance, len(rows)) // all at one rank, so that the trend is a level
	for i, row := range rows {
		residuals := make([]float64, n)
		for s, y := range row {
			residuals[s] = y - shared[s]
		}
		pairs[i].df, pairs[i].s2 = float64(n-1), max(2*variance(residuals)*cells/(cells-1), floor*floor)
	}
	return fitTrend(pairs)
}
