package main

import "math"

// tally counts what a protocol did on ladders of one truth.
type tally struct {
	ladders      int
	plateau      int // plateau claimed
	wrong        int // of these, false
	clearlyWrong int // of these, false by at least a fifth of min_gain
	likely       int // likely plateau claimed
	likelyWrong  int // of these, false
	called       int // claims of either kind that are not false
	near         int // the scouted knee is within one rung of the cheapest that is truly within min_gain of the best
	used         int // rungs
	steps        float64
	pick         pick
	undecided    []pick // of ladders without a plateau for sure, by choice
}

// pick sums up how good recommendations were.
type pick struct {
	ladders int
	regret  float64 // the recommended rank's true loss − the lowest, in min_gains
	short   int     // of these, those of more than one min_gain
	bought  float64 // log2 of the recommended rank over the cheapest whose true loss is within min_gain of the lowest
	over    float64 // the part of it above 0
}

func (p *pick) add(of truth, rung int) {
	regret := of.regret(rung)
	bought := math.Log2(float64(ranks[rung]) / float64(ranks[of.cheapest]))
	p.ladders++
	p.regret += regret
	p.short += one(regret > 1)
	p.bought += bought
	p.over += max(0, bought)
}

func (p *pick) merge(o pick) {
	p.ladders += o.ladders
	p.regret += o.regret
	p.short += o.short
	p.bought += o.bought
	p.over += o.over
}

// mean is a sum per ladder; 0 where there is none.
func (p pick) mean(sum float64) float64 { return sum / float64(max(1, p.ladders)) }

// add counts one ladder.
func (t *tally) add(of truth, c call) {
	wrong, clearly := of.isFalse(c.claimed)
	t.ladders++
	t.used += c.used
	t.steps += c.steps
	t.near += one(c.knee != nil && max(*c.knee-of.cheapest, of.cheapest-*c.knee) <= 1)
	t.pick.add(of, c.rung)
	if c.others != nil && t.undecided == nil {
		t.undecided = make([]pick, len(c.others))
	}
	for i, rung := range c.others {
		t.undecided[i].add(of, rung)
	}
	switch c.claim {
	case claimPlateau:
		t.plateau++
		t.wrong += one(wrong)
		t.clearlyWrong += one(clearly)
	case claimLikely:
		t.likely++
		t.likelyWrong += one(wrong)
	case claimNone:
		return
	}
	t.called += one(!wrong)
}

// merge adds another tally's counts.
func (t *tally) merge(o tally) {
	t.ladders += o.ladders
	t.plateau += o.plateau
	t.wrong += o.wrong
	t.clearlyWrong += o.clearlyWrong
	t.likely += o.likely
	t.likelyWrong += o.likelyWrong
	t.called += o.called
	t.near += o.near
	t.used += o.used
	t.steps += o.steps
	t.pick.merge(o.pick)
	if o.undecided != nil && t.undecided == nil {
		t.undecided = make([]pick, len(o.undecided))
	}
	for i, p := range o.undecided {
		t.undecided[i].merge(p)
	}
}

// share is a count in percent of the ladders.
func (t tally) share(n int) float64 { return 100 * float64(n) / float64(t.ladders) }

func (t tally) mean(sum float64) float64 { return sum / float64(t.ladders) }

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
