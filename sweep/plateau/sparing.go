package plateau

import "slices"

// A sparing climb (Rule.SeedsPerRank: NeededSeeds) trains as many of the grid's seeds at a rank as its decision needs. The lowest two
// ranks begin with two seeds, so that the noise is measured, and later ones with one. A rank and the incumbent get a further seed for
// as long as the chance of a gain of min_gain is neither small (a strike) nor one half: then the climb goes on from that rank. Before a
// plateau is claimed, and at the ladder's end, the incumbent and all ranks above it get every seed and are judged again, as if they
// had had them from the first. So the claims rest on all seeds; what fewer decided is only where the climb went.
//
// Which seeds count is the climb's own doing: one that another ladder trained, or an earlier run, changes nothing before it is asked for.

// SeedsPerRank says how many of the grid's seeds each rank is trained with.
type SeedsPerRank string

// The ways. The zero value means EverySeed.
const (
	EverySeed   SeedsPerRank = "all"
	NeededSeeds SeedsPerRank = "needed"
)

// measuringRungs begin with measuringSeeds: a variance needs two values on both sides.
const (
	measuringRungs = 2
	measuringSeeds = 2
)

// ClimbOn is the chance of a gain of min_gain from which on a sparing climb goes on from a rank without further seeds. On simulated
// ladders 0.5 takes 18.7 trials where 0.8 takes 20.4 and all seeds 22.3, with as few false claims (experiments/calibrate/README.md).
const ClimbOn = 0.5

// Sparing reports whether ranks may be trained with fewer than all of the grid's seeds.
func (p Rule) Sparing() bool { return p.SeedsPerRank == NeededSeeds && len(p.GridSeeds) > 1 }

// Begin is how many of the grid's seeds a climb's rung with this index is trained with before it is judged.
func (p Rule) Begin(rung int) int {
	switch {
	case !p.Sparing():
		return len(p.GridSeeds)
	case rung < measuringRungs:
		return measuringSeeds
	}
	return 1
}

// Sparing is the rule's.
func (c *Climb) Sparing() bool { return c.rule.Sparing() }

// NextSeeds are those that the next rung is to have been trained with when it is added.
func (c *Climb) NextSeeds() []int64 { return c.rule.GridSeeds[:c.begin(len(c.Rungs))] }

// Certain is how many rungs the climb will take, where there are as many, after the one that it waits for, whatever that one's losses are:
// patience cannot run out before. The lowest rung is no strike.
func (c *Climb) Certain() int {
	strikes := c.count
	if len(c.Rungs) > 0 {
		strikes++
	}
	return max(0, c.rule.Patience-strikes)
}

// WantAll lets the next rung begin with all of the grid's seeds: what became of the first ones says too little.
func (c *Climb) WantAll() { c.whole = len(c.Rungs) + 1 }

func (c *Climb) begin(rung int) int {
	if rung == c.whole-1 {
		return len(c.rule.GridSeeds)
	}
	return c.rule.Begin(rung)
}

// firstLoss is n, or as many of the grid's seeds as reach to the first that the rung has a loss for. A climb never gets to a rung without a
// loss, but may list one that another of the ladder's climbs trained with further seeds.
func (c *Climb) firstLoss(l Losses, n int) int {
	seeds := c.rule.GridSeeds
	for n < len(seeds) && !slices.ContainsFunc(seeds[:n], func(s int64) bool { return slices.Contains(l.Seeds, s) }) {
		n++
	}
	return n
}

// Asked are those of the grid's seeds that rung r counts with, or waits for.
func (c *Climb) Asked(r int) []int64 { return c.rule.GridSeeds[:c.asked[r]] }

// AsOf returns the losses of rung r that counted when rung k was passed, whatever was asked for since.
func (c *Climb) AsOf(k, r int) Losses { return c.first(r, c.passed[k][r]) }

// counting returns what a rung has of the seeds asked for, and of extra ones.
func (c *Climb) counting(r int) Losses { return c.first(r, c.asked[r]) }

// first returns what a rung has of the grid's first n seeds, and of extra ones.
func (c *Climb) first(r, n int) Losses {
	full := c.full[r]
	if !c.rule.Sparing() {
		return full
	}
	seeds := c.rule.GridSeeds[:n]
	l := Losses{Rank: full.Rank, Lost: full.Lost, Complete: true}
	for i, s := range full.Seeds {
		if c.rule.inGrid(s) && !slices.Contains(seeds, s) {
			continue
		}
		l.Seeds, l.ValLoss = append(l.Seeds, s), append(l.ValLoss, full.ValLoss[i])
		if full.Train != nil {
			l.Train = append(l.Train, full.Train[i])
		}
		if full.Last != nil {
			l.Last = append(l.Last, full.Last[i])
		}
	}
	for _, s := range seeds {
		l.Complete = l.Complete && slices.Contains(l.Seeds, s)
	}
	return l
}

// ask lets rungs count with n of the grid's seeds at least. Where some of those are neither trained nor lost, the climb waits for them.
func (c *Climb) ask(n int, rungs ...int) (ready bool) {
	d := Draw{Grid: true}
	for _, r := range rungs {
		c.asked[r] = max(c.asked[r], n)
		c.Rungs[r] = c.counting(r)
		missing := false
		for _, s := range c.Asked(r) {
			if slices.Contains(c.Rungs[r].Seeds, s) || slices.Contains(c.Rungs[r].Lost, s) {
				continue
			}
			missing = true
			if !slices.Contains(d.Seeds, s) {
				d.Seeds = append(d.Seeds, s)
			}
		}
		if missing {
			d.Ranks = append(d.Ranks, c.Rungs[r].Rank)
		}
	}
	if len(d.Ranks) > 0 {
		slices.Sort(d.Seeds)
		c.Draw = &d
		return false
	}
	c.trends[len(c.trends)-1] = c.fitTrend()
	return true
}

