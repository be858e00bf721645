package grid

import (
	"slices"
	"strconv"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Bounds on what a grid multiplies to, so that a short file cannot ask for a database that fills the disk.
const (
	maxLadders = 10_000
	maxTrials  = 300_000
)

// cells returns the number of combinations of the axes that are not tuned, or maxLadders+1 where there are more.
func (g Grid) cells() int {
	cells, _ := g.split(axisKeys())
	return product(cells)
}

// tunings returns the number of combinations of the tuned axes, or maxLadders+1 where there are more.
func (g Grid) tunings() int {
	_, candidates := g.split(axisKeys())
	return product(candidates)
}

func product(sizes []int) int {
	n := 1
	for _, size := range sizes {
		n *= size
		if n > maxLadders {
			return maxLadders + 1
		}
	}
	return n
}

func axisKeys() []key {
	return slices.DeleteFunc(gridKeys(), func(k key) bool { return k.axis == nil })
}

// combinations returns the index into each axis for every cell, the last axis fastest.
func combinations(sizes []int) [][]int {
	all := [][]int{{}}
	for _, size := range sizes {
		next := make([][]int, 0, len(all)*size)
		for _, head := range all {
			for i := range size {
				next = append(next, append(slices.Clone(head), i))
			}
		}
		all = next
	}
	return all
}

// spec returns the spec of a cell at one rank, without a seed. Where it asks for epochs, it has no steps before the data is read.
func (r Resolved) spec(axes []key, at []int, rank int) trial.Spec {
	s := trial.Spec{Data: r.data}
	s.LoRA.Rank, s.LoRA.InitAdapter = rank, r.adapter
	s.LoRA.RankPattern, s.LoRA.AlphaPattern = r.rankOf, r.alphaOf
	s.LoRA.LoRAPlusLRRatio, s.LoRA.LoRAPlusLREmbedding = r.plusRatio, r.plusEmbed
	if r.plusRatio > 0 && r.plusEmbed == 0 {
		s.LoRA.LoRAPlusLREmbedding = loraPlusEmbedding
	}
	s.Train.GradientCheckpointing = r.checkpoints
	for i, k := range axes {
		k.axis.set(&s, &r.Grid, at[i])
	}
	if s.Train.Quantises() && r.compute != trial.DtypeFloat32 {
		s.Train.ComputeDtype = r.compute
	}
	s.Model = r.models[s.Model]
	if s.Train.Epochs == 0 {
		s.Train = s.Train.OnRows(0)
	}
	return s
}

// cell names a combination: the axes that have several values first, then the other settings, both in the order of gridKeys, and at
// the end those that all cells share. Tuned axes are no part of it.
func (g Grid) cell(axes []key, at []int, s trial.Spec, shared sweep.Cell) sweep.Cell {
	var varying, fixed sweep.Cell
	for i, k := range axes {
		if g.isTuned(k) {
			continue
		}
		_, name := splitPath(k.path)
		setting := sweep.Setting{Name: name, Value: k.axis.cell(&s, &g, at[i]), Axis: k.axis.size(&g) > 1}
		switch {
		case setting.Axis:
			varying = append(varying, setting)
		case setting.Value != "":
			fixed = append(fixed, setting)
		}
	}
	return slices.Concat(varying, fixed, shared)
}

// sharedSettings are those of every cell that are no axes.
func (g Grid) sharedSettings() sweep.Cell {
	var shared sweep.Cell
	if g.initAdapter != "" {
		shared = append(shared, sweep.Setting{Name: "init_adapter", Value: g.initAdapter})
	}
	standard := defaultGrid(g.file)
	for _, path := range []string{
		"lora.rank_pattern", "lora.alpha_pattern", "lora.loraplus_lr_ratio", "lora.loraplus_lr_embedding", "train.gradient_checkpointing",
		"train.compute_dtype",
	} {
		if k, ok := findKey(path); ok && k.text(&g) != k.text(&standard) {
			_, name := splitPath(path)
			shared = append(shared, sweep.Setting{Name: name, Value: k.text(&g)})
		}
	}
	return append(shared, sweep.Setting{Name: "sequence_length", Value: strconv.Itoa(g.data.SequenceLength)})
}
