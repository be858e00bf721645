package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
)

// axisView is one axis of the grid: what its values recommend, and a slice through the ladders.
type axisView struct {
	Name    string
	Table   report.Table
	Reading string
	Chart   *chart
}

func (b *builder) axes() []axisView {
	var all []axisView
	for _, a := range b.report.Axes {
		all = append(all, axisView{a.Name, b.report.AxisTable(a), a.Reading, b.slice(a.Name)})
	}
	return all
}

// dimension is an axis of values: numbers on a scale, or words at equal distances.
type dimension struct {
	name    string
	scale   scale
	places  map[string]float64 // of words
	words   []string
	numeric bool
}

func newDimension(name string, values []string) dimension {
	d := dimension{name: name, places: map[string]float64{}}
	var numbers []float64
	for _, v := range values {
		if _, known := d.places[v]; known {
			continue
		}
		d.places[v] = 0
		d.words = append(d.words, v)
		if x, err := strconv.ParseFloat(v, 64); err == nil {
			numbers = append(numbers, x)
		}
	}
	if len(numbers) == len(d.words) && len(numbers) > 1 {
		lo, hi := slices.Min(numbers), slices.Max(numbers)
		d.numeric = true
		d.scale = span(numbers, lo > 0 && hi/lo >= 8, 0.05)
	} else {
		d.scale = scale{-0.5, float64(len(d.words)) - 0.5, false}
	}
	for i, w := range d.words {
		at := float64(i)
		if d.numeric {
			at = numbers[i]
		}
		d.places[w] = at
	}
	return d
}

func (d dimension) ticks() []tick {
	const room = 12 // labels side by side
	every := (len(d.words) + room - 1) / room
	var all []tick
	for i := 0; i < len(d.words); i += every {
		w := d.words[i]
		all = append(all, tick{At: 100 * d.scale.at(d.places[w]), Label: w, Sparse: len(d.words) > 8 && len(all)%2 == 1})
	}
	return all
}

