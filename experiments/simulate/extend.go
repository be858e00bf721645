package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// smaller is the grid that a sweep begins with where a person extends it later by a rank or a seed.
type smaller struct {
	info         sweep.Info
	registration sweep.Registration
}

// drawExtension draws whether the sweep begins with a smaller grid. It is one in which nothing is trained that the larger one would not ask
// for as well, so that they come to the same.
func (w *world) drawExtension(r *rand.Rand, alphas []float64, ranks []int, seeds []int64) {
	ladder, rule := w.registration.Ladders[0], w.info.Rule
	plain := w.info.Strategy == sweep.StrategyLadder && !w.info.Race && rule.SeedsPerRank != plateau.NeededSeeds &&
		rule.Stop != plateau.StopCertified && w.confirm == 0 && w.info.Limits.Time == 0 && len(ladder.Candidates) == 0 && ladder.Reference == nil
	if !plain || r.IntN(4) > 0 {
		return
	}
	if len(seeds) > 1 && r.IntN(2) == 0 {
		seeds = seeds[:len(seeds)-1]
	} else {
		ranks = ranks[:len(ranks)-1]
	}
	w.before = &smaller{w.info, sweeptest.Registration(alphas, ranks, seeds)}
	w.before.info.Seeds, w.before.info.GridHash = seeds, "hash of the smaller grid"
}

// extendLater lets a person give the larger grid at some time.
func (h *history) extendLater() {
	if h.before != nil {
		h.then(personExtends, time.Duration(h.rng.Int64N(int64(h.calm.took*5/4)+1)))
	}
}

// giveGrid is what a person does who extends the sweep, and tries again where the disk refuses.
func (h *history) giveGrid(ctx context.Context) {
	err := h.atTerminal(ctx, func(db *store.DB) error { return h.askGrid(ctx, db) })
	h.note("extend: %v", err)
	h.given = h.given || err == nil
	if err != nil {
		h.then(personExtends, 5*time.Second)
		h.checkRefusal("extend", err)
	}
}

func (h *history) askGrid(ctx context.Context, db *store.DB) error {
	return db.AskGrid(ctx, h.id, store.GivenGrid{
		At: epoch.Add(h.took + h.shift), Text: h.info.GridText, Hash: h.info.GridHash, Path: h.info.GridPath,
	})
}

// checkGrid registers the sweep's grid again where its trials are others, as the program does at each start. The store refuses that: a
// lying disk has kept the grid's text and lost its trials, which SQLite does not see.
func (c *coordinator) checkGrid(ctx context.Context, db *store.DB, s sweep.Snapshot) error {
	registration := c.h.registration
	if c.h.before != nil && s.Sweep.GridHash == c.h.before.info.GridHash {
		registration = c.h.before.registration
	}
	if s.Holds(registration) {
		return nil
	}
	return db.Register(ctx, s.Sweep.ID, registration)
}

// takeGrid registers the larger grid, where a person has given it.
func (c *coordinator) takeGrid(ctx context.Context, db *store.DB, s sweep.Snapshot) (sweep.Snapshot, error) {
	if s.Sweep.Asked.Grid == 0 {
		return s, nil
	}
	x, err := s.Extend(c.h.registration)
	if err != nil {
		return s, err
	}
	if err := db.Extend(ctx, s, c.h.info, x); err != nil {
		return s, err
	}
	c.h.note("%s has registered the larger grid", c)
	return db.Snapshot(ctx, s.Sweep.ID)
}
