package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// say writes one message for a person to stderr; -q silences it.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.stderr, forPeople(a.stderr, fmt.Sprintf(format, args...)))
	}
}

// rootIsDefault reports whether commands find this root without --root.
func (a *app) rootIsDefault() bool {
	standard, err := filepath.Abs("runs")
	return err == nil && standard == a.root
}

// byteProgress shows how much of some work of known size is done: a bar on a terminal, elsewhere one line if it takes long
// enough to wonder. done ends it.
func (a *app) byteProgress(what string) (show func(read, total int64), done func()) {
	if a.quiet {
		return nil, func() {}
	}
	if !isTerminal(a.stderr) {
		return a.lineProgress(what), func() {}
	}
	bars := mpb.New(mpb.WithOutput(a.stderr), mpb.WithWidth(40), mpb.WithAutoRefresh())
	var bar *mpb.Bar
	show = func(read, total int64) {
		if bar == nil {
			bar = bars.AddBar(total, mpb.PrependDecorators(decor.Name(what+" ")),
				mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f")), mpb.BarRemoveOnComplete())
		}
		bar.SetTotal(total, false)
		bar.SetCurrent(read)
	}
	return show, func() {
		if bar != nil {
			bar.Abort(true)
		}
		bars.Wait()
	}
}

// lineEvery is how often work that takes long prints a plain line.
const lineEvery = 10 * time.Second

// sayAtTimes says what it is called with about every ten seconds.
func (a *app) sayAtTimes() func(format string, args ...any) {
	last := time.Now()
	return func(format string, args ...any) {
		if time.Since(last) >= lineEvery {
			last = time.Now()
			a.say(format, args...)
		}
	}
}

// rowProgress tells of rows scored.
func (a *app) rowProgress() func(rank, done, total int) {
	say := a.sayAtTimes()
	return func(rank, done, total int) { say("rank %d: %d of %s scored", rank, done, plural(total, "row")) }
}

// lineProgress tells of bytes read.
func (a *app) lineProgress(what string) func(read, total int64) {
	say := a.sayAtTimes()
	return func(read, total int64) { say("%s: %s of %s", what, trial.FormatBytes(read), trial.FormatBytes(total)) }
}
