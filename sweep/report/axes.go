package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// Axis is what the values of one axis recommend, side by side.
type Axis struct {
	Name    string      `json:"name"`
	Values  []AxisValue `json:"values"`  // in grid order
	Reading string      `json:"reading"` // how the recommended rank moves with the axis; empty where that cannot be told
	// Edge is smallest or largest where the best cell's value is the last of the list on that side, so that one beyond may
	// be better still; empty elsewhere.
	Edge sweep.EdgeSide `json:"edge"`
}

// AxisValue is one value of an axis: what the best of its ladders recommends, and which ranks all of them do.
type AxisValue struct {
	Value            json.RawMessage `json:"value"`
	Ladder           int             `json:"ladder"` // of the lowest loss with this value; 0 while none has one
	Cell             Cell            `json:"cell"`
	State            plateau.State   `json:"state"`
	RecommendedRank  *int            `json:"recommended_rank"`
	RecommendedRanks []int           `json:"recommended_ranks"` // of all ladders with this value but outraced ones, ascending
	ValLoss          *float64        `json:"val_loss"`
	Params           int64           `json:"params"`      // trainable, at the recommended rank
	BaseParams       int64           `json:"base_params"` // of the base model

	text string
	mark string // of a loss over fewer seeds than the grid's
}

// axes compares the ladders along every axis that has several values.
func axes(ladders []Ladder, best Recommendation) []Axis {
	out := []Axis{}
	if len(ladders) < 2 {
		return out
	}
	for _, s := range ladders[0].Cell {
		if !s.Axis {
			continue
		}
		a := Axis{Name: s.Name, Values: axisValues(ladders, s.Name), Reading: reading(ladders, s.Name)}
		if best.Rank != nil && s.Name != fractionAxis { // more data are no risk to take: the axis shows what they bring
			a.Edge = edge(a, best.Cell.value(s.Name))
		}
		out = append(out, a)
	}
	return out
}

// fractionAxis is how a cell names data.fraction.
const fractionAxis = "fraction"

// unseen warns of fractions of the data that no trial has seen all of: what lies beyond cannot have made a difference.
func unseen(ladders []Ladder) []string {
	var fractions []string
	for _, l := range ladders {
		value := l.Cell.value(fractionAxis)
		if e := l.Conditions.Epochs; value != "" && e > 0 && e < 1 && !slices.Contains(fractions, value) {
			fractions = append(fractions, value)
		}
	}
	if len(fractions) < 2 {
		return nil
	}
	return []string{fmt.Sprintf("data.fraction %s: no trial sees all rows of either even once, so this axis cannot show whether more data "+
		"help: train longer (train.num_train_epochs: 1 at least), or take smaller fractions", prose.List(fractions))}
}

func axisValues(ladders []Ladder, axis string) []AxisValue {
	var values []AxisValue
	index := map[string]int{} // of a value's text
	for _, l := range ladders {
		text := l.Cell.value(axis)
		i, known := index[text]
		if !known {
			body, err := cellValue(text)
			if err != nil {
				panic(fmt.Sprintf("a cell's value is no JSON: %v", err)) // it is text
			}
			i = len(values)
			index[text] = i
			values = append(values, AxisValue{
				text: text, Value: body, Cell: Cell{}, State: l.Verdict.State, RecommendedRanks: []int{}, BaseParams: l.baseParams,
			})
		}
		values[i].add(l)
	}
	return values
}

// add takes a ladder of the value into account.
func (v *AxisValue) add(l Ladder) {
	r := recommended(l)
	if r < 0 {
		return
	}
	rung := l.Rungs[r]
	if !l.outraced() && !slices.Contains(v.RecommendedRanks, rung.Rank) {
		v.RecommendedRanks = append(v.RecommendedRanks, rung.Rank)
		slices.Sort(v.RecommendedRanks)
	}
	if v.ValLoss == nil || rung.ValLoss.Mean < *v.ValLoss {
		v.Ladder, v.Cell, v.State, v.BaseParams = l.Number, l.Cell, l.Verdict.State, l.baseParams
		v.RecommendedRank, v.ValLoss, v.Params = &rung.Rank, &rung.ValLoss.Mean, rung.Cost.TrainableParams
		v.mark = rung.mark()
	}
}

