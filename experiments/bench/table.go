package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

func (s shape) trainSpeed(m measurement) float64 {
	return float64(s.Batch*s.Length) / median(m.StepSeconds)
}

func (s shape) evalSpeed(m measurement) float64 {
	return float64(s.HeldOut*s.Length) / median(m.EvalSeconds)
}

// quantity is a column of measured values, one of each round, and the column of ratios after it.
type quantity struct {
	name, format string
	of           func(measurement) float64
}

func (s shape) quantities() []quantity {
	return []quantity{
		{"train, tokens/s", "%.0f", s.trainSpeed},
		{"evaluate, tokens/s", "%.0f", s.evalSpeed},
		{"peak of training, GB", "%.2f", func(m measurement) float64 { return float64(m.PeakBytes) / 1e9 }},
		{"and of evaluating", "%.2f", func(m measurement) float64 { return float64(m.EvalPeakBytes) / 1e9 }},
	}
}

// report prints the table of a shape, with what its figures depend on.
func (b bench) report(w io.Writer, s shape, m machine, measured map[variant][]measurement) error {
	var what []string
	for _, v := range b.variants() {
		if line := v.side + ": " + measured[v][0].What; !slices.Contains(what, line) {
			what = append(what, line)
		}
	}
	title := fmt.Sprintf("%s: B=%d T=%d, r=%d on %s; evaluations of %d rows", s.Name, s.Batch, s.Length, rank, s.Targets, s.HeldOut)
	rounds := fmt.Sprintf("%d rounds of %d steps and %d evaluations: median (smallest–largest); compiling as in the first round", b.rounds,
		s.Steps, s.Evaluations)
	return writeSection(w, title, m, b.table(s, measured), strings.Join(what, "; "), rounds)
}

// variants are the lines of a table.
func (b bench) variants() []variant {
	var all []variant
	for _, dtype := range b.dtypes {
		for _, side := range b.sides {
			all = append(all, variant{dtype, side})
		}
	}
	return all
}

func (b bench) table(s shape, measured map[variant][]measurement) table {
	header := []string{"dtype", "side"}
	for _, q := range s.quantities() {
		header = append(header, q.name, "ours ÷ it")
	}
	t := table{append(header, "compiling, s")}
	for _, v := range b.variants() {
		all, our := measured[v], measured[variant{v.dtype, sideOurs}]
		cells := []string{v.dtype, v.side}
		for _, q := range s.quantities() {
			ratio := ""
			if v.side != sideOurs && len(our) > 0 {
				ratio = spreadOf("%.2f", ratios(values(our, q.of), values(all, q.of)))
			}
			cells = append(cells, spreadOf(q.format, values(all, q.of)), ratio)
		}
		t = append(t, append(cells, fmt.Sprintf("%.1f", all[0].CompileSeconds)))
	}
	return t
}

// writeSection prints a table under the machine that it was measured on.
func writeSection(w io.Writer, title string, m machine, t table, notes ...string) error {
	load, err := readLoad()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "## %s\n\n%s, at the end %s\n%s\n\n%s\n", title, m, load, strings.Join(notes, "\n"), t)
	return err
}

// table is cells, written as Markdown. The first row is the header.
type table [][]string

func (t table) String() string {
	var b strings.Builder
	for i, cells := range t {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(cells)))
		}
	}
	return b.String()
}

// spreadOf writes the median with the smallest and the largest value.
func spreadOf(format string, values []float64) string {
	text := fmt.Sprintf(format, median(values))
	if len(values) == 1 {
		return text
	}
	return text + fmt.Sprintf(" ("+format+"–"+format+")", slices.Min(values), slices.Max(values))
}

func values[T any](all []T, of func(T) float64) []float64 {
	out := make([]float64, len(all))
	for i, m := range all {
		out[i] = of(m)
	}
	return out
}

// ratios are our values by theirs, round by round: a neighbour who slows a round slows both.
func ratios(our, their []float64) []float64 {
	out := make([]float64, len(our))
	for i := range our {
		out[i] = our[i] / their[i]
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
