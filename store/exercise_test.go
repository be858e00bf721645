package store_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

func TestStoreDoesWhatEveryStoreMust(t *testing.T) {
	t.Parallel()
	sweeptest.ExerciseStore(t, func(t *testing.T) sweeptest.Store { t.Helper(); return open(t) })
}
