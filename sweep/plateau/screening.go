package plateau

import "slices"

// Screening is how a strategy other than climbing chose where to climb. Its losses are those of truncated adapters, or of a scout's:
// they point to ranks, and nothing is claimed from them.
type Screening struct {
	// Scout tells one trial that shows every rank, Rank's own included in Ranks, from adapters truncated.
	Scout   bool       `json:"scout,omitempty"`
	Rank    int        `json:"rank"`               // the largest affordable one, whose adapters were truncated
	Knee    int        `json:"knee"`               // what the rule says of the truncated losses
	From    int        `json:"from"`               // the lowest rank that was trained, or is to be
	Skipped []int      `json:"skipped"`            // ranks of which no trial was needed
	Losses  []Interval `json:"losses"`             // means over the grid's seeds, one per rank of Ranks
	MinGain float64    `json:"min_gain,omitempty"` // a scout's: that of its curve
	Ranks   []int      `json:"ranks"`              // ascending, without Rank itself but for a scout's
}

// Loss returns the mean loss of the adapters truncated to a rank, nil where there is none.
func (s *Screening) Loss(rank int) *Interval {
	if s == nil {
		return nil
	}
	if i := slices.Index(s.Ranks, rank); i >= 0 {
		return &s.Losses[i]
	}
	return nil
}
