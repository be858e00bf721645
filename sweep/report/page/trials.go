package page

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// trialTable is one row per trial.
type trialTable struct {
	Columns []column
	Rows    []row
	Filters []filter
	Terms   []report.Term
}

// shownRows is how many rows are shown at first. A browser takes seconds to lay out thousands; the others wait in a template element.
const shownRows = 500

// First are the rows that are shown at first.
func (t trialTable) First() []row { return t.Rows[:min(len(t.Rows), shownRows)] }

// Rest are the others.
func (t trialTable) Rest() []row { return t.Rows[min(len(t.Rows), shownRows):] }

type column struct {
	Name    string
	Numeric bool
}

type row struct {
	At    string // of the trial in the report's JSON
	Cells []cell
}

// cell is a text; a number also says where it stands in the trial's JSON, and in full precision.
type cell struct {
	Text    string
	Key     string
	Value   string
	Numeric bool
}

// filter shows the rows with one value in a column.
type filter struct {
	Name   string
	Column int
	Values []string
}

// trialColumn is a column of numbers that every trial may have.
type trialColumn struct {
	name  string
	value func(report.Trial, report.Numbers) cell
}

func (b *builder) trials() trialTable {
	var t trialTable
	axes := b.axisNames()
	several := len(b.report.Ladders) > 1
	if several {
		t.Columns = append(t.Columns, column{"ladder", true})
	}
	for _, name := range axes {
		t.Columns = append(t.Columns, column{name, false})
	}
	t.Columns = append(t.Columns, column{"rank", true}, column{"seed", true}, column{"state", false})
	numbers := b.numberColumns()
	for _, c := range numbers {
		t.Columns = append(t.Columns, column{c.name, true})
	}
	for i, l := range b.report.Ladders {
		for j, r := range l.Rungs {
			at := fmt.Sprintf("ladders.%d.rungs.%d", i, j)
			if len(r.Candidates) == 0 {
				t.add(l, r, nil, r.Trials, at, axes, several, numbers)
			}
			for k, c := range r.Candidates {
				t.add(l, r, c.Tuned, c.Trials, fmt.Sprintf("%s.candidates.%d", at, k), axes, several, numbers)
			}
		}
		if rows := l.Rows(); l.Reference != nil {
			t.add(l, rows[len(rows)-1], nil, l.Reference.Trials, fmt.Sprintf("ladders.%d.reference", i), axes, several, numbers)
		}
	}
	t.filter(len(axes), several)
	t.Terms = explain(b.glossary(), t)
	return t
}

