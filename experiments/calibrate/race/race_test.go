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
	if apart.bestOut > 0 || apart.out < 2*grids || apart.raced >= apart.climbed || apart.regretRaced > apart.regretClimbed+1e-9 {
		t.Errorf("cells that lie apart: %+v", apart)
	}
	if equal.out > 0 || equal.raced != equal.climbed {
		t.Errorf("equal cells: %+v", equal)
	}
}
