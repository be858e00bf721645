package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// ours measures the training step that `sweep run` uses.
func ours(ctx context.Context, spec string, stdout io.Writer) error {
	var s shape
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	choice, err := backend.Resolve(ctx, s.Backend)
	if err != nil {
		return err
	}
	p, trainable, err := program(ctx, s, choice)
	if err != nil {
		return err
	}
	defer p.Close()
	m := measurement{Trainable: trainable, What: describe(choice)}
	draw := rand.New(rand.NewPCG(1, 1))
	for step := range s.Warmup + s.Steps {
		b := batch(s, draw)
		start := time.Now()
		r, err := p.Step(step+1, []model.Batch{b}, 1e-4)
		if err != nil {
			return err
		}
		if step == 0 {
			m.FirstLoss = r.Loss
		}
		if step >= s.Warmup {
			m.StepSeconds = append(m.StepSeconds, time.Since(start).Seconds())
		}
	}
	if m.PeakBytes, err = backend.PeakHostBytes(); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(m)
}

// program opens the backend and compiles the step, then gives the host's copy of the weights back, as a trial does.
func program(ctx context.Context, s shape, choice backend.Choice) (*model.Program, int64, error) {
	be, err := backend.Open(choice.Platform, choice.PluginPath, 0)
	if err != nil {
		return nil, 0, err
	}
	config, err := model.ParseConfig(fmt.Appendf(nil,
		`{"model_type": "gpt2", "n_layer": %d, "n_embd": %d, "n_head": %d, "vocab_size": %d, "n_positions": %d}`,
		s.Layers, s.Width, s.Heads, s.Vocab, s.Positions))
	if err != nil {
		return nil, 0, err
	}
	targets, err := lora.MatchTargets(config.Modules(), lora.Targets{List: []string{"c_attn"}})
	if err != nil {
		return nil, 0, err
	}
	o := model.Options{
		LoRA:    lora.Spec{Rank: s.Rank, Alpha: 16, Init: "kaiming"},
		Train:   trial.TrainSpec{BatchSize: s.Batch, WeightDecay: 0.01, MaxGradNorm: 1, Dtype: trial.DtypeFloat32},
		Targets: targets, SequenceLength: s.Length, Seed: 1,
	}
	var trainable int64
	for _, t := range targets {
		trainable += int64(s.Rank * (t.In + t.Out))
	}
	base := config.InitWeights(1)
	adapter, err := model.InitAdapter(config, base, targets, o.LoRA, 1)
	if err != nil {
		return nil, 0, err
	}
	p, err := model.New(be, config, base, adapter, o)
	if err != nil {
		return nil, 0, err
	}
	debug.FreeOSMemory()
	return p, trainable, p.Compile(ctx)
}

func batch(s shape, draw *rand.Rand) model.Batch {
	ids := make([]int32, s.Batch*s.Length)
	for i := range ids {
		ids[i] = draw.Int32N(int32(s.Vocab))
	}
	return model.Batch{B: s.Batch, T: s.Length, IDs: ids, Labels: ids}
}

func describe(c backend.Choice) string {
	if c.PluginVersion == "" {
		return c.Platform
	}
	return c.Platform + ", " + c.PluginVersion
}
