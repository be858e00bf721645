package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ours measures the step and the evaluation that `sweep run` uses.
func ours(ctx context.Context, path, dtype, platform string, stdout io.Writer) error {
	j, err := readJob(path)
	if err != nil {
		return err
	}
	choice, err := backend.Resolve(ctx, platform)
	if err != nil {
		return err
	}
	p, err := program(j, dtype, choice)
	if err != nil {
		return err
	}
	defer p.Close()
	began := time.Now()
	if err := p.Compile(ctx); err != nil {
		return err
	}
	m := measurement{What: describe(choice), CompileSeconds: time.Since(began).Seconds()}
	backend.ReleaseMemory() // as a trial does
	if err := j.train(p, &m); err != nil {
		return err
	}
	if m.PeakBytes, err = backend.PeakHostBytes(); err != nil {
		return err
	}
	if err := j.evaluate(p, &m); err != nil {
		return err
	}
	if m.EvalPeakBytes, err = backend.PeakHostBytes(); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(m)
}

// program puts base and adapter on the backend, then gives the host's copy of the weights back, as a trial does.
func program(j job, dtype string, choice backend.Choice) (*model.Program, error) {
	be, err := backend.Open(choice.Platform, choice.PluginPath, 0)
	if err != nil {
		return nil, err
	}
	files := os.DirFS(j.Model)
	text, err := weights.ReadText(files, weights.ConfigFile)
	if err != nil {
		return nil, err
	}
	config, err := model.ParseConfig(text)
	if err != nil {
		return nil, err
	}
	base, err := weights.ReadModelTo(files, config.Weights(), func(string, int64) io.Writer { return nil })
	if err != nil {
		return nil, err
	}
	spec := j.Adapter.Spec()
	targets, err := spec.Match(config.Modules())
	if err != nil {
		return nil, err
	}
	adapter, err := model.InitAdapter(config, base, targets, spec, 1)
	if err != nil {
		return nil, err
	}
	p, err := model.New(be, config, base, adapter, model.Options{
		LoRA: spec, Train: trial.TrainSpec{BatchSize: j.Batch, WeightDecay: 0.01, MaxGradNorm: 1, Dtype: dtype},
		Targets: targets, SequenceLength: len(j.Rows[0]), Seed: 1,
	})
	clear(base)
	backend.ReleaseMemory()
	return p, err
}

func (j job) train(p *model.Program, m *measurement) error {
	for step := range j.Warmup + j.Steps {
		b := batch(j.Rows[step*j.Batch : (step+1)*j.Batch])
		began := time.Now()
		r, err := p.Step(step+1, []model.Batch{b}, 1e-4)
		if err != nil {
			return err
		}
		if step == 0 {
			m.FirstLoss = r.Loss
		}
		if step >= j.Warmup {
			m.StepSeconds = append(m.StepSeconds, time.Since(began).Seconds())
		}
	}
	return nil
}

func (j job) evaluate(p *model.Program, m *measurement) error {
	size := p.EvaluationBatch(len(j.HeldOut), len(j.HeldOut[0]))
	for i := range 1 + j.Evaluations {
		began := time.Now()
		sum, tokens := 0.0, int64(0)
		for rows := range slices.Chunk(j.HeldOut, size) {
			s, err := p.Score(batch(rows))
			if err != nil {
				return err
			}
			sum, tokens = sum+s.LossSum, tokens+s.Tokens
		}
		m.EvalLoss = sum / float64(tokens)
		if i > 0 {
			m.EvalSeconds = append(m.EvalSeconds, time.Since(began).Seconds())
		}
	}
	return nil
}

func batch(rows [][]int32) model.Batch {
	ids := slices.Concat(rows...)
	return model.Batch{B: len(rows), T: len(rows[0]), IDs: ids, Labels: ids}
}

func describe(c backend.Choice) string {
	if c.PluginVersion == "" {
		return c.Platform
	}
	return c.Platform + ", " + c.PluginVersion
}
