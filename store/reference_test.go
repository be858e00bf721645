package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// TestViewsOfAReference: full fine-tuning is in the trials without a rank, and in no rung.
func TestViewsOfAReference(t *testing.T) {
	t.Parallel()
	db := open(t)
	id, err := db.CreateSweep(t.Context(), sweeptest.Info("referred", 0))
	if err != nil {
		t.Fatal(err)
	}
	r := sweeptest.Registration([]float64{16}, []int{4}, []int64{0})
	r.Ladders[0].Reference = sweeptest.Reference([]float64{1e-4}, []int64{0})
	if err := db.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	tr := r.Ladders[0].Reference[0].Trial
	awaited := func() int {
		list, err := db.List(t.Context())
		if err != nil || len(list) != 1 || list[0].Trials != 2 {
			t.Fatalf("list %+v: %v", list, err)
		}
		return list[0].Reference
	}
	before := awaited()
	launch(t, db, tr, 1, script(4.5))
	if after := awaited(); before != 1 || after != 0 {
		t.Errorf("%d trials of a reference before it is trained, %d after", before, after)
	}
	for query, want := range map[string][][]string{
		`SELECT kind, rank, ifnull(alpha, 'none'), learning_rate, seed, extra, state, val_loss FROM trials`: {
			{"reference", "NULL", "none", "0.0001", "0", "0", "done", "4.5"}, {"rung", "4", "16", "0.003", "0", "0", "pending", "NULL"},
		},
		`SELECT rank, finished FROM rungs`: {{"4", "0"}},
	} {
		got, err := db.Query(t.Context(), query)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", query, err, diff)
		}
	}
	record, err := db.Trial(t.Context(), string(tr.ID))
	if err != nil || len(record.Places) != 1 || record.Places[0].Rank != 0 {
		t.Errorf("its places: %+v, %v", record.Places, err)
	}
}