// reading says how the recommended rank moves with the size of an axis's values, the other axes being equal. It is empty
// while a ladder is not finished, for values that have no size, and where the race left nothing to compare.
func reading(ladders []Ladder, axis string) string {
	ladders = slices.DeleteFunc(slices.Clone(ladders), Ladder.outraced)
	type point struct {
		size float64
		rank int
	}
	groups := map[string][]point{}
	for _, l := range ladders {
		r := recommended(l)
		size, ok := l.sizeOf(axis)
		if r < 0 || !ok || l.Verdict.State == plateau.StateRunning {
			return ""
		}
		groups[l.Cell.without(axis)] = append(groups[l.Cell.without(axis)], point{size, l.Rungs[r].Rank})
	}
	rises, falls, pairs := 0, 0, 0
	for _, points := range groups {
		slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.size, b.size) })
		for i := range points[1:] {
			if points[i].size == points[i+1].size {
				return ""
			}
			pairs++
			rises += max(0, cmp.Compare(points[i+1].rank, points[i].rank))
			falls += max(0, cmp.Compare(points[i].rank, points[i+1].rank))
		}
	}
	what, unsure := axisWord(axis), unsettled(ladders)
	switch {
	case pairs == 0:
		return ""
	case rises > 0 && falls > 0:
		return fmt.Sprintf("the recommended rank moves both ways with %s%s", what, unsure)
	case rises > 0:
		return fmt.Sprintf("%s: the larger, the higher the recommended rank%s", what, unsure)
	case falls > 0:
		return fmt.Sprintf("%s: the larger, the lower the recommended rank%s", what, unsure)
	}
	return fmt.Sprintf("the recommended rank does not depend on %s here%s", what, unsure)
}

// unsettled says how many of the ladders recommend a rank without having shown a plateau there; empty where none does.
func unsettled(ladders []Ladder) string {
	n := 0
	for _, l := range ladders {
		switch l.Verdict.State {
		case plateau.StatePlateau, plateau.StateLikelyPlateau, plateau.StateOverfit:
		default:
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d ladders show no plateau yet, so this may change)", n, len(ladders))
}

// axisWord says what of an axis's values is compared.
func axisWord(axis string) string {
	switch axis {
	case "model":
		return "the size of the base model"
	case "target_modules":
		return "the number of weights that a rank adds"
	}
	return axis
}

// sizeOf is what orders an axis's values: a number by itself, a model by its parameters, targets by the weights that one
// rank adds.
func (l Ladder) sizeOf(axis string) (float64, bool) {
	switch axis {
	case "model":
		return float64(l.baseParams), l.baseParams > 0
	case "target_modules":
		for _, r := range l.Rungs {
			if r.Cost.TrainableParams > 0 {
				return float64(r.Cost.TrainableParams) / float64(r.Rank), true
			}
		}
		return 0, false
	}
	v, err := strconv.ParseFloat(l.Cell.value(axis), 64)
	return v, err == nil
}

// without writes the axes of a cell but one.
func (c Cell) without(axis string) string {
	return sweep.Cell(slices.DeleteFunc(slices.Clone(c), func(s sweep.Setting) bool { return !s.Axis || s.Name == axis })).String()
}

// edge says on which side of an axis's values the best one is the last.
func edge(a Axis, best string) sweep.EdgeSide {
	values := make([]string, len(a.Values))
	for i, v := range a.Values {
		values[i] = v.text
	}
	return sweep.EdgeOf(values, best)
}

// axes prints a table of recommendations for each axis.
func (t *text) axes(r Report) {
	for _, a := range r.Axes {
		t.print("")
		t.heading("By " + a.Name)
		t.tabulate("", r.AxisTable(a), a.Name, "verdict")
		if a.Reading != "" {
			t.para("  ", "%s.", a.Reading)
		}
	}
}

// minGain is the recommended ladder's, for decimals; 0 while there is none.
func (r Report) minGain() float64 {
	if r.Recommendation.Ladder == 0 {
		return 0
	}
	return r.Ladders[r.Recommendation.Ladder-1].Verdict.minGain()
}

func axisTable(a Axis, several bool, decimals int) Table {
	header := []string{a.Name, "rank", "val_loss", "params", "verdict", "ladder"}
	if several {
		header = append(header, "ranks of all its ladders")
	}
	var rows [][]string
	for _, v := range a.Values {
		row := []string{
			v.text, optional(v.RecommendedRank, strconv.Itoa), optional(v.ValLoss, func(y float64) string { return fixed(y, decimals) + v.mark }),
			optional(nonZero(v.Params), count), string(v.State), optional(nonZero(v.Ladder), strconv.Itoa),
		}
		if several {
			row = append(row, orNone(prose.List(v.RecommendedRanks)))
		}
		rows = append(rows, row)
	}
	return Table{header, rows}
}

// edges says of each axis whose best value ends its list that one beyond it may be better.
func (r Report) edges() []string {
	var all []string
	for _, a := range r.Axes {
		if a.Edge != "" {
			direction := map[sweep.EdgeSide]string{sweep.EdgeLargest: "larger", sweep.EdgeSmallest: "smaller"}[a.Edge]
			all = append(all, fmt.Sprintf("Its %s, %s, is the %s of the grid's: a %s one may do better.", a.Name,
				r.Recommendation.Cell.value(a.Name), a.Edge, direction))
		}
	}
	return all
}
