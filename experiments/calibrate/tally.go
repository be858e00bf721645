package main

// tally counts what a rule did on ladders of one truth.
type tally struct {
	ladders      int
	plateau      int     // plateau claimed
	wrong        int     // of these, false
	clearlyWrong int     // of these, false by at least a fifth of min_gain
	likely       int     // likely plateau claimed
	likelyWrong  int     // of these, false
	called       int     // claims of either kind that are not false
	regret       float64 // sum of the recommended rank's true loss − the lowest, in min_gains
	used, runs   int     // rungs, trials
}

// add counts one ladder.
func (t *tally) add(of truth, c call) {
	wrong, clearly := of.isFalse(c.rung)
	t.ladders++
	t.regret += (of.loss[c.rung] - of.best) / of.minGain
	t.used += c.used
	t.runs += c.runs
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
	t.regret += o.regret
	t.used += o.used
	t.runs += o.runs
}

// share is a count in percent of the ladders.
func (t tally) share(n int) float64 { return 100 * float64(n) / float64(t.ladders) }

func (t tally) meanRuns() float64   { return float64(t.runs) / float64(t.ladders) }
func (t tally) meanUsed() float64   { return float64(t.used) / float64(t.ladders) }
func (t tally) meanRegret() float64 { return t.regret / float64(t.ladders) }

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
