package grid

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// tuneKey is train.tune. axes are the keys before it: those with several values under train or lora can be tuned.
func tuneKey(axes []key) key {
	names := tunableNames(axes)
	c := textCodec("names of axes under train or lora, such as [learning_rate]")
	c.schema = schemaObject{"enum": names}
	k := listKey("train.tune", "Axes of train and lora, given as lists, that are tuned at each rank instead of making a ladder per value: "+
		"a rank's losses are those of the combination with the best mean over the seeds. Default: none.",
		c, func(g *Grid) *[]string { return &g.tune })
	k.read = func(r *reader, n ast.Node) { readTune(r, c, n) }
	return k
}

// tunableNames are the last parts of the axes' paths; those of train and lora are distinct.
func tunableNames(axes []key) []string {
	var names []string
	for _, k := range axes {
		if section, name := splitPath(k.path); k.axis != nil && (section == "train" || section == "lora") {
			names = append(names, name)
		}
	}
	return names
}

// tunePath names an entry of train.tune among the places that Grid.at keeps.
func tunePath(name string) string { return "train.tune[" + name + "]" }

func readTune(r *reader, c codec[string], n ast.Node) {
	names, ok := readList(r, "train.tune", c, n)
	if !ok {
		return
	}
	items := []ast.Node{n}
	if sequence, ok := n.(*ast.SequenceNode); ok {
		items = sequence.Values
	}
	for i, name := range names {
		r.given[tunePath(name)] = where(items[i])
	}
	r.grid.tune = names
}

// tuned checks that what is tuned are axes with several values, and puts them in the grid's order.
func (r *reader) tuned() {
	g := &r.grid
	tunable := tunableNames(axisKeys())
	var known []string
	for _, k := range axisKeys() {
		_, name := splitPath(k.path)
		if !slices.Contains(g.tune, name) || !slices.Contains(tunable, name) {
			continue
		}
		known = append(known, name)
		if k.axis.size(g) < 2 {
			r.failAt(r.given[tunePath(name)], "train.tune: %s has one value, so there is nothing to choose from; give %s a list, or remove it here",
				name, k.path)
		}
	}
	for _, name := range g.tune {
		if slices.Contains(known, name) {
			continue
		}
		hint := "; these can be tuned: " + strings.Join(tunable, ", ")
		if near, ok := Nearest(name, tunable); ok {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		r.failAt(r.given[tunePath(name)], "train.tune: %s is no axis of train or lora%s", name, hint)
	}
	g.tune = known
}

// isTuned reports whether a key's axis is tuned.
func (g Grid) isTuned(k key) bool {
	section, name := splitPath(k.path)
	return (section == "train" || section == "lora") && slices.Contains(g.tune, name)
}

// split returns how many values each axis contributes to cells and to a cell's candidates: one of the two is 1.
func (g Grid) split(axes []key) (cells, candidates []int) {
	for _, k := range axes {
		cell, candidate := k.axis.size(&g), 1
		if g.isTuned(k) {
			cell, candidate = candidate, cell
		}
		cells, candidates = append(cells, cell), append(candidates, candidate)
	}
	return cells, candidates
}

// candidates returns the combinations of the tuned axes at a cell, as indices into all axes, in grid order; without tuned
// axes it is the cell alone.
func (g Grid) candidates(axes []key, cell []int) [][]int {
	_, sizes := g.split(axes)
	all := combinations(sizes)
	for _, at := range all {
		for i := range at {
			at[i] += cell[i]
		}
	}
	return all
}

// candidateCells names the candidates of a cell by their tuned settings; nil where nothing is tuned.
func (g Grid) candidateCells(axes []key, candidates [][]int, specs []trial.Spec) []sweep.Cell {
	if len(g.tune) == 0 {
		return nil
	}
	cells := make([]sweep.Cell, len(candidates))
	for c, at := range candidates {
		for i, k := range axes {
			if g.isTuned(k) {
				_, name := splitPath(k.path)
				cells[c] = append(cells[c], sweep.Setting{Name: name, Value: k.axis.cell(&specs[c], &g, at[i]), Axis: true})
			}
		}
	}
	return cells
}
