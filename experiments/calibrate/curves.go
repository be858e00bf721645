package main

import "math"

// ranks are those that every ladder climbs.
var ranks = [...]int{1, 2, 4, 8, 16, 32, 64, 128, 256} //nolint:gochecknoglobals // a constant, which Go has no arrays of

// rungs is how many there are.
const rungs = len(ranks)

// curve is a truth: the loss that a rank would reach without noise, in nats per token.
type curve struct {
	name    string
	formula string
	at      func(rank float64) float64
	// rises says that the loss rises again with rank, so that a rule can also stop too early or too late for good.
	rises bool
}

func curves() []curve {
	saturating := func(r float64) float64 { return 1.8 + .06*math.Pow(r, -.9) }
	return []curve{
		{name: "saturating", formula: "1.8 + .06·r^−.9", at: saturating},
		{name: "slow tail", formula: "1.8 + .06·r^−.2", at: func(r float64) float64 { return 1.8 + .06*math.Pow(r, -.2) }},
		{name: "no plateau", formula: "1.86 − .012·log2 r", at: func(r float64) float64 { return 1.86 - .012*math.Log2(r) }},
		{name: "flat", formula: "1.8", at: func(float64) float64 { return 1.8 }},
		{name: "U-shape", formula: "saturating + .0004·max(0, r−16)^.8", rises: true, at: func(r float64) float64 {
			return saturating(r) + .0004*math.Pow(max(0, r-16), .8)
		}},
	}
}

// truth is a curve at the level of a noise, with the smallest gain that counts.
type truth struct {
	loss    [rungs]float64
	ahead   [rungs]float64 // the most that the next patience ranks truly gain over this one, also beyond the last rung
	minGain float64        // nats
	best    float64        // the lowest loss of a rung
	// cheapest is the lowest rung within min_gain of that: what a person who knew the truth would take.
	cheapest int
}

// regret is what a rung loses to the lowest loss, in min_gains.
func (t truth) regret(rung int) float64 { return (t.loss[rung] - t.best) / t.minGain }

// newTruth evaluates a curve. share is min_gain as a share of the lowest rank's loss.
func newTruth(c curve, n noise, share float64, patience int) truth {
	at := func(rank float64) float64 { return n.level + n.scale*(c.at(rank)-1.8) }
	t := truth{minGain: share * at(1), best: math.Inf(1)}
	for i, r := range ranks {
		t.loss[i] = at(float64(r))
		t.best = min(t.best, t.loss[i])
		t.ahead[i] = math.Inf(-1)
		for k := 1; k <= patience; k++ {
			t.ahead[i] = max(t.ahead[i], t.loss[i]-at(float64(r)*math.Pow(2, float64(k))))
		}
	}
	for t.regret(t.cheapest) > 1 {
		t.cheapest++
	}
	return t
}

// boundary is how far above min_gain a gain lies that still counts as lying on it.
const boundary = 1.2

// isFalse reports whether stopping at a rung forgoes min_gain within the next patience ranks, and clearly, whether by a
// fifth more than that.
func (t truth) isFalse(rung int) (wrong, clearly bool) {
	return t.ahead[rung] >= t.minGain, t.ahead[rung] >= boundary*t.minGain
}

// plateaus reports whether the ladder has a rung that it is right to stop at and that leaves patience ranks to see it by.
func (t truth) plateaus(patience int) bool {
	for i := range rungs - patience {
		if wrong, _ := t.isFalse(i); !wrong {
			return true
		}
	}
	return false
}