// axisNames are the settings that differ between trials: the cells' axes, and what is tuned.
func (b *builder) axisNames() []string {
	var names []string
	for _, l := range b.report.Ladders {
		for _, s := range l.Axes() {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
		for _, name := range l.Conditions.Tuned {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (t *trialTable) add(l report.Ladder, r report.Rung, tuned report.Cell, trials []report.Trial, at string, axes []string, several bool,
	numbers []trialColumn,
) {
	for k, trial := range trials {
		var cells []cell
		if several {
			cells = append(cells, whole(int64(l.Number), ""))
		}
		for _, name := range axes {
			value := setting(l.Axes(), name)
			if value == "" {
				value = setting(tuned, name)
			}
			cells = append(cells, cell{Text: value, Value: value})
		}
		rank := cell{Text: r.Name(), Value: strconv.Itoa(r.Rank), Numeric: true}
		seed := whole(trial.Seed, "seed")
		if trial.Extra {
			seed.Text += " (extra)"
		}
		cells = append(cells, rank, seed, cell{Text: string(trial.State), Value: string(trial.State)})
		for _, c := range numbers {
			cells = append(cells, c.value(trial, l.Numbers()))
		}
		t.Rows = append(t.Rows, row{fmt.Sprintf("%s.trials.%d", at, k), cells})
	}
}

// numberColumns leaves out those that no trial has.
func (b *builder) numberColumns() []trialColumn {
	loss := func(name string, of func(report.Trial) *float64) trialColumn {
		return trialColumn{name, func(t report.Trial, n report.Numbers) cell { return number(of(t), name, n.Loss) }}
	}
	integer := func(name, key string, of func(report.Trial) *int64, format func(int64) string) trialColumn {
		return trialColumn{name, func(t report.Trial, _ report.Numbers) cell {
			v := of(t)
			if v == nil {
				return cell{Numeric: true}
			}
			return cell{format(*v), key, strconv.FormatInt(*v, 10), true}
		}}
	}
	columns := []trialColumn{
		loss("val_loss", func(t report.Trial) *float64 { return t.ValLoss }),
		loss("train_loss", func(t report.Trial) *float64 { return t.TrainLoss }),
	}
	for _, m := range trial.AllMeasures() {
		columns = append(columns, loss(m.Name, func(t report.Trial) *float64 { return m.Of(t.Measures) }))
	}
	columns = append(columns,
		loss("forgetting", func(t report.Trial) *float64 { return t.Forgetting }),
		trialColumn{"best step", func(t report.Trial, _ report.Numbers) cell {
			if t.BestStep == nil {
				return cell{Numeric: true}
			}
			return whole(int64(*t.BestStep), "best_step")
		}},
		integer("tokens", "tokens", func(t report.Trial) *int64 { return t.Tokens }, report.Count),
		integer("host memory", "peak_host_bytes", func(t report.Trial) *int64 { return t.PeakHostBytes }, trial.FormatBytes),
		integer("device memory", "peak_device_bytes", func(t report.Trial) *int64 { return t.PeakDeviceBytes }, trial.FormatBytes),
		integer("predicted", "predicted_bytes", func(t report.Trial) *int64 { return t.PredictedBytes }, trial.FormatBytes),
		trialColumn{"time", func(t report.Trial, _ report.Numbers) cell {
			return number(t.TrainSeconds, "train_seconds", report.Seconds)
		}},
		integer("params", "trainable_params", func(t report.Trial) *int64 { return t.TrainableParams }, report.Count),
	)
	return slices.DeleteFunc(columns, func(c trialColumn) bool { return !b.any(c) })
}

// any reports whether some trial has a value in the column.
func (b *builder) any(c trialColumn) bool {
	for _, l := range b.report.Ladders {
		for _, r := range l.Rows() {
			for _, t := range r.Trials {
				if c.value(t, l.Numbers()).Text != "" {
					return true
				}
			}
		}
	}
	return false
}

func number(v *float64, key string, format func(float64) string) cell {
	if v == nil {
		return cell{Numeric: true}
	}
	return cell{format(*v), key, strconv.FormatFloat(*v, 'g', -1, 64), true}
}

func whole(v int64, key string) cell {
	text := strconv.FormatInt(v, 10)
	return cell{text, key, text, true}
}

// filter offers the columns before the numbers, but for the seed, where they have several values.
func (t *trialTable) filter(axes int, several bool) {
	last := axes + 2
	if several {
		last++
	}
	for i := range last + 1 {
		if i == last-1 || i >= len(t.Columns) {
			continue
		}
		var values []string
		for _, r := range t.Rows {
			if !slices.Contains(values, r.Cells[i].Text) {
				values = append(values, r.Cells[i].Text)
			}
		}
		if len(values) > 1 {
			t.Filters = append(t.Filters, filter{t.Columns[i].Name, i, values})
		}
	}
}

// ranView says what was run.
type ranView struct {
	Facts        [][2]string
	Environments []environment
	Grid         string
}

type environment struct {
	Title    string
	Versions [][2]string
}

func (b *builder) ran() ranView {
	info := b.snapshot.Sweep
	v := ranView{Grid: info.GridText}
	fact := func(name, value string) {
		if value != "" && !slices.Contains(v.Facts, [2]string{name, value}) {
			v.Facts = append(v.Facts, [2]string{name, value})
		}
	}
	fact("grid", info.GridHash)
	for _, l := range b.snapshot.Ladders {
		fact("model", l.Model.Reference+"  "+l.Model.Fingerprint)
		fact("data", l.Corpus.Fingerprint)
	}
	fact("backend", info.Backend)
	if info.Strategy != sweep.StrategyLadder {
		fact("strategy", string(info.Strategy))
	}
	if info.Elapsed > 0 {
		fact("time of its sessions", report.Duration(info.Elapsed))
	}
	for _, e := range b.beside.Environments {
		v.Environments = append(v.Environments, newEnvironment(e))
	}
	return v
}

func newEnvironment(e trial.Environment) environment {
	out := environment{Title: e.Platform}
	if e.Device != "" {
		out.Title += ", " + e.Device
	}
	if e.PluginVersion != "" {
		out.Versions = append(out.Versions, [2]string{"plug-in", e.PluginVersion})
	}
	var names []string
	for name := range e.Versions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out.Versions = append(out.Versions, [2]string{name, e.Versions[name]})
	}
	if e.PluginSHA256 != "" {
		out.Versions = append(out.Versions, [2]string{"plug-in's SHA-256", e.PluginSHA256})
	}
	return out
}
