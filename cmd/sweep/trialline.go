package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// trialLine is a running trial in one line of a terminal.
type trialLine struct {
	name  string
	share float64 // of its steps, as a bar shows it; negative for no bar
	parts []linePart
}

// linePart is one thing that a line says. Where the line is too long, the parts with the highest drop go first.
type linePart struct {
	text, short string // short where columns are few; empty where there is no shorter form
	drop        int    // 0 means never
}

const (
	narrow   = 60 // columns below which parts are short
	leastBar = 6  // the narrowest bar that says anything
	mostBar  = 24
	ellipsis = "…"
)

// render returns the line in at most width columns: with a bar where there is room for it.
func (l trialLine) render(width int) string {
	name := printable(l.name)
	for drop := 9; drop >= 0; drop-- {
		text := l.text(drop, width < narrow)
		room := width - ansi.StringWidth(name) - ansi.StringWidth(text)
		if room < 0 && drop > 0 {
			continue
		}
		if bar := min(room-1, mostBar); bar >= leastBar && l.share >= 0 {
			name += " " + progressBar(l.share, bar)
		}
		return ansi.Truncate(name+text, width, ellipsis)
	}
	return ""
}

// text joins the parts whose drop is at most so much.
func (l trialLine) text(drop int, short bool) string {
	var b strings.Builder
	for _, p := range l.parts {
		if p.drop > drop {
			continue
		}
		text := p.text
		if short && p.short != "" {
			text = p.short
		}
		b.WriteString("  " + text)
	}
	return b.String()
}

// progressBar draws a share in so many columns.
func progressBar(share float64, width int) string {
	full := min(max(int(share*float64(width)+0.5), 0), width)
	return strings.Repeat("━", full) + strings.Repeat("─", width-full)
}

// trialNews is what is known of a running trial.
type trialNews struct {
	name        string
	step, steps int
	epochs      float64
	waiting     bool // its job waits for a machine
	up          bool // its process is
	compiled    bool
	stopping    bool
	ahead       bool
	trainLoss   *float64
	valLoss     *float64
	memory      int64 // the peak so far
	predicted   int64
	speed       float64       // tokens per second
	left        time.Duration // at that speed
	timed       bool          // both are known
}

// line arranges the news: step, loss, speed, memory and what is left go last where there is little room.
func (n trialNews) line() trialLine {
	l := trialLine{name: n.name, share: float64(n.step) / float64(max(n.steps, 1))}
	if n.ahead {
		l.name += " (ahead)"
	}
	switch {
	case n.stopping:
		l.parts = []linePart{{text: fmt.Sprintf("stopping at step %d", n.step), short: "stopping"}}
	case n.compiled:
		l.parts = n.figures()
	case n.waiting:
		l.parts = []linePart{{text: "waits for a machine", short: "waits"}}
	case n.up:
		l.parts = []linePart{{text: "compiling"}}
	default:
		l.parts = []linePart{{text: "starting"}}
	}
	return l
}

func (n trialNews) figures() []linePart {
	steps := fmt.Sprintf("%d/%d", n.step, n.steps)
	parts := []linePart{{text: "step " + steps, short: steps, drop: 1}}
	if n.trainLoss != nil {
		parts = append(parts, linePart{text: fmt.Sprintf("loss %.4f", *n.trainLoss), short: fmt.Sprintf("%.4f", *n.trainLoss), drop: 2})
	}
	if n.valLoss != nil {
		parts = append(parts, linePart{text: fmt.Sprintf("val %.4f", *n.valLoss), drop: 6})
	}
	if n.timed {
		parts = append(parts, linePart{text: report.Count(int64(n.speed)) + " tok/s", drop: 4})
	}
	switch {
	case n.memory > 0:
		parts = append(parts, linePart{text: trial.FormatBytes(n.memory), drop: 5})
	case n.predicted > 0:
		parts = append(parts, linePart{text: "~" + trial.FormatBytes(n.predicted), drop: 5})
	}
	if n.epochs > 0 {
		parts = append(parts, linePart{text: epochText(n.epochs, n.step, n.steps), drop: 7})
	}
	if n.timed {
		left := report.Foreseen(n.left)
		parts = append(parts, linePart{text: left + " left", short: left, drop: 3})
	}
	return parts
}
