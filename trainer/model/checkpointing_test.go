package model

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestCheckpointing: losses and gradients are those without checkpointing, whatever trains: in pure Go bit for bit, on XLA as near as
// float32 allows, for it fuses the blocks otherwise. XLA takes seconds to compile each, so it gets those with masks to draw again.
func TestCheckpointing(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			t.Run("go", func(t *testing.T) { k.checkCheckpointing(t, pureGo(t), 0) })
			if k.lora.Dropout > 0 {
				t.Run("xla:cpu", func(t *testing.T) { k.checkCheckpointing(t, xlaCPU(t), gradientTolerance) })
			}
		})
	}
}

// TestCheckpointingEveryBlock: so they are for every architecture's block.
func TestCheckpointingEveryBlock(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/architectures/*")
	must(t, err)
	for _, dir := range append(dirs, tinyModels()...) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			base, err := filepath.Rel("testdata", dir)
			must(t, err)
			linear := lora.Spec{Dropout: 0.2, TargetModules: lora.Targets{Pattern: lora.AllLinear}}
			kind{base: base, lora: linear}.checkCheckpointing(t, pureGo(t), 0)
		})
	}
}

func (k kind) checkCheckpointing(t *testing.T, be compute.Backend, tolerance float64) {
	t.Helper()
	dir := filepath.Join("testdata", k.base)
	c := readConfig(t, dir+"/config.json")
	base := readBase(t, dir, c)
	gradients := func(checkpointing bool) (map[string]weights.Array, float64) {
		o := k.options(t, c)
		o.Train.GradientCheckpointing = checkpointing
		grads, loss, err := newProgram(t, be, c, base, k.seeded(t, c, base, o), o).Gradients(countingBatch(2, 16, c.VocabSize))
		must(t, err)
		return grads, loss
	}
	want, lossWithout := gradients(false)
	got, loss := gradients(true)
	check(t, "loss", loss, lossWithout, tolerance*math.Abs(lossWithout))
	checkTensors(t, "gradients", got, want, tolerance)
}

// TestCheckpointingSavesMemory: XLA does not find out that a block is computed twice, so that what a step holds hardly grows with the
// number of blocks.
func TestCheckpointingSavesMemory(t *testing.T) {
	t.Parallel()
	working := func(checkpointing bool) int64 {
		c := gopherShape()
		targets, err := lora.MatchTargets(c.Modules(), lora.Targets{Pattern: lora.AllLinear})
		must(t, err)
		o := Options{
			LoRA:    lora.Spec{Rank: 4, Alpha: 4, Init: lora.InitKaiming, Dropout: 0.1},
			Train:   trial.TrainSpec{BatchSize: 4, GradientCheckpointing: checkpointing},
			Targets: targets, SequenceLength: 128,
		}
		p := newProgram(t, xlaCPU(t), c, c.InitWeights(1), initAdapter(t, c, nil, targets, o.LoRA, 1), o)
		e, err := p.gradientFor(4, 128)
		must(t, err)
		s, ok := e.stats()
		if !ok {
			t.Fatal("no analysis")
		}
		return s.temporary
	}
	if with, without := working(true), working(false); 2*with > without {
		t.Errorf("a step of four blocks holds %d bytes with checkpointing, %d without; want at most half", with, without)
	}
}
