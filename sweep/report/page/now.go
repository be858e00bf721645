package page

import (
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Now is what goes on in a sweep at the moment.
type Now struct {
	State    string // running, waiting, finished, paused, cancelled or interrupted
	Lines    []string
	Over     int // trials that are
	Most     int // trials at most
	Ladders  []Strip
	Unshown  int // ladders
	Running  []Running
	Warnings []string
	Terms    []report.Term // that its part explains
}

// Share is how much of the sweep is over at least, in percent.
func (n Now) Share() int { return 100 * n.Over / max(1, n.Most) }

// Strip is a ladder as its ranks in a row.
type Strip struct {
	Title  string // empty where there is one ladder
	State  plateau.State
	Reason string
	Ranks  []StripRank
}

// StripRank is a rank of a ladder's strip.
type StripRank struct {
	Rank  string
	State StripState
	Best  bool   // it is the one to use so far
	Note  string // what is to say of it
}

// StripState is how far a rank is.
type StripState string

// The states of a rank.
const (
	StripDone     StripState = "done"
	StripRunning  StripState = "running"
	StripFailed   StripState = "failed"
	StripBegun    StripState = "begun"
	StripPending  StripState = "pending"
	StripUnneeded StripState = "unneeded"
)

// Mark is the sign of a state.
func (s StripRank) Mark() string {
	return map[StripState]string{StripDone: "✓", StripRunning: "▸", StripFailed: "✗", StripBegun: "…"}[s.State]
}

// Running is a trial that runs, or was left behind.
type Running struct {
	ID         trial.ID
	Title      string
	State      string // running, starting, compiling, or what became of it without a coordinator
	Step       int
	Steps      int
	Facts      []Fact
	Memory     *Gauge
	Validation []Evaluation
	Training   []trial.StepTrainLoss
	Logs       []Log
}

// Fact is a named value.
type Fact struct{ Name, Value string }

// Gauge is a measured size beside what it may be.
type Gauge struct {
	Used, Limit int64 // bytes
	Text        string
}

// High reports whether little is left.
func (g Gauge) High() bool { return 10*g.Used > 9*g.Limit }

// Log is the end of a worker's output.
type Log struct{ Name, Text string }

// lossByStep draws a running trial's losses; nil before there are two.
func lossByStep(r Running) *chart {
	c := Curve{r.Validation, trial.Thin(r.Training, mostOfOneTrial)}
	validation, training := c.validation(), c.training()
	xs, ys := []float64{float64(r.Steps)}, []float64{}
	for _, p := range slices.Concat(validation, training) {
		xs = append(xs, p.x)
		if p.x > 0 { // before the first step it is far above the rest
			ys = append(ys, p.y)
		}
	}
	if len(ys) < 2 {
		return nil
	}
	out := &chart{x: scale{0, slices.Max(xs), false}, y: span(ys, false, 0.1), Title: "Loss by step", Class: "small"}
	out.X, out.Y = axis{Title: "step", Ticks: out.x.plainTicks(4)}, axis{Title: "nats per token", Ticks: out.y.plainTicks(4)}
	out.line(training, shape{Class: "thread strong", Title: "training"})
	out.line(validation, shape{Class: "validation", Title: "validation"})
	for _, p := range validation {
		if p.y <= out.y.hi {
			out.dot(p.x, p.y, shape{Class: "center", Title: fmt.Sprintf("validation at step %.0f: %.4f", p.x, p.y)})
		}
	}
	out.Keys = []key{{"line", "--c:var(--soft)", "training"}, {"line", "--c:var(--accent)", "validation"}}
	out.Alt = fmt.Sprintf("Training and validation loss of %s up to step %d of %d.", r.Title, r.Step, r.Steps)
	return out
}

// Now makes the part that says what goes on.
func (p Parts) Now(n Now) (Part, error) {
	n.Terms = explain(p.b.glossary(), n)
	return p.make(PartNow, PartNow, n)
}

// Listed is a sweep in the list of sweeps.
type Listed struct {
	Name  string
	URL   string
	State string
	Cells []string // as sweep list prints them
}

// SweepsPart makes the list of sweeps under a header.
func SweepsPart(header []string, sweeps []Listed) (Part, error) {
	t, err := parse()
	if err != nil {
		return Part{}, err
	}
	return Parts{t: t}.make(PartSweeps, PartSweeps, struct {
		Header []string
		Sweeps []Listed
	}{header, sweeps})
}
