package main

import (
	"math/rand/v2"
	"testing"
)

// TestRacingSavesTrials: on cells that lie apart racing takes out some, never the best, and recommends no worse; on equal cells it does
// nothing.
func TestRacingSavesTrials(t *testing.T) {
	t.Parallel()
	const grids = 10
	var apart, equal tally
	for g := range uint64(grids) {
		apart.add(truths()[0], noises()[0], 3, rand.New(rand.NewPCG(1, g)))
		equal.add(truths()[2], noises()[0], 3, rand.New(rand.NewPCG(1, g)))
	}
	for name, o := range map[string]outcome{"ranks": apart.raced, "scouts": apart.scouted} {
		if o.bestOut > 0 || o.out < grids || o.steps >= apart.climbed.steps || o.regret > apart.climbed.regret+2*grids {
			t.Errorf("%s of cells that lie apart: %+v, without a race %+v", name, o, apart.climbed)
		}
	}
	if equal.raced.out > 0 || equal.raced.steps != equal.climbed.steps || equal.scouted.out > 0 {
		t.Errorf("equal cells: %+v", equal)
	}
}
