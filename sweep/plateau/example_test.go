package plateau_test

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// Three seeds at four ranks: rank 2 pays, what lies above it does not.
func ExampleRule_Judge() {
	seeds := []int64{0, 1, 2}
	v, err := plateau.DefaultRule().Judge([]plateau.Losses{
		{Rank: 1, Seeds: seeds, ValLoss: []float64{4.802, 4.821, 4.811}, Complete: true},
		{Rank: 2, Seeds: seeds, ValLoss: []float64{4.601, 4.622, 4.611}, Complete: true},
		{Rank: 4, Seeds: seeds, ValLoss: []float64{4.599, 4.619, 4.610}, Complete: true},
		{Rank: 8, Seeds: seeds, ValLoss: []float64{4.598, 4.621, 4.611}, Complete: true},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.State, "at rank", v.RecommendedRank)
	for _, r := range v.Rungs {
		fmt.Println(r.Rank, r.Decision)
	}
	// Output:
	// plateau at rank 2
	// 1 baseline
	// 2 improved
	// 4 flat
	// 8 flat
}
