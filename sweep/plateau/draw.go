package plateau

import "slices"

// settle decides what a climb does that has run out of patience: stop, wait for drawn seeds, or go on from another
// incumbent.
//
// A certified stop is final. Otherwise, if certainty is wished for, it asks once, for the incumbent b and every rank of
// (b, end] that is not certainly below min_gain, for all the seeds that MaxSeeds allows, all at once: a draw of a size that
// does not depend on what it shows. When they are there it looks again at all of (b, end]. A confirmation draws for likely
// plateaus alone, so that it never changes the way that a ladder came to its stop.
func (c *Climb) settle() {
	if !c.fill() || !c.patienceOut() {
		return
	}
	c.Stopped = true
	if c.certified() {
		return
	}
	if c.rule.Stop == StopCertified || c.rule.Confirm && c.likely() {
		c.look()
		if !c.certified() {
			c.Draw = c.missing()
		}
		if c.Draw != nil {
			c.Stopped = false
			return
		}
		c.look()
		if c.certified() {
			return
		}
	}
	if c.rule.Stop == StopCertified || !c.likely() {
		c.goOn()
	}
}

// goOn makes the next better rank the incumbent, though its gain is not certain: where the plateau at b is neither certain
// nor likely enough, that is the smallest step on. Its strikes are those of the ranks above it, which are compared with it now.
func (c *Climb) goOn() {
	next := c.nextBetter()
	if next < 0 {
		return
	}
	c.Stopped = false
	c.promote(next)
	c.recount()
	if c.patienceOut() {
		c.settle()
	}
}

// nextBetter is the index of the lowest rank of (b, end] that is better than b on average, or, where none is, of the one that
// loses least without being certainly worse; -1 where there is none. To stay at b instead would call fewer true plateaus and
// save nothing (experiments/calibrate/README.md).
func (c *Climb) nextBetter() int {
	best := -1
	for j := c.Incumbent + 1; j <= c.End; j++ {
		g := c.Rows[j].Gain
		switch {
		case g == nil || c.Rows[j].Decision == DecisionWorse:
		case g.Mean > 0:
			return j
		case best < 0 || g.Mean > c.Rows[best].Gain.Mean:
			best = j
		}
	}
	return best
}

// Finish ends a climb that has no further rank. Where a plateau is likely although patience has not run out, a confirmation
// asks once, as settle does, for the incumbent b and every rank of (b, end] that is not certainly below min_gain. When the
// seeds are there it judges (b, end] again as the rule does on the way: a rank that improved becomes the incumbent, and
// strikes are counted anew. No rank is left whose training that could change, and fewer than Patience lie above b, so what
// follows is never more than a likely plateau.
func (c *Climb) Finish() {
	if !c.finishSeeds() {
		return
	}
	if !c.rule.Confirm || c.patienceOut() || c.count == 0 || c.certified() || !c.likely() {
		return
	}
	if c.Draw = c.missing(); c.Draw != nil {
		return
	}
	c.look()
	for j := c.Incumbent + 1; j <= c.End; j++ {
		if c.Rows[j].Decision == DecisionImproved {
			c.promote(j)
		}
	}
	c.recount()
}

// promote makes rung j the incumbent after it was passed, and compares the rungs above with it.
func (c *Climb) promote(j int) {
	c.Incumbent = j
	c.Rows[j].Promoted = true
	c.look()
}

// recount counts the strikes in a row of the rungs above the incumbent.
func (c *Climb) recount() {
	c.count = 0
	for j := c.Incumbent + 1; j <= c.End; j++ {
		if c.strikes(c.Rows[j]) {
			c.count = min(c.count+1, c.rule.Patience)
		} else {
			c.count = 0
		}
	}
}

// patienceOut reports whether enough strikes are counted to stop.
func (c *Climb) patienceOut() bool { return c.count >= c.rule.Patience }

// Forgo lets a climb that waits for drawn seeds end without them.
func (c *Climb) Forgo() {
	if c.Draw != nil {
		c.Draw, c.Stopped = nil, c.patienceOut()
	}
}

// look compares every rung of (b, end] with b again, where seeds that were drawn or a new incumbent give it new numbers.
func (c *Climb) look() {
	for j := c.Incumbent + 1; j <= c.End; j++ {
		row := &c.Rows[j]
		seeds, _ := c.paired(c.Incumbent, j)
		if row.Incumbent == c.Rungs[c.Incumbent].Rank && len(seeds) == len(row.Seeds) {
			continue
		}
		row.Earlier = append(row.Earlier, row.Comparison)
		row.Comparison = c.compare(c.Incumbent, j, c.End).comparison(c)
	}
}

// missing marks the incumbent and the uncertified rungs as drawn, and returns the trials that this still takes.
func (c *Climb) missing() *Draw {
	seeds := c.rule.extraSeeds(c.Rungs)
	if len(seeds) == 0 {
		return nil
	}
	rungs := []int{c.Incumbent}
	for j := c.Incumbent + 1; j <= c.End; j++ {
		if c.open(c.Rows[j]) {
			rungs = append(rungs, j)
		}
	}
	d := &Draw{Seeds: seeds}
	for _, r := range rungs {
		c.drawn[r] = true
		if l := c.Rungs[r]; slices.ContainsFunc(seeds,
			func(s int64) bool { return !slices.Contains(l.Seeds, s) && !slices.Contains(l.Lost, s) }) {
			d.Ranks = append(d.Ranks, l.Rank)
		}
	}
	if len(d.Ranks) == 0 {
		return nil
	}
	return d
}

// extraSeeds are those that may be drawn: the next integers after the largest of the grid's, up to MaxSeeds together.
func (p Rule) extraSeeds(rungs []Losses) []int64 {
	grid := p.GridSeeds
	if len(grid) == 0 {
		for _, l := range rungs {
			for _, s := range l.Seeds {
				if !slices.Contains(grid, s) {
					grid = append(grid, s)
				}
			}
		}
	}
	var extra []int64
	for s := slices.Max(grid) + 1; len(grid)+len(extra) < p.SeedLimit(len(grid)); s++ {
		extra = append(extra, s)
	}
	return extra
}
