package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// progressBars draws a bar per running trial and a line for the ladders below them. What is written to it appears above.
type progressBars struct {
	w       io.Writer
	now     func() time.Time
	box     *mpb.Progress
	trials  map[trial.AttemptID]*liveBar
	added   int // bars so far: they stand in the order they came
	ladders *liveBar
	rates   rates
}

// liveBar is a bar and its texts, which the drawing goroutine reads.
type liveBar struct {
	bar *mpb.Bar

	mu    sync.Mutex
	name  string
	parts []string
}

func (b *liveBar) set(name string, parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.name, b.parts = name, parts
}

func (b *liveBar) prepended(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.name
}

// leastBar is the narrowest bar that says anything.
const leastBar = 10

// appended joins as many parts, the most important first, as leave room for the bar.
func (b *liveBar) appended(s decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := ""
	for i, part := range b.parts {
		if i > 0 && len(text)+2+len(part) > s.AvailableWidth-leastBar {
			break
		}
		text += "  " + part
	}
	return strings.TrimSpace(text)
}

func newProgressBars(w io.Writer, now func() time.Time, options ...mpb.ContainerOption) *progressBars {
	return &progressBars{
		w: w, now: now, trials: map[trial.AttemptID]*liveBar{}, rates: rates{},
		box: mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(200 * time.Millisecond)}, options...)...),
	}
}

// Write prints lines above the bars.
func (p *progressBars) Write(b []byte) (int, error) {
	n, err := p.box.Write(b)
	if n == 0 && err != nil { // the terminal is gone, or the bars are
		return p.w.Write(b)
	}
	return n, err
}

func (p *progressBars) show(s sweep.Progress) {
	live := map[trial.AttemptID]bool{}
	for _, a := range s.Live {
		live[a.ID] = true
		p.rates.add(a, p.now())
		p.showTrial(s, a)
	}
	for id, b := range p.trials {
		if !live[id] {
			b.bar.Abort(true)
			p.rates.drop(id)
			delete(p.trials, id)
		}
	}
	if p.ladders == nil {
		p.ladders = p.add(mpb.NopStyle(), math.MaxInt)
	}
	p.ladders.set(laddersText(s))
}

func (p *progressBars) showTrial(s sweep.Progress, a sweep.LiveAttempt) {
	b, ok := p.trials[a.ID]
	if !ok {
		p.added++
		b = p.add(mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("─"), p.added)
		b.bar.SetTotal(int64(max(a.Steps, 1)), false)
		p.trials[a.ID] = b
	}
	parts := []string{"starting"}
	switch {
	case a.Stopping:
		parts = []string{fmt.Sprintf("stopping at step %d", a.Step)}
	case a.Compiled:
		parts = p.rates.parts(a)
	}
	b.set(trialName(s, a.Ladder, a.Rank, a.Seed, a.Trial), parts...)
	b.bar.SetCurrent(int64(a.Step))
}

// add makes a bar whose texts are read anew for each drawing. Its total is set apart: a bar must not go by itself when the
// last step is reached, while the last evaluation still runs.
func (p *progressBars) add(style mpb.BarFillerBuilder, priority int) *liveBar {
	b := &liveBar{}
	b.bar = p.box.New(0, style,
		mpb.BarWidth(24), mpb.BarPriority(priority),
		mpb.PrependDecorators(decor.Any(b.prepended)), mpb.AppendDecorators(decor.Any(b.appended)),
	)
	return b
}

// stop removes the bars and waits until all lines above them are written.
func (p *progressBars) stop() {
	for _, b := range p.trials {
		b.bar.Abort(true)
	}
	if p.ladders != nil {
		p.ladders.bar.Abort(true)
	}
	p.box.Wait()
}

// laddersText is the line below the bars: how far the ladder is, or how many of several are decided.
func laddersText(s sweep.Progress) string {
	decided := 0
	first := "" // of those that are open
	for i, v := range s.Verdicts {
		if v.State != plateau.StateRunning {
			decided++
			continue
		}
		if first != "" {
			continue
		}
		first = ladderName(s, i) + prose.Reason(v)
		if v.RecommendedRank > 0 {
			first += fmt.Sprintf(" (rank %d leads)", v.RecommendedRank)
		}
	}
	if len(s.Verdicts) < 2 {
		return first
	}
	text := fmt.Sprintf("%d of %d ladders decided", decided, len(s.Verdicts))
	if first != "" {
		text += "; " + first
	}
	return text
}
