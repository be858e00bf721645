package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/report"
)

// targetsView is the result of sweep plan --targets.
type targetsView struct {
	Name     string          `json:"name"`
	Ladders  []targetsLadder `json:"ladders"`
	Warnings []string        `json:"warnings"`
}

// targetsLadder is what one cell's adapters change. A cell that tunes which modules to adapt has several.
type targetsLadder struct {
	Ladder     int             `json:"ladder"` // from 1
	Cell       report.Cell     `json:"cell"`
	Tuned      report.Cell     `json:"tuned,omitempty"` // the first values of tuned axes that select these modules
	Model      string          `json:"model"`
	Params     int64           `json:"params"` // of the base
	Groups     []targetGroup   `json:"groups"`
	Modules    []targetModule  `json:"modules"`
	Others     []targetOther   `json:"others"`     // what trains beside LoRA: biases, modules to save
	Untargeted []targetGroup   `json:"untargeted"` // the other linear modules
	Rungs      []targetsByRank `json:"rungs"`

	matched []lora.Module
	specs   []lora.Spec // by rank
}

// targetGroup is the modules of one kind and shape, over the layers.
type targetGroup struct {
	Kind    string `json:"kind"`
	Layers  string `json:"layers"` // 0-11, or 0, 2-5; empty outside the layers
	Modules int    `json:"modules"`
	In      int    `json:"in"`
	Out     int    `json:"out"`

	layers []int
}

type targetModule struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	In   int    `json:"in"`
	Out  int    `json:"out"`
}

// targetOther is a tensor of the base that trains itself.
type targetOther struct {
	Tensor          string    `json:"tensor"`
	Role            lora.Role `json:"role"` // bias or saved
	TrainableParams int64     `json:"trainable_params"`
}

// targetsByRank is what one rank trains.
type targetsByRank struct {
	Rank            int     `json:"rank"`
	TrainableParams int64   `json:"trainable_params"`
	Share           float64 `json:"share"` // of the base's parameters
}

func (a *app) printTargets(ctx context.Context, path string) error {
	v, err := a.planTargets(ctx, path)
	if err != nil {
		return asUsage(err)
	}
	for _, w := range v.Warnings {
		a.say("warning: %s", w)
	}
	return a.emit("targets", v, func(w io.Writer) error { return v.table(w, a.verbose) }, v.csv)
}

// planTargets reads the models' configurations only.
func (a *app) planTargets(ctx context.Context, path string) (targetsView, error) {
	x, err := a.expandGrid(ctx, path)
	if err != nil {
		return targetsView{}, err
	}
	v := targetsView{Name: x.grid.Name, Warnings: nonNil(x.warnings)}
	for i, l := range x.ladders {
		first := len(v.Ladders)
		for candidate := range max(1, len(l.Candidates)) {
			next, err := newTargetsLadder(i+1, l, candidate)
			if err != nil {
				return targetsView{}, err
			}
			if !slices.ContainsFunc(v.Ladders[first:], next.same) {
				v.Ladders = append(v.Ladders, next)
			}
		}
	}
	return v, nil
}

func newTargetsLadder(number int, l sweep.LadderPlan, candidate int) (targetsLadder, error) {
	m, lowest := l.Model, l.Rungs[0].PerCandidate()[candidate].Spec
	matched, err := lowest.LoRA.Match(m.Modules)
	if err != nil {
		return targetsLadder{}, err
	}
	rest := slices.DeleteFunc(slices.Clone(m.Modules), func(m lora.Module) bool {
		return m.Head || m.Embedding || slices.Contains(matched, m)
	})
	out := targetsLadder{
		Ladder: number, Cell: report.Cell(l.Cell), Model: lowest.Model, Params: m.Params,
		Groups: groupModules(matched), Untargeted: groupModules(rest), Modules: []targetModule{}, Others: []targetOther{}, matched: matched,
	}
	if len(l.Candidates) > 0 {
		out.Tuned = report.Cell(l.Candidates[candidate])
	}
	for _, m := range matched {
		out.Modules = append(out.Modules, targetModule{Name: m.Name, Kind: m.Kind(), In: m.In, Out: m.Out})
	}
	trained, err := lowest.LoRA.Trainables(matched, m.Modules, m.Tensors)
	if err != nil {
		return targetsLadder{}, err
	}
	for _, t := range trained {
		if t.Tensor != "" {
			out.Others = append(out.Others, targetOther{Tensor: t.Tensor, Role: t.Role, TrainableParams: t.Size()})
		}
	}
	for _, r := range l.Rungs {
		spec := r.PerCandidate()[candidate].Spec.LoRA
		params := trainableParams(m, spec)
		out.specs = append(out.specs, spec)
		out.Rungs = append(out.Rungs, targetsByRank{Rank: r.Rank, TrainableParams: params, Share: float64(params) / float64(m.Params)})
	}
	return out, nil
}

// groupModules puts modules of one kind and shape together, in the model's order.
func groupModules(modules []lora.Module) []targetGroup {
	groups := []targetGroup{}
	for _, m := range modules {
		i := slices.IndexFunc(groups, func(g targetGroup) bool { return g.Kind == m.Kind() && g.In == m.In && g.Out == m.Out })
		if i < 0 {
			i = len(groups)
			groups = append(groups, targetGroup{Kind: m.Kind(), In: m.In, Out: m.Out})
		}
		groups[i].Modules++
		if layer := m.Layer(); layer >= 0 {
			groups[i].layers = append(groups[i].layers, layer)
		}
	}
	for i := range groups {
		groups[i].Layers = spans(groups[i].layers)
	}
	return groups
}

