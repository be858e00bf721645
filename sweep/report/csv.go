package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// CSV writes one row per trial that was started: sweep, ladder, the cell's settings, then the trial's numbers. Numbers
// have full precision; what is not known is empty. The rank of a ladder's reference is full; it has no alpha, and its own learning rate.
func (r Report) CSV(w io.Writer) error {
	header, rows := r.rows()
	if err := WriteCSV(w, header, rows); err != nil {
		return fmt.Errorf("write report of sweep %s as CSV: %w", r.Sweep, err)
	}
	return nil
}

// WriteCSV writes a header and rows. A text that a spreadsheet would take for a formula gets an apostrophe before it, as OWASP's page on
// CSV injection has it; numbers stay as they are.
func WriteCSV(w io.Writer, header []string, rows [][]string) error {
	c := csv.NewWriter(w)
	for _, row := range append([][]string{header}, rows...) {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = noFormula(cell)
		}
		if err := c.Write(safe); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func noFormula(cell string) string {
	if len(cell) < 2 || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}

// rows returns the header and the rows of CSV.
func (r Report) rows() ([]string, [][]string) {
	header := []string{"sweep", "ladder"}
	var settings []string
	if len(r.Ladders) > 0 {
		for _, s := range r.Ladders[0].Cell {
			settings = append(settings, s.Name)
		}
	}
	header = append(header, settings...)
	header = append(header, "rank", "seed", "trial", "state", "val_loss", "best_step", "train_loss", "tokens", "peak_host_bytes",
		"peak_device_bytes", "predicted_bytes", "train_seconds", "trainable_params", "decision", "ladder_state", "recommended_rank",
		"tuned", "extra")
	columns := r.measuredColumns()
	for _, c := range columns {
		header = append(header, c.name)
	}
	var rows [][]string
	for _, l := range r.Ladders {
		for _, rung := range l.rows() {
			if !rung.started {
				continue
			}
			for _, t := range rung.all() {
				row := []string{r.Sweep, strconv.Itoa(l.Number)}
				for _, name := range settings {
					row = append(row, rung.setting(l, t.ID, name))
				}
				row = append(row, trialRow(l, rung, t)...)
				for _, c := range columns {
					row = append(row, float(c.value(t)))
				}
				rows = append(rows, row)
			}
		}
	}
	return header, rows
}

// measuredColumn is a column for what only some sweeps measure.
type measuredColumn struct {
	name  string
	value func(Trial) *float64
}

// measuredColumns are those that some trial has a value for.
func (r Report) measuredColumns() []measuredColumn {
	var columns []measuredColumn
	for _, m := range trial.AllMeasures() {
		columns = append(columns, measuredColumn{m.Name, func(t Trial) *float64 { return m.Of(t.Measures) }})
	}
	columns = append(columns, measuredColumn{"forgetting", func(t Trial) *float64 { return t.Forgetting }})
	return slices.DeleteFunc(columns, func(c measuredColumn) bool { return !r.has(c.value) })
}

// retains reports whether any trial was scored on data.retain.
func (r Report) retains() bool { return r.has(func(t Trial) *float64 { return t.RetainLoss }) }

// has reports whether any trial has the value.
func (r Report) has(value func(Trial) *float64) bool {
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			if slices.ContainsFunc(rung.Trials, func(t Trial) bool { return value(t) != nil }) {
				return true
			}
		}
	}
	return false
}

// setting is the value of one of the cell's settings for a trial of the rung.
func (r Rung) setting(l Ladder, id trial.ID, name string) string {
	switch {
	case !r.lora.Full || name != "alpha" && name != "learning_rate":
		return l.Cell.value(name)
	case name == "alpha":
		return ""
	}
	return r.tunedOf(id).value(name)
}

func trialRow(l Ladder, r Rung, t Trial) []string {
	decision := ""
	if r.Decision != nil {
		decision = string(*r.Decision)
	}
	return []string{
		r.name(), strconv.FormatInt(t.Seed, 10), string(t.ID), string(t.State), float(t.ValLoss), integer(t.BestStep),
		float(t.TrainLoss), integer(t.Tokens), integer(t.PeakHostBytes), integer(t.PeakDeviceBytes), integer(t.PredictedBytes),
		float(t.TrainSeconds), integer(t.TrainableParams), decision, string(l.Verdict.State), integer(l.Verdict.RecommendedRank),
		strings.TrimPrefix(r.tunedText(t.ID), ", "), strconv.FormatBool(t.Extra),
	}
}

func float(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

func integer[T int | int64](v *T) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(int64(*v), 10)
}
