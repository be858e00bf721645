package page

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// chart is a drawing that stretches with its box. Shapes lie on a square of 1000 by 1000 from the top left; ticks and labels at percents.
type chart struct {
	Title string
	Alt   string // what it shows, for those who do not see it
	Note  string // how to read it
	Class string
	X, Y  axis
	Rules []shape // thin lines behind everything
	Bands []band
	Lines []shape
	Dots  []shape
	Marks []mark // text in the drawing
	Keys  []key

	x, y scale
}

type axis struct {
	Title string
	Ticks []tick
	Words bool // labels are of any length, at equal distances
}

// tick is a label at a percent of its axis.
type tick struct {
	At     float64
	Label  string
	Strong bool
	Sparse bool // left out where there is little room
}

// Top is the tick's place from above, for vertical axes.
func (t tick) Top() string { return percent(100 - t.At) }

// Left is its place from the left.
func (t tick) Left() string { return percent(t.At) }

// Grid is where a horizontal rule at the tick lies in the drawing.
func (t tick) Grid() string { return coordinate(1000 - 10*t.At) }

// shape is a path with what it is.
type shape struct {
	D     string
	Class string
	Style template.CSS
	Title string
	Share float64 // of the lines of a chart of parallel axes, how many are better
}

// band is a horizontal stripe over the whole width.
type band struct {
	Y, Height string
	Title     string
}

// mark is a label in the drawing.
type mark struct {
	Left, Top string
	Class     string
	Text      string
}

// key is one entry of a legend.
type key struct {
	Class string
	Style template.CSS
	Text  string
}

func percent(v float64) string    { return strconv.FormatFloat(v, 'f', 2, 64) + "%" }
func coordinate(v float64) string { return strconv.FormatFloat(math.Round(10*v)/10, 'f', -1, 64) }

// px and py are places in the drawing; what lies far outside is brought near, for paths must stay small.
func (c *chart) px(v float64) float64 { return 1000 * min(max(c.x.at(v), -1), 2) }
func (c *chart) py(v float64) float64 { return 1000 - 1000*min(max(c.y.at(v), -1), 2) }

// dot draws a point: a line of no length with round ends, which stays round however the drawing is stretched.
func (c *chart) dot(x, y float64, s shape) {
	s.D = fmt.Sprintf("M%s %sh.01", coordinate(c.px(x)), coordinate(c.py(y)))
	c.Dots = append(c.Dots, s)
}

// line draws a line through points; fewer than two draw none.
func (c *chart) line(points []point, s shape) {
	if len(points) < 2 {
		return
	}
	var b strings.Builder
	for i, p := range points {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(coordinate(c.px(p.x)) + " " + coordinate(c.py(p.y)))
	}
	s.D = b.String()
	c.Lines = append(c.Lines, s)
}

// bar draws a vertical line between two values.
func (c *chart) bar(x, from, to float64, s shape) {
	s.D = fmt.Sprintf("M%s %sV%s", coordinate(c.px(x)), coordinate(c.py(from)), coordinate(c.py(to)))
	c.Lines = append(c.Lines, s)
}

// level draws a horizontal line with its label.
func (c *chart) level(y float64, class, text string) {
	at := coordinate(c.py(y))
	c.Rules = append(c.Rules, shape{D: "M0 " + at + "H1000", Class: class, Title: text})
	c.mark(c.x.hi, y, "right", text)
}

func (c *chart) mark(x, y float64, class, text string) {
	c.Marks = append(c.Marks, mark{percent(100 * c.x.at(x)), percent(100 - 100*c.y.at(y)), class, text})
}

// stripe draws a band between two values, as far as the drawing reaches.
func (c *chart) stripe(from, to float64, title string) {
	top, bottom := max(0, c.py(max(from, to))), min(1000, c.py(min(from, to)))
	if bottom > top {
		c.Bands = append(c.Bands, band{coordinate(top), coordinate(bottom - top), title})
	}
}

type point struct{ x, y float64 }

// hues colours ranks along one scale, the same rank alike in every chart.
type hues struct{ lo, hi float64 }

// of is the rank's place on the scale, as CSS.
func (h hues) of(rank int) template.CSS {
	t := 0.5
	if h.hi > h.lo {
		t = (math.Log2(float64(rank)) - h.lo) / (h.hi - h.lo)
	}
	return template.CSS("--t:" + strconv.FormatFloat(math.Round(1000*t)/1000, 'f', -1, 64))
}

// Percents of an axis that labels of ranks need at least between them: on a screen, and on a phone.
const (
	roomOfRank  = 4
	phoneOfRank = 9
)

// rankTicks are ranks, as many as have room; strong is sure of its own, and the largest come first.
func rankTicks(s scale, ranks []int, strong int) []tick {
	order := slices.Clone(ranks)
	slices.SortFunc(order, func(a, b int) int { return rankOrder(a, b, strong) })
	var all []tick
	near := func(at, room float64, sparse bool) bool {
		return slices.ContainsFunc(all, func(t tick) bool { return (sparse || !t.Sparse) && math.Abs(t.At-at) < room })
	}
	for _, r := range order {
		at := 100 * s.at(float64(r))
		if !near(at, roomOfRank, true) {
			all = append(all, tick{At: at, Label: strconv.Itoa(r), Strong: r == strong, Sparse: near(at, phoneOfRank, false)})
		}
	}
	slices.SortFunc(all, func(a, b tick) int { return cmp.Compare(a.At, b.At) })
	return all
}

func rankOrder(a, b, strong int) int {
	switch {
	case a == strong:
		return -1
	case b == strong:
		return 1
	}
	return b - a
}