// near reports whether the incumbent and rung r need a further seed before the climb goes on: the chance of a worthwhile gain is
// neither small nor one half, or rests on an assumed noise.
func (c *Climb) near(r int) bool {
	row := c.Rows[r]
	return row.Probability == nil || *row.Probability >= StrikeProbability && *row.Probability < ClimbOn ||
		row.restsOnNoise() && !c.rule.noiseGiven()
}

// resolveNear trains the incumbent and rung r with further seeds while that may change the way. It reports false where the climb waits.
func (c *Climb) resolveNear(r int) (ready bool) {
	for c.rule.Sparing() && c.near(r) {
		n := min(c.asked[c.Incumbent], c.asked[r]) + 1
		if n > len(c.rule.GridSeeds) {
			break
		}
		if !c.ask(n, c.Incumbent, r) {
			return false
		}
		c.recompare(r)
	}
	return true
}

// recompare compares rung r with the incumbent anew.
func (c *Climb) recompare(r int) {
	c.Rows[r].Comparison = c.compare(c.Incumbent, r, len(c.Rungs)-1).comparison(c)
}

// likelyImproved reports whether a rung that has not all seeds gains enough for the climb to go on from there.
func (c *Climb) likelyImproved(r int) bool {
	p := c.Rows[r].Probability
	return c.rule.Sparing() && p != nil && *p >= ClimbOn && c.asked[r] < len(c.rule.GridSeeds)
}

// fill trains the incumbent and what was tried over it with all seeds, judges those ranks again, and reports whether nothing is missing. A
// rank that improved on all seeds becomes the incumbent.
func (c *Climb) fill() (ready bool) {
	if !c.rule.Sparing() {
		return true
	}
	var rungs []int
	for j := c.Incumbent; j <= c.End; j++ {
		rungs = append(rungs, j)
	}
	if !c.ask(len(c.rule.GridSeeds), rungs...) {
		return false
	}
	c.look()
	for j := c.Incumbent + 1; j <= c.End; j++ {
		if c.Rows[j].Decision == DecisionImproved {
			c.promote(j)
		}
	}
	c.recount()
	return true
}

// level gives the losses of a sparing climb one level, for a rung's own seeds may be luckier than another's: the mean of a rung with
// fewer seeds than the incumbent is the incumbent's, less the gain over it on the seeds that both have.
func (c *Climb) level() {
	if !c.rule.Sparing() {
		return
	}
	for r := range c.Rows {
		_, losses := c.gridOf(c.Rungs[r])
		c.Rows[r].ValLoss, c.Rows[r].GridSeeds = c.lossInterval(losses), c.asked[r]
	}
	c.refresh()
	b := c.Incumbent
	for r := range c.Rows {
		if c.asked[r] >= c.asked[b] {
			continue
		}
		g := c.compare(b, r, len(c.Rungs)-1)
		if g.n == 0 {
			continue
		}
		row := &c.Rows[r].ValLoss
		gain := g.d
		if c.rule.Maximize {
			gain = -gain
		}
		shift := c.Rows[b].ValLoss.Mean - gain - row.Mean
		row.Mean += shift
		if row.Lo != nil {
			*row.Lo, *row.Hi = *row.Lo+shift, *row.Hi+shift
		}
	}
}

// finishSeeds gives the ranks that a ladder's end rests on all seeds, and reports whether nothing is missing: what was tried over the
// incumbent, and, where the last rank is the incumbent, that rank and the one it was better than.
func (c *Climb) finishSeeds() (ready bool) {
	if !c.rule.Sparing() || c.Stopped || c.Draw != nil {
		return c.Draw == nil
	}
	demoted := false
	if len(c.since()) == 0 {
		before := c.rungOf(c.Rows[c.End].Incumbent)
		if before < 0 {
			return true
		}
		if !c.ask(len(c.rule.GridSeeds), before, c.End) {
			return false
		}
		c.Rows[c.End].Comparison = c.compare(before, c.End, c.End).comparison(c)
		if c.Rows[c.End].Decision == DecisionImproved {
			return true
		}
		c.demote(before)
		demoted = true
	}
	if !c.fill() {
		return false
	}
	if demoted {
		row := &c.Rows[c.End]
		row.Count, row.Judged, row.Effect = c.count, row.Comparison, EffectNoStrike
		if c.strikes(*row) {
			row.Effect = EffectStrike
		}
	}
	if c.patienceOut() {
		c.settle()
	}
	return c.Draw == nil
}

// demote makes rung b the incumbent again, in place of the last one: that was to climb on, no rank is left to climb to, and with all
// seeds it would not have become the incumbent.
func (c *Climb) demote(b int) {
	c.Incumbent, c.Rows[c.End].Promoted, c.Rows[c.End].WentOnWith = b, false, 0
}

// rungOf is the index of the rung with a rank, -1 where there is none.
func (c *Climb) rungOf(rank int) int {
	return slices.IndexFunc(c.Rungs, func(l Losses) bool { return l.Rank == rank })
}

// refresh compares the ranks that were passed, and the incumbent, with those they were passed over by all seeds that both have by now.
func (c *Climb) refresh() {
	for r := 1; r <= c.Incumbent; r++ {
		row := &c.Rows[r]
		before := c.rungOf(row.Comparison.Incumbent)
		if seeds, _ := c.paired(before, r); len(seeds) > len(row.Seeds) {
			row.Earlier = append(row.Earlier, row.Comparison)
			row.Comparison = c.compare(before, r, c.End).comparison(c)
		}
	}
}
