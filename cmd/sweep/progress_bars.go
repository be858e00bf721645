package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// progressBars draws a line per running trial, and below them the ladder, what is left, and why the ladder goes on. What is written to it
// appears above.
type progressBars struct {
	w        io.Writer
	now      func() time.Time
	box      *mpb.Progress
	trials   map[trial.AttemptID]*liveBar
	added    int        // lines of trials so far: they stand in the order they came
	summary  []*liveBar // below the trials
	rates    rates
	jobs     int // trials that ran at the same time
	outlook  sweep.Outlook
	foreseen time.Time // when the outlook was taken
}

// liveBar is a line that the drawing goroutine lays out for the width of the terminal at that moment.
type liveBar struct {
	bar *mpb.Bar

	mu     sync.Mutex
	render func(width int) string
}

func (b *liveBar) set(render func(width int) string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.render = render
}

func (b *liveBar) draw(s decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.render == nil {
		return ""
	}
	return b.render(s.AvailableWidth)
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
	left := map[trial.ID]time.Duration{}
	for _, a := range s.Live {
		live[a.ID] = true
		p.rates.add(a, p.now())
		if _, d, ok := p.rates.speed(a); ok {
			left[a.Trial] = d
		}
		p.showTrial(s, a)
	}
	for id, b := range p.trials {
		if !live[id] {
			b.bar.Abort(true)
			p.rates.drop(id)
			delete(p.trials, id)
		}
	}
	p.jobs = max(p.jobs, len(s.Live))
	p.showSummary(s, left)
}

func (p *progressBars) showTrial(s sweep.Progress, a sweep.LiveAttempt) {
	b, ok := p.trials[a.ID]
	if !ok {
		p.added++
		b = p.add(p.added)
		p.trials[a.ID] = b
	}
	n := trialNews{
		name: trialName(s, a.Ladder, a.Rank, a.Seed, a.Trial), step: a.Step, steps: a.Steps, epochs: a.Epochs,
		waiting: a.Waiting, up: a.Up, compiled: a.Compiled,
		stopping: a.Stopping, ahead: a.Ahead, trainLoss: a.TrainLoss, valLoss: a.ValLoss, memory: a.Memory.Peak(s.Snapshot.Sweep.Platform),
		predicted: a.Predicted,
	}
	n.speed, n.left, n.timed = p.rates.speed(a)
	b.set(n.line().render)
}

// foreseeEvery is how often what is left is added up, which looks at every trial of the sweep.
const foreseeEvery = time.Second

// showSummary sets the lines below the trials.
func (p *progressBars) showSummary(s sweep.Progress, left map[trial.ID]time.Duration) {
	for len(p.summary) < 2 {
		p.summary = append(p.summary, p.add(math.MaxInt-2+len(p.summary)))
	}
	climb := func(int) string { return "" }
	if i := slices.IndexFunc(s.Verdicts, func(v plateau.Verdict) bool { return v.State == plateau.StateRunning }); i >= 0 {
		if p.now().Sub(p.foreseen) >= foreseeEvery {
			p.foreseen = p.now()
			p.outlook = sweep.Foresee(s.Snapshot, sweep.Going{
				Verdicts: s.Verdicts, References: s.References, Left: left, Jobs: p.jobs,
				Busy: func(i int) map[int]bool { return busyRanks(s, i) },
			})
		}
		name, rest := ladderName(s, i), "  "+outlookText(p.outlook)
		ladder, v, busy := s.Snapshot.Ladders[i], s.Verdicts[i], busyRanks(s, i)
		climb = func(width int) string {
			line := name + climbText(ladder, v, busy, max(width/2, width-len(name)-len(rest)))
			return ansi.Truncate(line+rest, width, ellipsis)
		}
	}
	p.summary[0].set(climb)
	text := printable(laddersText(s))
	if s.Snapshot.Sweep.Asked.Paused {
		text = "paused; " + text
	}
	p.summary[1].set(func(width int) string { return ansi.Truncate(text, width, ellipsis) })
}

// busyRanks are the ranks whose trials run because the ladder waits for them.
func busyRanks(s sweep.Progress, ladder int) map[int]bool {
	busy := map[int]bool{}
	for _, a := range s.Live {
		if a.Ladder == ladder && !a.Ahead {
			busy[a.Rank] = true
		}
	}
	return busy
}

// add makes a line that is laid out anew for each drawing. It never counts as complete: it goes when its trial does.
func (p *progressBars) add(priority int) *liveBar {
	b := &liveBar{}
	b.bar = p.box.New(0, mpb.NopStyle(), mpb.BarFillerTrim(), mpb.BarPriority(priority), mpb.PrependDecorators(decor.Any(b.draw)))
	return b
}

// stop removes the bars and waits until all lines above them are written.
func (p *progressBars) stop() {
	for _, b := range p.trials {
		b.bar.Abort(true)
	}
	for _, b := range p.summary {
		b.bar.Abort(true)
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
