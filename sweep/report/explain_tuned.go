package report

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// TunedRung is what a rung was tuned over: every candidate, which of them stands for the rung, and what they took.
type TunedRung struct {
	Rank       int              `json:"rank"`
	Candidates []TunedCandidate `json:"candidates"` // in grid order
	// Edges are the tuned axes whose chosen value is the smallest or the largest of its list; empty also while none is chosen.
	Edges        []sweep.Edge `json:"edges"`
	Trials       int          `json:"trials"`        // of all candidates that ended with a loss, further seeds among them
	TrainSeconds float64      `json:"train_seconds"` // of these together
}

// TunedCandidate is one combination of the tuned axes' values at a rank.
type TunedCandidate struct {
	Tuned   Cell     `json:"tuned"`
	Chosen  bool     `json:"chosen"`
	ValLoss *float64 `json:"val_loss"` // mean over the grid's seeds that have a loss, nats per token
	Seeds   int      `json:"seeds"`    // how many those are
	Cost    Cost     `json:"cost"`     // of one trial
}

// tuning is nil where nothing is tuned.
func (r Rung) tuning() *TunedRung {
	if len(r.Candidates) == 0 {
		return nil
	}
	out := &TunedRung{Rank: r.Rank, Candidates: []TunedCandidate{}, Edges: notNil(r.edges)}
	for _, c := range r.Candidates {
		all, extra := seedsWithLoss(c.Trials)
		out.Candidates = append(out.Candidates, TunedCandidate{
			Tuned: c.Tuned, Chosen: c.Chosen, ValLoss: c.ValLoss, Seeds: all - extra,
			Cost: cost(c.Trials),
		})
		out.Trials += all
		for _, t := range c.Trials {
			if t.ValLoss != nil {
				out.TrainSeconds += *t.TrainSeconds
			}
		}
	}
	return out
}

// tuned prints what the rung of a rank was tuned over.
func (t *text) tuned(e Explanation, rank int) {
	const indent = "           "
	for _, r := range e.Tuning {
		if r.Rank != rank {
			continue
		}
		t.para("  tuned    ", "%s", r.choice())
		t.tabulate(indent, r.table(digits(e.Verdict.minGain())+1), "")
		t.para(indent, "All candidates together: %d %s with a loss, %s of training.", r.Trials, plural("trial", r.Trials),
			Seconds(r.TrainSeconds))
	}
}

// choice says which candidate stands for the rung, and at which edges it lies.
func (r TunedRung) choice() string {
	chosen := ""
	for _, c := range r.Candidates {
		if c.Chosen {
			chosen = sweep.Cell(c.Tuned).String()
		}
	}
	if chosen == "" {
		return fmt.Sprintf("none of %d candidates is chosen", len(r.Candidates))
	}
	text := fmt.Sprintf("%s, the best of %d candidates; ", chosen, len(r.Candidates))
	if len(r.Edges) == 0 {
		return text + "no value at the edge of its list"
	}
	var edges []string
	for _, e := range r.Edges {
		edges = append(edges, fmt.Sprintf("%s (%s)", e.Axis, e.Side))
	}
	return text + "at the edge of its list: " + prose.List(edges)
}

// table has one line per candidate.
func (r TunedRung) table(decimals int) Table {
	var names []string
	for _, s := range r.Candidates[0].Tuned {
		names = append(names, s.Name)
	}
	rows := make([][]string, len(r.Candidates))
	for i, c := range r.Candidates {
		for _, name := range names {
			rows[i] = append(rows[i], c.Tuned.value(name))
		}
		chosen := ""
		if c.Chosen {
			chosen = "chosen"
		}
		loss := optional(c.ValLoss, func(v float64) string { return fixed(v, decimals) })
		rows[i] = append(rows[i], loss, fmt.Sprint(c.Seeds), chosen, optional(nonZero(c.Cost.TrainableParams), count),
			optional(c.Cost.peak(), size), optional(c.Cost.TrainSeconds, Seconds))
	}
	return Table{append(names, "val_loss", "seeds", "", "params", "memory", "time"), rows}
}
