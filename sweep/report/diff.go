package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// ErrIncomparable says that two sweeps have nothing whose losses can be subtracted.
var ErrIncomparable = errors.New("the sweeps do not compare")

// Diff is what sets two sweeps apart. Its JSON is the body of `sweep diff -o json`. Every difference is B − A.
type Diff struct {
	A          DiffSide      `json:"a"`
	B          DiffSide      `json:"b"`
	Settings   []DiffSetting `json:"settings"` // those that differ
	Confidence float64       `json:"confidence"`
	Ladders    []DiffLadder  `json:"ladders"` // in the order of A
}

// DiffSide is one of the two sweeps.
type DiffSide struct {
	Sweep          string         `json:"sweep"`
	Recommendation Recommendation `json:"recommendation"`
	Only           []DiffOnly     `json:"only"` // finished trials that the other sweep has none for
}

// DiffSetting is a setting with the values that each sweep has of it; a side that has none is empty.
type DiffSetting struct {
	Name string   `json:"name"`
	A    []string `json:"a"`
	B    []string `json:"b"`
}

// DiffOnly is a rank that only one of the sweeps finished with these seeds.
type DiffOnly struct {
	Ladder int     `json:"ladder"`
	Cell   Cell    `json:"cell"`
	Rank   int     `json:"rank"`
	Seeds  []int64 `json:"seeds"`
}

// DiffLadder is a cell that both sweeps have.
type DiffLadder struct {
	LadderA int        `json:"ladder_a"`
	LadderB int        `json:"ladder_b"`
	Cell    Cell       `json:"cell"` // of A
	Ranks   []DiffRank `json:"ranks"`
	// Incomparable says why nothing is subtracted; empty where it is.
	Incomparable string `json:"incomparable,omitempty"`

	minGain float64
}

// DiffRank compares a rank over the seeds that both sweeps finished.
type DiffRank struct {
	Rank       int              `json:"rank"`
	Seeds      []int64          `json:"seeds"`
	SameTrials int              `json:"same_trials"` // seeds whose trial both sweeps share: it was trained once
	ValLossA   float64          `json:"val_loss_a"`  // means over Seeds
	ValLossB   float64          `json:"val_loss_b"`
	Difference plateau.Interval `json:"difference"` // paired; no bounds below two seeds
	CostA      Cost             `json:"cost_a"`
	CostB      Cost             `json:"cost_b"`
	// Memory and time are nil where one of the two was not measured, or on another kind of memory.
	PeakBytes         *int64   `json:"peak_bytes_difference"`
	PeakMeasurable    bool     `json:"peak_bytes_measurable"` // the seeds of the two, at least two, do not overlap
	TrainSeconds      *float64 `json:"train_seconds_difference"`
	SecondsMeasurable bool     `json:"train_seconds_measurable"`
}

// NewDiff compares sweep b with sweep a. Ladders are paired by their cells: a setting that has one value in each sweep may differ, an axis
// may not. It fails with ErrIncomparable where no cell is in both, or none of those was scored on the same validation tokens.
func NewDiff(a, b sweep.Snapshot) (Diff, error) {
	ra, rb := Build(a), Build(b)
	d := Diff{
		A: DiffSide{ra.Sweep, ra.Recommendation, []DiffOnly{}}, B: DiffSide{rb.Sweep, rb.Recommendation, []DiffOnly{}},
		Confidence: ra.Rule.Confidence, Ladders: []DiffLadder{},
	}
	pairs, err := pairLadders(ra, rb)
	if err != nil {
		return d, err
	}
	for i, l := range ra.Ladders {
		j, paired := pairs[i]
		if !paired {
			d.A.Only = append(d.A.Only, onlyIn(l, Ladder{})...)
			continue
		}
		d.A.Only = append(d.A.Only, onlyIn(l, rb.Ladders[j])...)
		d.Ladders = append(d.Ladders, diffLadder(l, rb.Ladders[j], d.Confidence))
	}
	for j, l := range rb.Ladders {
		other := Ladder{}
		for i, of := range pairs {
			if of == j {
				other = ra.Ladders[i]
			}
		}
		d.B.Only = append(d.B.Only, onlyIn(l, other)...)
	}
	d.Settings = diffSettings(a, b, pairs)
	if !slices.ContainsFunc(d.Ladders, func(l DiffLadder) bool { return l.Incomparable == "" }) {
		return d, fmt.Errorf("%w: %s and %s: %s", ErrIncomparable, ra.Sweep, rb.Sweep, d.Ladders[0].Incomparable)
	}
	return d, nil
}

