package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// runKey is what makes a run within its ladder.
type runKey struct {
	rank int
	seed int64
}

func (r lossRow) key() runKey { return runKey{r.rank, r.seed} }

// ladders sorts the rows into ladders: one for each setting of the columns that tell runs of one rank and seed apart.
func (t *lossTable) ladders() []lossLadder {
	t.dropEmpty()
	settings := t.settings()
	var labels []string
	groups := map[string][]lossRow{}
	for _, r := range t.rows {
		var values []string
		for _, c := range settings {
			values = append(values, r.fields[c])
		}
		label := strings.Join(values, "\x00")
		if groups[label] == nil {
			labels = append(labels, label)
		}
		groups[label] = append(groups[label], r)
	}
	ladders := make([]lossLadder, len(labels))
	for i, label := range labels {
		rows := groups[label]
		for _, c := range settings {
			ladders[i].settings = append(ladders[i].settings, lossSetting{bare(t.header[c]), rows[0].fields[c]})
		}
		ladders[i].rungs = rungsOf(t.oneEach(rows))
	}
	return ladders
}

// dropEmpty drops rows without a value where another step of the run has one, as in a history of training steps and evaluations.
func (t *lossTable) dropEmpty() {
	evaluated := map[runKey]bool{}
	for _, r := range t.rows {
		evaluated[r.key()] = evaluated[r.key()] || !r.empty
	}
	kept := t.rows[:0]
	for _, r := range t.rows {
		if !r.empty {
			kept = append(kept, r)
		} else if t.columns.step < 0 || !evaluated[r.key()] {
			t.fail(r.line, "%s is empty: fill it in, or leave the run out", t.value())
		}
	}
	t.rows = kept
}

// settings returns the columns that tell rows of one rank, seed and step apart, and whose every value stands at several ranks: the name
// of a run or a measured number does not.
func (t *lossTable) settings() []int {
	type place struct {
		runKey
		step float64
	}
	first, differs := map[place]lossRow{}, make([]bool, len(t.header))
	for _, r := range t.rows {
		at := place{r.key(), r.step}
		other, seen := first[at]
		if !seen {
			first[at] = r
			continue
		}
		for c := range differs {
			differs[c] = differs[c] || other.fields[c] != r.fields[c]
		}
	}
	var columns []int
	for c := range differs {
		own := c == t.columns.value || c == t.columns.train
		if differs[c] && !own && t.several(c, func(r lossRow) float64 { return float64(r.rank) }) &&
			(t.columns.step < 0 || t.several(c, func(r lossRow) float64 { return r.step })) {
			columns = append(columns, c)
		}
	}
	return columns
}

// several reports whether rows with every value of a column differ in what of tells of them, unless all rows have that in common.
func (t *lossTable) several(column int, of func(lossRow) float64) bool {
	first, apart := map[string]float64{}, map[string]bool{}
	all := true
	for _, r := range t.rows {
		v := r.fields[column]
		x, seen := first[v]
		if !seen {
			first[v], x = of(r), of(r)
		}
		apart[v] = apart[v] || x != of(r)
		all = all && of(r) == of(t.rows[0])
	}
	for _, found := range apart {
		if !found {
			return all
		}
	}
	return true
}

// oneEach returns one row for each rank and seed: where a run has several steps its last one, or the best.
func (t *lossTable) oneEach(rows []lossRow) []lossRow {
	var kept []lossRow
	at := map[runKey]int{}
	for _, r := range rows {
		i, seen := at[r.key()]
		if !seen {
			at[r.key()] = len(kept)
			kept = append(kept, r)
			continue
		}
		if !t.oneRun(kept[i], r) {
			t.twice(kept[i], r)
			continue
		}
		t.steps = true
		if t.counts(r, kept[i]) {
			kept[i] = r
		}
	}
	return kept
}

// oneRun reports whether two rows of one rank and seed are steps of a run.
func (t *lossTable) oneRun(a, b lossRow) bool {
	return t.columns.step >= 0 && a.step != b.step && (t.columns.run < 0 || a.fields[t.columns.run] == b.fields[t.columns.run])
}

// counts reports whether of two steps of a run r counts and not other.
func (t *lossTable) counts(r, other lossRow) bool {
	switch {
	case t.want.take != "best":
		return r.step > other.step
	case t.want.direction == "max":
		return r.loss > other.loss
	}
	return r.loss < other.loss
}

func (t *lossTable) twice(first, second lossRow) {
	if t.columns.seed < 0 {
		t.fail(second.line, "rank %d stands in line %d already; runs of several seeds need a column seed", second.rank, first.line)
		return
	}
	t.fail(second.line, "rank %d, seed %d stands in line %d already", second.rank, second.seed, first.line)
}

// rungsOf groups the rows of a ladder by rank. A rung is complete when it has every seed that the ladder has. Training losses count where
// every row has one.
func rungsOf(rows []lossRow) []plateau.Losses {
	slices.SortStableFunc(rows, func(a, b lossRow) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.seed, b.seed)) })
	trained := !slices.ContainsFunc(rows, func(r lossRow) bool { return r.alone })
	seeds := map[int64]bool{}
	var rungs []plateau.Losses
	for _, r := range rows {
		seeds[r.seed] = true
		if len(rungs) == 0 || rungs[len(rungs)-1].Rank != r.rank {
			rungs = append(rungs, plateau.Losses{Rank: r.rank})
		}
		l := &rungs[len(rungs)-1]
		l.Seeds, l.ValLoss = append(l.Seeds, r.seed), append(l.ValLoss, r.loss)
		if trained {
			l.Train = append(l.Train, r.train)
		}
	}
	for i := range rungs {
		rungs[i].Complete = len(rungs[i].Seeds) == len(seeds)
	}
	return rungs
}

// label names a ladder by its settings: lr 1e-4, batch_size 8.
func (l lossLadder) label() string {
	var parts []string
	for _, s := range l.settings {
		parts = append(parts, s.column+" "+s.value)
	}
	return strings.Join(parts, ", ")
}

// notes say how the table was read where that is not plain.
func (t *lossTable) notes() []string {
	var notes []string
	if name := t.value(); name != "val_loss" {
		notes = append(notes, "the values are "+name+": "+map[string]string{"min": "lower", "max": "higher"}[t.want.direction]+" is better")
	}
	if t.first["a % sign"] > 0 {
		notes = append(notes, "percentages are read as shares, 71.2% as 0.712: "+
			"--min-gain 0.002 and --noise-sd 0.002 are 0.2 of a percentage point")
	}
	if t.steps && t.want.take == "best" {
		notes = append(notes, "a run counts with its best value")
	} else if t.steps {
		notes = append(notes, "a run counts with the value of its last step; --take best takes its best")
	}
	partial := func(r lossRow) bool { return r.alone }
	if t.columns.train >= 0 && slices.ContainsFunc(t.rows, partial) {
		notes = append(notes, bare(t.header[t.columns.train])+" has gaps and is left out")
	}
	return notes
}
