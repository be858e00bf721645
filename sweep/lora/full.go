package lora

import (
	"errors"
	"fmt"
	"slices"
)

// Whole returns the spec of training the same targets themselves, with what trains beside them. Whatever belongs to an adapter (rank,
// scaling, dropout on its input, start) is left out, so ladders that differ in it share their reference.
func (l Spec) Whole() Spec {
	return Spec{
		Full: true, TargetModules: l.TargetModules, ExcludeModules: l.ExcludeModules, LayersToTransform: l.LayersToTransform,
		LayersPattern: l.LayersPattern, Bias: l.Bias, ModulesToSave: l.ModulesToSave,
	}
}

// RankName is what the spec's trials are called among the ranks of a ladder.
func (l Spec) RankName() string {
	if l.Full {
		return "full fine-tuning"
	}
	return fmt.Sprintf("rank %d", l.Rank)
}

// checkFull refuses settings of an adapter in a spec that has none.
func (l Spec) checkFull() error {
	adapter := l.Rank != 0 || l.Alpha != 0 || l.Dropout != 0 || l.UseRSLoRA || l.UseDoRA || l.Init != "" || l.InitAdapter != "" ||
		len(l.RankPattern) > 0 || len(l.AlphaPattern) > 0 || l.LoRAPlusLRRatio != 0 || l.LoRAPlusLREmbedding != 0
	if l.Full && adapter {
		return errors.New("full fine-tuning trains the weights themselves: rank, alpha, dropout, DoRA, init, init_adapter, patterns and " +
			"LoRA+ belong to an adapter; leave them out")
	}
	return nil
}

// weights lists the targets' own weights, which train in full. Where the output head is the token embedding, training one of the
// two as PEFT does would part them, while full fine-tuning keeps them one.
func (l Spec) weights(targets, modules []Module, tensors []Tensor) ([]Trainable, error) {
	tied := len(withTiedHead(modules, tensors)) > len(tensors)
	var all []Trainable
	for _, m := range targets {
		if tied && (m.Head || m.Embedding) {
			return nil, keyErrorf("target_modules", "target_modules: %s cannot train in full here: the model's output head is its token "+
				"embedding, and training would part the two; leave it out of the targets, or full out of the ranks", m.Name)
		}
		name := m.Name + ".weight"
		i := slices.IndexFunc(tensors, func(t Tensor) bool { return t.Name == name })
		if i < 0 {
			return nil, keyErrorf("target_modules", "target_modules: %s has no weight %s to train in full; leave full out of the ranks",
				m.Name, name)
		}
		all = append(all, Trainable{Key: AdapterPrefix + name, Role: RoleSaved, Module: m.Name, Tensor: name, Shape: tensors[i].Shape})
	}
	return all, nil
}
