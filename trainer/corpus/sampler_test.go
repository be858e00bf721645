package corpus

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSamplerDrawsEveryRowOncePerEpochFromAnyPosition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		seed := rapid.Int64().Draw(t, "seed")
		epoch := rapid.Int64Range(0, 5).Draw(t, "epoch")
		shuffle := rapid.Bool().Draw(t, "shuffle")
		s := NewSampler(n, seed, shuffle)
		var drawn []int
		for k := epoch * int64(n); k < (epoch+1)*int64(n); k++ {
			row := s.Row(k)
			if fresh := NewSampler(n, seed, shuffle).Row(k); fresh != row {
				t.Fatalf("Row(%d) = %d after others, %d alone", k, row, fresh)
			}
			drawn = append(drawn, row)
		}
		sorted := slices.Sorted(slices.Values(drawn))
		for i, row := range sorted {
			if row != i {
				t.Fatalf("epoch %d draws %v", epoch, drawn)
			}
		}
		if !shuffle && !slices.IsSorted(drawn) {
			t.Fatalf("without shuffle the order is %v", drawn)
		}
	})
}

// The order is part of every trial's result: it may never change between releases.
func TestSamplerOrderIsFixed(t *testing.T) {
	t.Parallel()
	var got []int
	s := NewSampler(8, 1, true)
	for k := range int64(16) {
		got = append(got, s.Row(k))
	}
	want := []int{4, 2, 0, 5, 6, 1, 7, 3, 3, 5, 6, 7, 2, 0, 4, 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
