package page

import (
	"fmt"
	"math"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// costCharts draw what a trial of each rank takes.
func (b *builder) costCharts(l report.Ladder) []*chart {
	var all []*chart
	for _, c := range []*chart{b.paramsChart(l), b.memoryChart(l), b.timeChart(l), b.gainChart(l)} {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

// overRanks begins a chart over the ranks that have a value.
func overRanks(ranks []int) *chart {
	var xs []float64
	for _, r := range ranks {
		xs = append(xs, float64(r))
	}
	c := &chart{x: span(xs, true, 0.08)}
	c.X = axis{Title: "rank", Ticks: rankTicks(c.x, ranks, 0)}
	return c
}

func (b *builder) paramsChart(l report.Ladder) *chart {
	var ranks []int
	var ys []float64
	var line []point
	var parts []string
	for _, r := range l.Rungs {
		if n := r.Cost.TrainableParams; n > 0 {
			ranks, ys, line = append(ranks, r.Rank), append(ys, float64(n)), append(line, point{float64(r.Rank), float64(n)})
			parts = append(parts, fmt.Sprintf("rank %d %s", r.Rank, report.Count(n)))
		}
	}
	if len(ranks) == 0 {
		return nil
	}
	c := overRanks(ranks)
	c.Title, c.Note = "Trainable parameters by rank", "Both axes are logarithmic."
	c.y = span(ys, true, 0.1)
	c.Y = axis{Title: "parameters", Ticks: c.y.labelled(c.y.ticks(4), short)}
	c.line(line, shape{Class: "mean"})
	for i, p := range line {
		c.dot(p.x, p.y, shape{Class: "center", Style: b.hues.of(ranks[i]), Title: parts[i]})
	}
	c.Alt = c.Title + ": " + strings.Join(parts, ", ") + "."
	return c
}

// short writes a count on an axis: 20k, 5M.
func short(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size {
			return report.Number(v/unit.size) + unit.name
		}
	}
	return report.Number(v)
}

// memoryChart draws measured peaks, a dot a seed, and what was predicted before the first step.
func (b *builder) memoryChart(l report.Ladder) *chart {
	var ranks []int
	var ys []float64
	for _, r := range l.Rungs {
		peaks := len(ys)
		for _, t := range r.Trials {
			for _, v := range []*int64{peak(t), t.PredictedBytes} {
				if v != nil {
					ys = append(ys, float64(*v))
				}
			}
		}
		if len(ys) > peaks {
			ranks = append(ranks, r.Rank)
		}
	}
	if len(ys) == 0 {
		return nil
	}
	limit := b.snapshot.Sweep.Limits.Memory
	if limit > 0 {
		ys = append(ys, float64(limit))
	}
	c := overRanks(ranks)
	c.Title, c.Note = "Peak memory by rank", "Measured, one dot a seed, and predicted before the first step."
	c.y = fromZero(ys)
	c.Y = axis{Title: "bytes", Ticks: c.y.labelled(byteTicks(c.y), func(v float64) string { return trial.FormatBytes(int64(v)) })}
	c.Keys = []key{{"dot", "", "measured"}, {"ring", "", "predicted"}}
	var parts []string
	for _, r := range l.Rungs {
		if text := b.drawMemory(c, r); text != "" {
			parts = append(parts, text)
		}
	}
	if limit > 0 {
		c.level(float64(limit), "limit", "limit "+trial.FormatBytes(limit))
	}
	c.Alt = c.Title + ": " + strings.Join(parts, "; ") + "."
	return c
}

func (b *builder) drawMemory(c *chart, r report.Rung) string {
	var measured, predicted int64
	for _, t := range r.Trials {
		if p := peak(t); p != nil {
			measured = max(measured, *p)
			c.dot(float64(r.Rank), float64(*p), shape{
				Class: "seed", Style: b.hues.of(r.Rank), Title: fmt.Sprintf("rank %d, seed %d: measured %s", r.Rank, t.Seed, trial.FormatBytes(*p)),
			})
		}
		if p := t.PredictedBytes; p != nil {
			predicted = max(predicted, *p)
		}
	}
	var parts []string
	if measured > 0 {
		parts = append(parts, "measured "+trial.FormatBytes(measured))
	}
	if predicted > 0 {
		text := "predicted " + trial.FormatBytes(predicted)
		c.dot(float64(r.Rank), float64(predicted), shape{Class: "hollow", Title: fmt.Sprintf("rank %d: %s", r.Rank, text)})
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("rank %d %s", r.Rank, strings.Join(parts, ", "))
}

// peak is the device's where it can be told, else the host's, as the report's tables have it.
func peak(t report.Trial) *int64 {
	if t.PeakDeviceBytes != nil {
		return t.PeakDeviceBytes
	}
	return t.PeakHostBytes
}

// byteTicks are multiples of a power of two.
func byteTicks(s scale) []float64 {
	step := math.Pow(2, math.Ceil(math.Log2((s.hi-s.lo)/5)))
	var all []float64
	for v := 0.0; v <= s.hi; v += step {
		all = append(all, v)
	}
	return all
}

func (b *builder) timeChart(l report.Ladder) *chart {
	var ranks []int
	var ys []float64
	for _, r := range l.Rungs {
		if r.Cost.TrainSeconds == nil {
			continue
		}
		ranks = append(ranks, r.Rank)
		for _, t := range r.Trials {
			if t.TrainSeconds != nil {
				ys = append(ys, *t.TrainSeconds)
			}
		}
	}
	if len(ranks) == 0 {
		return nil
	}
	c := overRanks(ranks)
	c.Title, c.Note = "Training time by rank", "Of one trial, evaluations not counted. Dots are seeds, the line is their mean."
	c.y = fromZero(ys)
	c.Y = axis{Title: "time", Ticks: c.y.labelled(c.y.clockTicks(5), clock)}
	var line []point
	var parts []string
	for _, r := range l.Rungs {
		if r.Cost.TrainSeconds == nil {
			continue
		}
		line = append(line, point{float64(r.Rank), *r.Cost.TrainSeconds})
		parts = append(parts, fmt.Sprintf("rank %d %s", r.Rank, report.Seconds(*r.Cost.TrainSeconds)))
		for _, t := range r.Trials {
			if t.TrainSeconds != nil {
				c.dot(float64(r.Rank), *t.TrainSeconds, shape{
					Class: "seed", Style: b.hues.of(r.Rank), Title: fmt.Sprintf("rank %d, seed %d: %s", r.Rank, t.Seed, report.Seconds(*t.TrainSeconds)),
				})
			}
		}
	}
	c.line(line, shape{Class: "mean"})
	c.Alt = c.Title + ", mean of a trial: " + strings.Join(parts, ", ") + "."
	return c
}

// clock writes a time on an axis.
func clock(seconds float64) string {
	if seconds == 0 {
		return "0"
	}
	return report.Seconds(seconds)
}

// gainChart draws what each step up bought per thousand parameters that it added. Steps that bought nothing have no place on its
// logarithmic axis; the table beneath lists them.
func (b *builder) gainChart(l report.Ladder) *chart {
	type gain struct {
		point
		lo, hi float64
		text   string
	}
	var gains []gain
	var ranks []int
	var ys []float64
	for _, s := range b.report.Climbs(l) {
		added := float64(s.To.Cost.TrainableParams-s.From.Cost.TrainableParams) / 1000
		if added <= 0 || s.Gain.Mean <= 0 || s.To.Diverged || s.From.Diverged {
			continue
		}
		g := gain{point: point{float64(s.To.Rank), s.Gain.Mean / added}}
		if s.Gain.Lo != nil && s.Gain.Hi != nil {
			g.lo, g.hi = *s.Gain.Lo/added, *s.Gain.Hi/added
		}
		g.text = fmt.Sprintf("rank %d to %d %s", s.From.Rank, s.To.Rank, report.Number(rounded(g.y)))
		gains, ranks, ys = append(gains, g), append(ranks, s.To.Rank), append(ys, g.y)
	}
	if len(gains) == 0 {
		return nil
	}
	c := overRanks(ranks)
	c.Title = "Gain per cost of each step up"
	c.Note = "Nats gained per thousand parameters added, on a logarithmic axis, with the interval of the gain. " +
		"Steps that gained nothing are not drawn."
	c.y = span(ys, true, 0.25)
	c.Y = axis{Title: "nats per 1000 parameters", Ticks: c.y.labelled(c.y.ticks(4), report.Number)}
	c.X.Title = "to rank"
	var parts []string
	for i, g := range gains {
		style := b.hues.of(ranks[i])
		if g.hi > 0 {
			c.bar(g.x, max(g.lo, c.y.lo/10), g.hi, shape{Class: "interval", Style: style, Title: g.text})
		}
		c.dot(g.x, g.y, shape{Class: "center", Style: style, Title: g.text})
		parts = append(parts, g.text)
	}
	c.Alt = c.Title + ", in nats per thousand parameters: " + strings.Join(parts, ", ") + "."
	return c
}

// rounded has three significant digits.
func rounded(v float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-2)
	return math.Round(v/unit) * unit
}
