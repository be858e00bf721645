package page

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Curve points of a whole page, and of one trial at most and at least: a page of thousands of trials stays one that opens at once.
const (
	curvePoints    = 40_000
	mostOfOneTrial = 50
	fewOfOneTrial  = 10
)

// Curve is what a trial's losses were on the way.
type Curve struct {
	Evaluations []Evaluation          `json:"evals"`
	Training    []trial.StepTrainLoss `json:"train"` // means over stretches of steps
}

// Evaluation is the validation loss after a step.
type Evaluation struct {
	Step    int     `json:"step"`
	ValLoss float64 `json:"val_loss"`
}

// newCurves takes the evaluations from the facts and thins what training showed.
func newCurves(s sweep.Snapshot, losses map[trial.ID][]trial.StepTrainLoss) map[trial.ID]Curve {
	curves := map[trial.ID]Curve{}
	facts := allFacts(s)
	most := min(max(curvePoints/max(1, len(facts)), fewOfOneTrial), mostOfOneTrial)
	for _, t := range facts {
		c := Curve{Evaluations: []Evaluation{}, Training: trial.Thin(losses[t.Trial.ID], most)}
		for _, e := range t.Evaluations {
			c.Evaluations = append(c.Evaluations, Evaluation{e.Step, e.ValLoss})
		}
		if len(c.Evaluations)+len(c.Training) > 0 {
			curves[t.Trial.ID] = c
		}
	}
	return curves
}

func allFacts(s sweep.Snapshot) []sweep.TrialFacts {
	var all []sweep.TrialFacts
	for _, l := range s.Ladders {
		for _, r := range l.Rungs {
			all = append(all, r.Trials...)
		}
		all = append(append(all, l.Scouts...), l.Reference...)
	}
	return all
}

func (c Curve) validation() []point {
	var all []point
	for _, e := range c.Evaluations {
		all = append(all, point{float64(e.Step), e.ValLoss})
	}
	return all
}

func (c Curve) training() []point {
	var all []point
	for _, p := range c.Training {
		all = append(all, point{float64(p.Step), p.TrainLoss})
	}
	return all
}

// curveCharts draw validation and training loss by step; nothing where no trial has begun.
func (b *builder) curveCharts(l report.Ladder) []*chart {
	var all []*chart
	for _, kind := range []struct {
		title, note string
		of          func(Curve) []point
		skip        func(point) bool // does not count for the height of the drawing
	}{
		{"Validation loss by step", "Thin lines are seeds, thick ones their mean.", Curve.validation, func(p point) bool { return p.x == 0 }},
		{"Training loss by step", b.trainingNote(l), Curve.training, func(point) bool { return false }},
	} {
		if c := b.curveChart(l, kind.of, kind.skip); c != nil {
			c.Title, c.Note = kind.title, kind.note
			c.Alt = kind.title + " of " + joinRanks(c.Keys) + ", one line a seed and a thick one for their mean."
			all = append(all, c)
		}
	}
	return all
}

func (b *builder) trainingNote(l report.Ladder) string {
	for _, r := range l.Rungs {
		for _, t := range r.Trials {
			if p := b.curves[t.ID].Training; len(p) > 1 && p[1].Step-p[0].Step > 1 {
				return fmt.Sprintf("Each point is the mean over %d steps. Thin lines are seeds, thick ones their mean.", p[1].Step-p[0].Step)
			}
		}
	}
	return "Thin lines are seeds, thick ones their mean."
}

func (b *builder) curveChart(l report.Ladder, of func(Curve) []point, skip func(point) bool) *chart {
	var xs, ys []float64
	for _, r := range l.Rungs {
		for _, t := range r.Trials {
			for _, p := range of(b.curves[t.ID]) {
				xs = append(xs, p.x)
				if !skip(p) && !r.Diverged {
					ys = append(ys, p.y)
				}
			}
		}
	}
	if len(ys) < 2 {
		return nil
	}
	slices.Sort(ys)
	if n := len(ys); n > 40 { // the first steps of training would flatten the rest
		ys = ys[:n-n/50]
	}
	c := &chart{x: scale{0, slices.Max(xs), false}, y: span(ys, false, 0.06)}
	c.X, c.Y = axis{Title: "step", Ticks: c.x.plainTicks(5)}, axis{Title: "nats per token", Ticks: c.y.plainTicks(5)}
	for _, r := range l.Rungs {
		b.drawCurves(c, r, of)
	}
	return c
}

func (b *builder) drawCurves(c *chart, r report.Rung, of func(Curve) []point) {
	style := b.hues.of(r.Rank)
	var seeds [][]point
	for _, t := range r.Trials {
		points := of(b.curves[t.ID])
		if len(points) < 2 {
			continue
		}
		seeds = append(seeds, points)
		c.line(points, shape{Class: "seedline", Style: style, Title: fmt.Sprintf("rank %d, seed %d", r.Rank, t.Seed)})
	}
	if len(seeds) == 0 {
		return
	}
	c.line(meanCurve(seeds), shape{Class: "meanline", Style: style, Title: fmt.Sprintf("rank %d", r.Rank)})
	c.Keys = append(c.Keys, key{"line", style, strconv.Itoa(r.Rank)})
}

// meanCurve is the mean over curves at the steps that all of them have.
func meanCurve(curves [][]point) []point {
	sums, counts := map[float64]float64{}, map[float64]int{}
	for _, c := range curves {
		for _, p := range c {
			sums[p.x] += p.y
			counts[p.x]++
		}
	}
	var mean []point
	for x, n := range counts {
		if n == len(curves) {
			mean = append(mean, point{x, sums[x] / float64(n)})
		}
	}
	slices.SortFunc(mean, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	return mean
}

func joinRanks(keys []key) string {
	ranks := make([]string, len(keys))
	for i, k := range keys {
		ranks[i] = k.Text
	}
	return "ranks " + strings.Join(ranks, ", ")
}
