package sweeptest

import (
	"strconv"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Steps and EvalSteps are those of every trial made here.
const (
	Steps     = 4
	EvalSteps = 2
)

// Backend is the backend of every trial made here.
const Backend = "xla:cpu sha256:0123"

// Trial returns a small trial. Equal arguments give the same trial.
func Trial(alpha float64, rank int, seed int64) trial.Trial {
	return TrialAt(learningRate, alpha, rank, seed)
}

// learningRate is that of every trial which is not tuned.
const learningRate = 3e-3

// TrialAt is Trial at another learning rate.
func TrialAt(rate, alpha float64, rank int, seed int64) trial.Trial {
	return trial.New(trial.Spec{
		Model: "builtin:gopher",
		Data:  trial.DataSpec{Train: []string{"builtin:go-doc"}, ValidationSplit: 0.1, SequenceLength: 64, Shuffle: true},
		LoRA: lora.Spec{
			Rank: rank, Alpha: alpha, TargetModules: lora.Targets{List: []string{"c_attn"}}, Init: "kaiming",
		},
		Train: trial.TrainSpec{
			Steps: Steps, BatchSize: 8, GradientAccumulationSteps: 1, LearningRate: rate, LRSchedulerType: "linear",
			MaxGradNorm: 1, EvalSteps: EvalSteps, Dtype: "float32",
		},
		Seed: seed,
	}, "base", "data", Backend)
}

// Reference is full fine-tuning beside those trials: one candidate per learning rate.
func Reference(rates []float64, seeds []int64) []sweep.PlannedTrial {
	var planned []sweep.PlannedTrial
	for c, rate := range rates {
		for _, seed := range seeds {
			spec := TrialAt(rate, 16, 1, seed).Spec
			spec.LoRA = spec.LoRA.Whole()
			planned = append(planned, sweep.PlannedTrial{Candidate: c, Trial: trial.New(spec, "base", "data", Backend).Brief()})
		}
	}
	return planned
}

// Info is a sweep with the default rule, as a command creates it.
func Info(name string, seeds ...int64) sweep.Info {
	return sweep.Info{
		Name: name, GridText: "name: " + name + "\n", GridHash: "hash of " + name, GridPath: "/grids/" + name + ".yaml",
		Strategy: sweep.StrategyLadder, Rule: plateau.DefaultRule(), Seeds: seeds, Created: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
}

// Registration has one ladder per alpha, each with these ranks and seeds.
func Registration(alphas []float64, ranks []int, seeds []int64) sweep.Registration {
	return TunedRegistration(nil, alphas, ranks, seeds)
}

// TunedRegistration is Registration with one candidate per learning rate; without any, nothing is tuned.
func TunedRegistration(rates, alphas []float64, ranks []int, seeds []int64) sweep.Registration {
	r := sweep.Registration{Backend: Backend, Platform: "xla:cpu", PluginPath: "/lib/plugin.so", NoiseSource: plateau.NoiseDefault}
	var candidates []sweep.Cell
	for _, rate := range rates {
		candidates = append(candidates, sweep.Cell{{Name: "learning_rate", Value: decimal(rate), Axis: true}})
	}
	if len(rates) == 0 {
		rates = []float64{learningRate}
	}
	for _, alpha := range alphas {
		plan := sweep.LadderPlan{
			Cell: sweep.Cell{{Name: "alpha", Value: decimal(alpha), Axis: len(alphas) > 1}},
			Model: trial.ModelInfo{
				Reference: "builtin:gopher", Fingerprint: "base", Architecture: "gpt2", Params: 1 << 20, VocabSize: 2048, MaxPositions: 128,
				Modules: []lora.Module{{Name: "transformer.h.0.attn.c_attn", In: 128, Out: 384}},
			},
			Corpus:     trial.CorpusInfo{Fingerprint: "data", Path: "/cache/data", TrainSequences: 100, ValidationSequences: 10},
			Candidates: candidates,
		}
		var families []trial.Family
		for _, rate := range rates {
			families = append(families, TrialAt(rate, alpha, 1, 0).Brief().Shared.Family())
		}
		for _, rank := range ranks {
			rung := sweep.RungPlan{Rank: rank}
			for c := range rates {
				for _, seed := range seeds {
					rung.Trials = append(rung.Trials, sweep.PlannedTrial{Candidate: c, Trial: families[c].With(rank, alpha, seed)})
				}
			}
			plan.Rungs = append(plan.Rungs, rung)
		}
		r.Ladders = append(r.Ladders, plan)
	}
	return r
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
