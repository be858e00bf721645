package main

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// progress tells people on stderr how a sweep goes: on a terminal a bar per running trial and a line for the ladder, and
// above them a line for everything that ended or was decided; elsewhere only lines, at sensible intervals; with -q nothing.
type progress struct {
	lines *progressLines
	bars  *progressBars // nil where there is no terminal
	out   *switchWriter
	level slog.Level

	warned bool // with -q: of a wait
}

// newProgress starts to show a sweep on stderr. Whoever starts it calls stop.
func (a *app) newProgress() *progress {
	p := &progress{out: a.logTo, level: slog.LevelWarn}
	if a.verbose {
		p.level = slog.LevelDebug
	}
	if a.quiet {
		return p
	}
	p.lines = newProgressLines(p.out, time.Now)
	p.lines.shell = a.shell()
	if isTerminal(a.stderr) && os.Getenv("TERM") != "dumb" {
		p.bars = newProgressBars(a.stderr, time.Now)
		p.lines.running, p.lines.columns = false, func() int { return columnsOf(a.stderr) }
		p.out.set(p.bars)
	}
	return p
}

// show is the scheduler's Progress callback.
func (p *progress) show(s sweep.Progress) {
	if p.lines == nil {
		p.warn(s.Waits)
		return
	}
	p.lines.show(s)
	if p.bars != nil {
		p.bars.show(s)
	}
}

// warn says with -q, too, why a sweep gets no further.
func (p *progress) warn(waits string) {
	if waits != "" && !p.warned {
		p.logger().Warn("waiting", "because", waits)
	}
	p.warned = waits != ""
}

// logger writes above the bars, where messages do not tear them: warnings, and with -v everything. What a scheduler says
// about the ordinary course of things the lines say already.
func (p *progress) logger() *slog.Logger { return newLog(p.out, p.level) }

// stop takes the bars away. The logger stays usable.
func (p *progress) stop() {
	if p.bars != nil {
		p.bars.stop()
		p.out.set(p.bars.w)
	}
}

// switchWriter writes to what was set last. It is safe for concurrent use.
type switchWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *switchWriter) set(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w = w
}

func (s *switchWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
