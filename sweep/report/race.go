package report

import (
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// Outraced says which ladder is certainly better than one that was stopped for it.
type Outraced struct {
	Ladder int    `json:"ladder"` // from 1
	Cell   string `json:"cell"`   // its axes
	Scouts bool   `json:"scouts,omitempty"`
	// Ranks are where both were compared, the last being that of the stop; by scouts that of this ladder's lowest loss and the other's
	// largest.
	Ranks []int `json:"ranks"`
	// Behind is the mean loss above that ladder's at each of the ranks, paired by seed; by scouts one number.
	Behind []float64 `json:"behind"`
	Top    int       `json:"top"` // the last rank of the ladder, or the scout's
	// Left is what is left of it at Top if the gap goes on closing as between the two ranks; by scouts what their error leaves.
	Left       plateau.Interval `json:"left"`
	Confidence float64          `json:"confidence"`
}

func newOutraced(v plateau.Verdict) *Outraced {
	f := v.Reason
	scouts := f.Code == plateau.ReasonOutscouted
	if f.Code != plateau.ReasonOutraced && !scouts {
		return nil
	}
	return &Outraced{
		Ladder: f.Count, Cell: f.Name, Scouts: scouts, Ranks: f.Ranks, Behind: f.Values, Top: f.Of, Left: *f.Gain, Confidence: f.Value,
	}
}

// outraced reports whether the ladder was stopped because another one is certainly better: what it recommends is where it stopped.
func (l Ladder) outraced() bool { return l.Verdict.State == plateau.StateOutraced }
