package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestUpdates: what a later attempt found counts, and a trial that has not ended has none.
func TestUpdates(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	rungs := registration().Ladders[0].Rungs
	of := func(norm float64) trial.Event {
		return trial.Event{Seq: 1, At: moment(1), Kind: trial.EventUpdates, Updates: []trial.ModuleUpdate{
			{Module: "transformer.h.1.attn.c_attn", Norm: norm, StableRank: 1.5},
			{Module: "transformer.h.0.attn.c_attn", Norm: 2 * norm, StableRank: 1},
		}}
	}
	top, low := rungs[1].Trials[0].Trial, rungs[0].Trials[0].Trial
	launch(t, db, top, 1, []trial.Event{of(3)})
	launch(t, db, top, 2, []trial.Event{of(4)})
	launch(t, db, low, 1, script(4.5))
	got, err := db.Updates(t.Context(), id)
	want := map[trial.ID][]trial.ModuleUpdate{top.ID: {
		{Module: "transformer.h.0.attn.c_attn", Norm: 8, StableRank: 1}, {Module: "transformer.h.1.attn.c_attn", Norm: 4, StableRank: 1.5},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Updates: %v (-want +got):\n%s", err, diff)
	}
}
