package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// A cell of a terminal is two dots wide and four high in Braille.
const (
	dotsAcross = 2
	dotsDown   = 4
	braille    = 0x2800
)

// lossChart draws a training curve in Braille dots and evaluations as points on it, behind their highest and lowest loss. paint colours
// what belongs to each.
func lossChart(train, validation []trial.StepTrainLoss, width, height int, paint func(validation bool, text string) string) []string {
	const label = 8
	columns, rows := width-label, height-1
	if columns < 4 || rows < 1 {
		return nil
	}
	train = trial.Thin(train, dotsAcross*columns)
	lo, hi, last := bounds(train, validation)
	if lo > hi {
		return []string{"no loss yet"}
	}
	c := newCanvas(columns, rows, lo, hi, last)
	c.curve(train)
	for _, p := range validation {
		c.point(p)
	}
	lines := make([]string, height)
	for i := range rows {
		text := ""
		switch i {
		case 0:
			text = fmt.Sprintf("%.4g", hi)
		case rows - 1:
			text = fmt.Sprintf("%.4g", lo)
		}
		lines[i] = fmt.Sprintf("%*.*s ", label-1, label-1, text) + c.row(i, paint)
	}
	end := fmt.Sprintf("step %d", last)
	lines[rows] = strings.Repeat(" ", label) + "0" + strings.Repeat(" ", max(1, columns-1-len(end))) + end
	return lines
}

// bounds are the lowest and highest loss that is a number, and the last step.
func bounds(curves ...[]trial.StepTrainLoss) (lo, hi float64, last int) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, curve := range curves {
		for _, p := range curve {
			if isNumber(p.TrainLoss) {
				lo, hi, last = min(lo, p.TrainLoss), max(hi, p.TrainLoss), max(last, p.Step)
			}
		}
	}
	return lo, hi, last
}

func isNumber(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// canvas is the cells of a chart.
type canvas struct {
	dots   [][]rune // Braille patterns less the first
	points [][]bool // cells with an evaluation
	lo, hi float64
	last   int
}

func newCanvas(columns, rows int, lo, hi float64, last int) *canvas {
	c := &canvas{lo: lo, hi: hi, last: max(last, 1), dots: make([][]rune, rows), points: make([][]bool, rows)}
	for i := range rows {
		c.dots[i], c.points[i] = make([]rune, columns), make([]bool, columns)
	}
	return c
}

// at places a loss on a grid of so many columns and rows.
func (c *canvas) at(p trial.StepTrainLoss, columns, rows int) (x, y int) {
	down := 0.5
	if c.hi > c.lo {
		down = (c.hi - p.TrainLoss) / (c.hi - c.lo)
	}
	return int(float64(p.Step) / float64(c.last) * float64(columns-1)), int(math.Round(down * float64(rows-1)))
}

// curve joins the losses by lines of dots; what is no number breaks it.
func (c *canvas) curve(curve []trial.StepTrainLoss) {
	columns, rows := dotsAcross*len(c.dots[0]), dotsDown*len(c.dots)
	joined, fromX, fromY := false, 0, 0
	for _, p := range curve {
		if !isNumber(p.TrainLoss) {
			joined = false
			continue
		}
		x, y := c.at(p, columns, rows)
		if !joined {
			fromX, fromY = x, y
		}
		steps := max(x-fromX, max(y-fromY, fromY-y), 1)
		for i := range steps + 1 {
			c.dot(fromX+(x-fromX)*i/steps, fromY+(y-fromY)*i/steps)
		}
		joined, fromX, fromY = true, x, y
	}
}

func (c *canvas) dot(x, y int) {
	bits := [dotsDown][dotsAcross]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}
	c.dots[y/dotsDown][x/dotsAcross] |= bits[y%dotsDown][x%dotsAcross]
}

func (c *canvas) point(p trial.StepTrainLoss) {
	if isNumber(p.TrainLoss) {
		x, y := c.at(p, len(c.dots[0]), len(c.dots))
		c.points[y][x] = true
	}
}

func (c *canvas) row(i int, paint func(validation bool, text string) string) string {
	var b strings.Builder
	for x, dots := range c.dots[i] {
		switch {
		case c.points[i][x]:
			b.WriteString(paint(true, "●"))
		case dots != 0:
			b.WriteString(paint(false, string(braille+dots)))
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}
