package model

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
)

// Match selects modules by PEFT's rules (sweep.MatchTargets), and refuses LoRA on embeddings and on the output head: the loss
// never holds the logits that an adapter of the head would have to change.
func Match(all []sweep.Module, t sweep.Targets) ([]sweep.Module, error) {
	matched, err := sweep.MatchTargets(all, t)
	if err != nil {
		return nil, err
	}
	for _, m := range matched {
		switch {
		case m.Head:
			return nil, fmt.Errorf("target_modules %s match %s: LoRA on the output head is not supported", t, m.Name)
		case m.Embedding:
			return nil, fmt.Errorf("target_modules %s match %s: LoRA on an embedding is not supported", t, m.Name)
		}
	}
	return matched, nil
}