// spans writes ascending numbers with their runs drawn together: 0-3, 6.
func spans(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := strconv.Itoa(numbers[i])
		if j > i {
			part += "-" + strconv.Itoa(numbers[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// table prints each selection once, with the ladders that share it; verbose names every module.
func (v targetsView) table(w io.Writer, verbose bool) error {
	fmt.Fprintf(w, "sweep %s: %s\n", v.Name, plural(len(v.Ladders), "cell"))
	for i, l := range v.Ladders {
		if slices.ContainsFunc(v.Ladders[:i], l.same) {
			continue
		}
		fmt.Fprintln(w)
		for _, other := range v.Ladders[i:] {
			if l.same(other) {
				fmt.Fprintf(w, "ladder %d: %s\n", other.Ladder, v.selection(other))
			}
		}
		if err := l.table(w, verbose); err != nil {
			return err
		}
	}
	return nil
}

// selection names one of a ladder's selections: with tuned axes where the ladder has several.
func (v targetsView) selection(l targetsLadder) string {
	several := slices.ContainsFunc(v.Ladders, func(other targetsLadder) bool { return other.Ladder == l.Ladder && !l.same(other) })
	if !several {
		return selectionCell(l.Cell)
	}
	return selectionCell(slices.Concat(l.Cell, l.Tuned))
}

// selectionCell names a ladder by its axes, or by the settings that select modules where it has none.
func selectionCell(c report.Cell) string {
	if axes := sweep.Cell(c).Axes(); len(axes) > 0 {
		return axes.String()
	}
	return slices.DeleteFunc(slices.Clone(sweep.Cell(c)), func(s sweep.Setting) bool {
		return !strings.Contains(s.Name, "modules") && !strings.Contains(s.Name, "layers") && !strings.Contains(s.Name, "pattern")
	}).String()
}

// same reports whether two ladders train the same parameters.
func (l targetsLadder) same(other targetsLadder) bool {
	return l.Model == other.Model && slices.Equal(l.Modules, other.Modules) && slices.Equal(l.Others, other.Others) &&
		slices.Equal(l.Rungs, other.Rungs)
}

func (l targetsLadder) table(w io.Writer, verbose bool) error {
	fmt.Fprintf(w, "%s of %s, which has %s parameters\n", plural(len(l.Modules), "module"), l.Model, report.Count(l.Params))
	header, rows := []string{"kind", "layers", "modules", "in", "out"}, [][]string{}
	for _, g := range l.Groups {
		rows = append(rows, []string{g.Kind, g.Layers, strconv.Itoa(g.Modules), strconv.Itoa(g.In), strconv.Itoa(g.Out)})
	}
	if verbose {
		header, rows = []string{"module", "in", "out"}, nil
		for _, m := range l.Modules {
			rows = append(rows, []string{m.Name, strconv.Itoa(m.In), strconv.Itoa(m.Out)})
		}
	}
	if err := writeTable(w, header, rows, "out", "in"); err != nil {
		return err
	}
	if len(l.Untargeted) > 0 {
		var rest []string
		for _, g := range l.Untargeted {
			rest = append(rest, fmt.Sprintf("%s (%d to %d)", g.text(), g.In, g.Out))
		}
		fmt.Fprintf(w, "not targeted: %s\n", strings.Join(rest, ", "))
	}
	if text := l.othersText(verbose); text != "" {
		fmt.Fprintf(w, "also trained: %s\n", text)
	}
	rows = nil
	for _, r := range l.Rungs {
		rows = append(rows, []string{strconv.Itoa(r.Rank), report.Count(r.TrainableParams), fmt.Sprintf("%.3g %%", 100*r.Share)})
	}
	return writeTable(w, []string{"rank", "trainable parameters", "of the base's"}, rows, "of the base's")
}

// othersText names what trains beside LoRA, or counts it.
func (l targetsLadder) othersText(verbose bool) string {
	var parts []string
	for _, role := range []lora.Role{lora.RoleBias, lora.RoleSaved} {
		var names []string
		var params int64
		for _, o := range l.Others {
			if o.Role == role {
				names, params = append(names, o.Tensor), params+o.TrainableParams
			}
		}
		const few = 4
		switch n := len(names); {
		case n > 0 && (verbose || n <= few):
			parts = append(parts, fmt.Sprintf("%s (%s parameters)", strings.Join(names, ", "), report.Count(params)))
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d tensors (%s, %s parameters)", n, role, report.Count(params)))
		}
	}
	return strings.Join(parts, "; ")
}

func (g targetGroup) text() string {
	if g.Layers == "" {
		return g.Kind
	}
	if len(g.layers) == 1 {
		return g.Kind + " of layer " + g.Layers
	}
	return g.Kind + " of layers " + g.Layers
}

// csv is one row for each rank and module.
func (v targetsView) csv() ([]string, [][]string) {
	header := []string{"ladder", "cell", "model", "rank", "module", "kind", "in", "out", "trainable_params"}
	var rows [][]string
	for _, l := range v.Ladders {
		for i, r := range l.Rungs {
			for _, m := range l.matched {
				params := l.specs[i].ParamsOf(m)
				rows = append(rows, []string{
					strconv.Itoa(l.Ladder), v.selection(l), l.Model, strconv.Itoa(r.Rank), m.Name, m.Kind(), strconv.Itoa(m.In),
					strconv.Itoa(m.Out), strconv.FormatInt(params, 10),
				})
			}
			for _, o := range l.Others {
				rows = append(rows, []string{
					strconv.Itoa(l.Ladder), v.selection(l), l.Model, strconv.Itoa(r.Rank), o.Tensor, string(o.Role), "", "",
					strconv.FormatInt(o.TrainableParams, 10),
				})
			}
		}
	}
	return header, rows
}
