package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// A coordinator writes a sweep's own row first, then its ladders and trials; a report reads them.
func Example() {
	dir, err := os.MkdirTemp("", "store-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(dir, "sweep.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close() //nolint:errcheck // every write is committed by its own transaction
	id, err := db.CreateSweep(ctx, sweeptest.Info("notes", 0, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := db.Register(ctx, id, sweeptest.Registration([]float64{16, 32}, []int{1, 2, 4}, []int64{0, 1})); err != nil {
		fmt.Println(err)
		return
	}
	s, err := db.Snapshot(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range s.Ladders {
		fmt.Println(l.Cell, "has", len(l.Rungs), "ranks;", l.Rungs[0].Trials[0].State())
	}
	// Output:
	// alpha=16 has 3 ranks; pending
	// alpha=32 has 3 ranks; pending
}