// slice draws each ladder's recommended loss by the value that its cell has on an axis, the lowest of every value joined.
func (b *builder) slice(name string) *chart {
	type ladderAt struct {
		value, title string
		loss         float64
		best         bool
	}
	var ladders []ladderAt
	var values []string
	var ys []float64
	for _, l := range b.report.Ladders {
		value := setting(l.Axes(), name)
		values = append(values, value)
		if r, ok := recommendedRung(l); ok && !r.Diverged {
			ladders = append(ladders, ladderAt{
				value, fmt.Sprintf("%s: rank %d, %s", l.Title(), r.Rank, l.Numbers().Loss(r.ValLoss.Mean)), r.ValLoss.Mean,
				l.Number == b.report.Recommendation.Ladder,
			})
			ys = append(ys, r.ValLoss.Mean)
		}
	}
	if len(ladders) == 0 {
		return nil
	}
	d := newDimension(name, values)
	c := &chart{
		Title: "Loss by " + name, Note: "At each ladder's recommended rank. The line joins the lowest of every value.",
		x: d.scale, y: span(ys, false, 0.12),
	}
	c.X = axis{name, d.ticks(), !d.numeric}
	c.Y = axis{Title: "val_loss", Ticks: c.y.plainTicks(6)}
	lowest := map[string]float64{}
	for _, l := range ladders {
		class := "seed"
		if l.best {
			class = "center chosen"
		}
		c.dot(d.places[l.value], l.loss, shape{Class: class, Title: l.title})
		if old, ok := lowest[l.value]; !ok || l.loss < old {
			lowest[l.value] = l.loss
		}
	}
	var line []point
	for _, w := range d.words {
		if loss, ok := lowest[w]; ok {
			line = append(line, point{d.places[w], loss})
		}
	}
	slices.SortFunc(line, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	if d.numeric {
		c.line(line, shape{Class: "mean"})
	} else {
		c.Note = "At each ladder's recommended rank."
	}
	c.Alt = fmt.Sprintf("Loss at the recommended rank of %d ladders by %s; the table beside has the numbers.", len(ladders), name)
	return c
}

func setting(cell []sweep.Setting, name string) string {
	for _, s := range cell {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

func recommendedRung(l report.Ladder) (report.Rung, bool) {
	for _, r := range l.Rungs {
		if rank := l.Verdict.RecommendedRank; rank != nil && r.Rank == *rank && r.ValLoss != nil {
			return r, true
		}
	}
	return report.Rung{}, false
}

// parallel is a chart of parallel axes: every setting that varies, the rank, and the loss; a line for each mean over seeds.
type parallel struct {
	chart
	Axes  []parallelAxis
	Count int
}

type parallelAxis struct {
	Left  string
	X     string
	Name  string
	Ticks []tick
	Last  bool
}

// highlighted is the share of lines that stand out before the reader chooses.
const highlighted = 0.2

// mostCombinations is how many lines are drawn, the best: more are a surface.
const mostCombinations = 1000

// combination is one line: what was trained and how well.
type combination struct {
	settings []string // one per dimension but the loss
	loss     float64
	rank     int
	title    string
}

// combinations lists what has a mean loss: each rung, and where settings are tuned each candidate.
func (b *builder) combinations() (names []string, all []combination) {
	var tuned []string
	for _, l := range b.report.Ladders {
		for _, name := range l.Conditions.Tuned {
			if !slices.Contains(tuned, name) {
				tuned = append(tuned, name)
			}
		}
	}
	if len(b.report.Ladders) > 0 {
		for _, s := range b.report.Ladders[0].Axes() {
			names = append(names, s.Name)
		}
	}
	names = append(append(names, tuned...), "rank")
	for _, l := range b.report.Ladders {
		for _, r := range l.Rungs {
			if r.Diverged {
				continue
			}
			add := func(cell report.Cell, loss float64) {
				c := combination{loss: loss, rank: r.Rank, title: fmt.Sprintf("ladder %d, rank %d", l.Number, r.Rank)}
				for _, s := range l.Axes() {
					c.settings = append(c.settings, s.Value)
				}
				for _, name := range tuned {
					c.settings = append(c.settings, setting(cell, name))
				}
				if text := sweep.Cell(cell).String(); text != "" {
					c.title += ", " + text
				}
				c.title += ": " + l.Numbers().Loss(loss)
				c.settings = append(c.settings, strconv.Itoa(r.Rank))
				all = append(all, c)
			}
			switch {
			case len(r.Candidates) == 0 && r.ValLoss != nil:
				add(nil, r.ValLoss.Mean)
			default:
				for _, candidate := range r.Candidates {
					if candidate.ValLoss != nil {
						add(candidate.Tuned, *candidate.ValLoss)
					}
				}
			}
		}
	}
	return names, all
}

// parallel is nil where only the rank varies.
func (b *builder) parallel() *parallel {
	names, all := b.combinations()
	if len(names) < 2 || len(all) < 2 {
		return nil
	}
	dimensions := make([]dimension, len(names))
	for i, name := range names {
		var values []string
		for _, c := range all {
			values = append(values, c.settings[i])
		}
		dimensions[i] = newDimension(name, values)
	}
	slices.SortStableFunc(all, func(a, b combination) int { return cmp.Compare(b.loss, a.loss) }) // the best are drawn last, on top
	p := &parallel{Count: len(all)}
	all = all[max(0, len(all)-mostCombinations):]
	var losses []float64
	for _, c := range all {
		losses = append(losses, c.loss)
	}
	loss := span(losses, false, 0.05)
	p.x, p.y = scale{-0.5, float64(len(names)) + 0.5, false}, scale{0, 1, false}
	p.Title, p.Class = "All settings together", "wide"
	p.Note = "One line is one combination of settings and a rank, its mean over seeds; low losses are at the bottom of the last axis."
	p.Alt = fmt.Sprintf("Parallel coordinates of %d combinations over %s and val_loss; the tables have the numbers.", len(all),
		strings.Join(names, ", "))
	for i, d := range dimensions {
		p.Axes = append(p.Axes, p.axis(i, d.name, d.ticks(), false))
	}
	p.Axes = append(p.Axes, p.axis(len(names), "val_loss", loss.plainTicks(5), true))
	for i, c := range all {
		var line []point
		for j, d := range dimensions {
			line = append(line, point{float64(j), d.scale.at(d.places[c.settings[j]])})
		}
		line = append(line, point{float64(len(names)), loss.at(c.loss)})
		better := float64(len(all)-1-i) / float64(p.Count)
		class := "combination"
		if better < highlighted {
			class += " on"
		}
		p.line(line, shape{Class: class, Style: b.hues.of(c.rank), Title: c.title, Share: math.Round(1000*better) / 1000})
	}
	return p
}

func (p *parallel) axis(i int, name string, ticks []tick, last bool) parallelAxis {
	return parallelAxis{percent(100 * p.x.at(float64(i))), coordinate(p.px(float64(i))), name, ticks, last}
}