// pairLadders returns for ladders of a, by index, which of b has the same cell.
func pairLadders(a, b Report) (map[int]int, error) {
	for _, r := range []Report{a, b} {
		if len(r.Ladders) == 0 {
			return nil, fmt.Errorf("%w: sweep %s has no ladders yet: run it first", ErrIncomparable, r.Sweep)
		}
	}
	values, others := cellValues(a.Ladders), cellValues(b.Ladders)
	var names []string // that tell cells apart
	for _, side := range []map[string][]string{values, others} {
		for name, of := range side {
			if len(of) > 1 && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	key := func(l Ladder) string {
		var parts []string
		for _, name := range names {
			parts = append(parts, name+"="+l.Cell.value(name))
		}
		return strings.Join(parts, " ")
	}
	pairs := map[int]int{}
	for i, l := range a.Ladders {
		if j := slices.IndexFunc(b.Ladders, func(other Ladder) bool { return key(other) == key(l) }); j >= 0 {
			pairs[i] = j
		}
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("%w: no cell of %s is one of %s: the first are %s and %s", ErrIncomparable, a.Sweep, b.Sweep,
			key(a.Ladders[0]), key(b.Ladders[0]))
	}
	return pairs, nil
}

// cellValues are the values of each setting over all ladders.
func cellValues(ladders []Ladder) map[string][]string {
	values := map[string][]string{}
	for _, l := range ladders {
		for _, s := range l.Cell {
			if !slices.Contains(values[s.Name], s.Value) {
				values[s.Name] = append(values[s.Name], s.Value)
			}
		}
	}
	return values
}

// diffLadder compares the ranks that both ladders have finished with a common seed.
func diffLadder(a, b Ladder, confidence float64) DiffLadder {
	out := DiffLadder{LadderA: a.Number, LadderB: b.Number, Cell: a.Cell, Ranks: []DiffRank{}, minGain: a.Verdict.minGain()}
	if !a.data.ScoresAs(b.data) {
		out.Incomparable = incomparableData(a, b)
		return out
	}
	for _, from := range a.Rungs {
		i := slices.IndexFunc(b.Rungs, func(r Rung) bool { return r.Rank == from.Rank })
		if i < 0 {
			continue
		}
		if rank := diffRank(from, b.Rungs[i], confidence); len(rank.Seeds) > 0 {
			out.Ranks = append(out.Ranks, rank)
		}
	}
	return out
}

// incomparableData says why the losses of two ladders are not subtracted.
func incomparableData(a, b Ladder) string {
	text := fmt.Sprintf("ladders %d and %d were scored on other validation tokens (other data, another split, sequence length or "+
		"tokenizer), so their losses do not compare", a.Number, b.Number)
	if a.data.ValidationRows == "" || b.data.ValidationRows == "" {
		text += "; of one that an earlier version registered only the data as a whole are known, so that other training data count as other " +
			"validation tokens"
	}
	return text
}

func diffRank(a, b Rung, confidence float64) DiffRank {
	out := DiffRank{Rank: a.Rank, Seeds: []int64{}}
	a.Trials, b.Trials = shared(a, b), shared(b, a)
	for i, t := range a.Trials {
		n := float64(len(a.Trials))
		out.Seeds = append(out.Seeds, t.Seed)
		out.ValLossA, out.ValLossB = out.ValLossA+*t.ValLoss/n, out.ValLossB+*b.Trials[i].ValLoss/n
		if t.ID == b.Trials[i].ID {
			out.SameTrials++
		}
	}
	// Over the common seeds alone the difference of the means is that of the pairs.
	a.ValLoss, b.ValLoss = &plateau.Interval{Mean: out.ValLossA}, &plateau.Interval{Mean: out.ValLossB}
	out.Difference = pairedDifference(b, a, confidence)
	out.CostA, out.CostB = cost(a.Trials), cost(b.Trials)
	several := len(a.Trials) > 1 // one value of each always differs
	sameMemory := (out.CostA.PeakDeviceBytes == nil) == (out.CostB.PeakDeviceBytes == nil)
	if from, to := out.CostA.peak(), out.CostB.peak(); sameMemory && from != nil && to != nil {
		out.PeakBytes, out.PeakMeasurable = new(*to-*from), several && out.CostA.peaks().apart(out.CostB.peaks())
	}
	if from, to := out.CostA.TrainSeconds, out.CostB.TrainSeconds; from != nil && to != nil {
		out.TrainSeconds, out.SecondsMeasurable = new(*to-*from), several && out.CostA.seconds.apart(out.CostB.seconds)
	}
	return out
}

// shared returns the finished trials of a rung whose seeds another has finished too, by seed.
func shared(r, other Rung) []Trial {
	trials := slices.DeleteFunc(slices.Clone(r.Trials), func(t Trial) bool { return t.ValLoss == nil || loss(other, t.Seed) == nil })
	slices.SortFunc(trials, func(a, b Trial) int { return cmp.Compare(a.Seed, b.Seed) })
	return trials
}

// onlyIn lists what a ladder has finished and the other one of its cell has not.
func onlyIn(l, other Ladder) []DiffOnly {
	var out []DiffOnly
	for _, r := range l.Rungs {
		var twin Rung
		if i := slices.IndexFunc(other.Rungs, func(o Rung) bool { return o.Rank == r.Rank }); i >= 0 {
			twin = other.Rungs[i]
		}
		only := DiffOnly{Ladder: l.Number, Cell: l.Cell, Rank: r.Rank}
		for _, t := range r.Trials {
			if t.ValLoss != nil && loss(twin, t.Seed) == nil {
				only.Seeds = append(only.Seeds, t.Seed)
			}
		}
		if len(only.Seeds) > 0 {
			out = append(out, only)
		}
	}
	return out
}
