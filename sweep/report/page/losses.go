package page

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report"
)

// lossChart draws val_loss by rank: the seeds, their mean, the interval of each gain, and what min_gain under the incumbent is.
func (b *builder) lossChart(l report.Ladder) *chart {
	var ranks []int
	var xs, ys []float64
	for _, r := range l.Rungs {
		values := lossesOf(r)
		if len(values) == 0 {
			continue
		}
		ranks, xs = append(ranks, r.Rank), append(xs, float64(r.Rank))
		if !r.Diverged {
			ys = append(ys, values...)
		}
	}
	if len(ranks) == 0 {
		return nil
	}
	incumbent, minGain := incumbentLoss(l), l.Verdict.MinGain
	if incumbent != nil && minGain != nil {
		ys = append(ys, *incumbent-*minGain)
	}
	if full := l.Reference; full != nil && full.ValLoss != nil {
		ys = append(ys, full.ValLoss.Mean)
	}
	recommended := 0
	if l.Verdict.RecommendedRank != nil {
		recommended = *l.Verdict.RecommendedRank
	}
	c := &chart{
		Title: "Validation loss by rank", Class: "wide", x: span(xs, true, 0.06), y: span(ys, false, 0.12),
		Note: "Dots are seeds, joined by thin lines; the thick line is their mean. A bar is the interval of the rank's gain over the " +
			"incumbent, paired by seed, drawn at its mean. The band reaches min_gain below the incumbent: a rank has to get under it to pay.",
	}
	c.X = axis{Title: "rank", Ticks: rankTicks(c.x, ranks, recommended)}
	c.Y = axis{Title: "val_loss, nats per token", Ticks: c.y.plainTicks(5)}
	if incumbent != nil && minGain != nil {
		text := fmt.Sprintf("min_gain %s under rank %d", l.Numbers().Loss(*minGain), *cmp.Or(l.Verdict.IncumbentRank, l.Verdict.RecommendedRank))
		c.stripe(*incumbent-*minGain, *incumbent, text)
		c.mark(c.x.lo, *incumbent-*minGain, "below", text)
	}
	b.drawLosses(c, l)
	c.Alt = lossAlt(l)
	return c
}

func (b *builder) drawLosses(c *chart, l report.Ladder) {
	n := l.Numbers()
	var means, screened []point
	seeds := map[int64][]point{}
	var order []int64
	for _, r := range l.Rungs {
		x, style := float64(r.Rank), b.hues.of(r.Rank)
		for _, t := range r.Trials {
			if t.ValLoss == nil {
				continue
			}
			if seeds[t.Seed] == nil {
				order = append(order, t.Seed)
			}
			seeds[t.Seed] = append(seeds[t.Seed], point{x, *t.ValLoss})
			c.dot(x, *t.ValLoss, shape{Class: "seed", Style: style, Title: fmt.Sprintf("rank %d, seed %d: %s", r.Rank, t.Seed, n.Loss(*t.ValLoss))})
		}
		if r.ScreenedLoss != nil {
			screened = append(screened, point{x, r.ScreenedLoss.Mean})
			title := fmt.Sprintf("rank %d, %s: %s", r.Rank, screenedWord(l), n.Loss(r.ScreenedLoss.Mean))
			c.dot(x, r.ScreenedLoss.Mean, shape{Class: "hollow", Title: title})
		}
		if r.ValLoss == nil {
			continue
		}
		means = append(means, point{x, r.ValLoss.Mean})
		b.drawMean(c, l, r)
	}
	for _, s := range order {
		c.line(seeds[s], shape{Class: "thread"})
	}
	c.line(screened, shape{Class: "dashed"})
	if len(screened) > 0 {
		c.Keys = []key{{"dot", "", "trained"}, {"ring", "", screenedWord(l)}}
	}
	c.line(means, shape{Class: "mean"})
	if full := l.Reference; full != nil && full.ValLoss != nil {
		c.level(full.ValLoss.Mean, "dashed", "full fine-tuning "+n.Loss(full.ValLoss.Mean))
	}
}

// drawMean draws a rung's mean and the interval of its gain.
func (b *builder) drawMean(c *chart, l report.Ladder, r report.Rung) {
	n, x, mean := l.Numbers(), float64(r.Rank), r.ValLoss.Mean
	title := fmt.Sprintf("rank %d: val_loss %s", r.Rank, n.Mean(r))
	if g := r.Gain; g != nil && r.Incumbent != nil {
		title += fmt.Sprintf(", gain %s over rank %d: %s", n.Bounds(*g), *r.Incumbent, r.Finding())
		if g.Lo != nil && g.Hi != nil {
			c.bar(x, mean-(*g.Hi-g.Mean), mean+(g.Mean-*g.Lo), shape{Class: "interval", Style: b.hues.of(r.Rank), Title: title})
		}
	}
	class := "center"
	if v := l.Verdict.RecommendedRank; v != nil && *v == r.Rank {
		class = "center chosen"
	}
	c.dot(x, mean, shape{Class: class, Style: b.hues.of(r.Rank), Title: title})
}

// lossesOf are all losses that a rung shows.
func lossesOf(r report.Rung) []float64 {
	var all []float64
	for _, t := range r.Trials {
		if t.ValLoss != nil {
			all = append(all, *t.ValLoss)
		}
	}
	if r.ScreenedLoss != nil {
		all = append(all, r.ScreenedLoss.Mean)
	}
	if r.ValLoss != nil {
		all = append(all, r.ValLoss.Mean)
	}
	return all
}

// incumbentLoss is the mean loss of the rank that the verdict's claim is about.
func incumbentLoss(l report.Ladder) *float64 {
	rank := cmp.Or(l.Verdict.IncumbentRank, l.Verdict.RecommendedRank)
	for _, r := range l.Rungs {
		if rank != nil && r.Rank == *rank && r.ValLoss != nil {
			return &r.ValLoss.Mean
		}
	}
	return nil
}

func screenedWord(l report.Ladder) string {
	if s := l.Verdict.Screening; s != nil && s.Scout {
		return "scouted"
	}
	return "screened"
}

// lossAlt says in words what the chart shows.
func lossAlt(l report.Ladder) string {
	var parts []string
	for _, r := range l.Rungs {
		if r.ValLoss != nil {
			parts = append(parts, fmt.Sprintf("rank %d %s", r.Rank, l.Numbers().Loss(r.ValLoss.Mean)))
		}
	}
	if len(parts) == 0 {
		return "Validation loss by rank: no rank has finished all its seeds."
	}
	return "Mean validation loss by rank: " + strings.Join(parts, ", ") + "."
}
