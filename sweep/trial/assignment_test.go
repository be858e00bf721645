package trial_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestKind(t *testing.T) {
	t.Parallel()
	base := trial.Assignment{Attempt: "aa/1", Platform: "go", Trial: trial.Trial{ID: "aa", Spec: trial.Spec{
		LoRA:  lora.Spec{Rank: 2, Alpha: 16, Dropout: 0.1, Init: lora.InitKaiming, LoRAPlusLRRatio: 4},
		Train: trial.TrainSpec{Steps: 10, BatchSize: 8, LearningRate: 1e-3},
	}}}
	for what, change := range map[string]func(*trial.Assignment){
		"attempt":       func(a *trial.Assignment) { a.Attempt, a.Trial.ID = "bb/2", "bb" },
		"rank":          func(a *trial.Assignment) { a.Trial.Spec.LoRA.Rank = 8 },
		"scaling":       func(a *trial.Assignment) { a.Trial.Spec.LoRA.Alpha, a.Trial.Spec.LoRA.UseRSLoRA = 3, true },
		"dropout":       func(a *trial.Assignment) { a.Trial.Spec.LoRA.Dropout = 0.5 },
		"init":          func(a *trial.Assignment) { a.Trial.Spec.LoRA.Init = lora.InitGaussian },
		"learning rate": func(a *trial.Assignment) { a.Trial.Spec.Train.LearningRate, a.Trial.Spec.LoRA.LoRAPlusLRRatio = 2, 8 },
		"seed":          func(a *trial.Assignment) { a.Trial.Spec.Seed = 1 },
		"limits":        func(a *trial.Assignment) { a.MemoryLimit, a.Checkpoints = 1, []string{"x"} },
	} {
		a := base
		if change(&a); a.Kind() != base.Kind() {
			t.Errorf("another %s is another kind", what)
		}
	}
	for what, change := range map[string]func(*trial.Assignment){
		"bucket":     func(a *trial.Assignment) { a.Trial.Spec.LoRA.Rank = 9 },
		"no dropout": func(a *trial.Assignment) { a.Trial.Spec.LoRA.Dropout = 0 },
		"PiSSA":      func(a *trial.Assignment) { a.Trial.Spec.LoRA.Init = lora.InitPiSSA },
		"no LoRA+":   func(a *trial.Assignment) { a.Trial.Spec.LoRA.LoRAPlusLRRatio = 0 },
		"DoRA":       func(a *trial.Assignment) { a.Trial.Spec.LoRA.UseDoRA = true },
		"targets":    func(a *trial.Assignment) { a.Trial.Spec.LoRA.TargetModules.List = []string{"c_attn"} },
		"a pattern":  func(a *trial.Assignment) { a.Trial.Spec.LoRA.TargetModules.Pattern = "[c_attn]" },
		"patterns":   func(a *trial.Assignment) { a.Trial.Spec.LoRA.RankPattern = lora.Patterns{{Key: "x", Value: 2}} },
		"bias":       func(a *trial.Assignment) { a.Trial.Spec.LoRA.Bias = lora.BiasAll },
		"batch size": func(a *trial.Assignment) { a.Trial.Spec.Train.BatchSize = 4 },
		"dtype":      func(a *trial.Assignment) { a.Trial.Spec.Train.Dtype = trial.DtypeBFloat16 },
		"compute":    func(a *trial.Assignment) { a.Trial.Spec.Train.ComputeDtype = trial.DtypeBFloat16 },
		"length":     func(a *trial.Assignment) { a.Trial.Spec.Data.SequenceLength = 4 },
		"model":      func(a *trial.Assignment) { a.Model.Reference = "m" },
		"base":       func(a *trial.Assignment) { a.Trial.Base = "m" },
		"corpus":     func(a *trial.Assignment) { a.Corpus.Path = "c" },
		"data":       func(a *trial.Assignment) { a.Trial.Data = "c" },
		"platform":   func(a *trial.Assignment) { a.Platform = "xla:cpu" },
		"plug-in":    func(a *trial.Assignment) { a.PluginPath = "p" },
		"device":     func(a *trial.Assignment) { a.Device = 1 },
		"cores":      func(a *trial.Assignment) { a.Cores = []int{1} },
	} {
		a := base
		if change(&a); a.Kind() == base.Kind() {
			t.Errorf("%s: the kind is the same", what)
		}
	}
}
