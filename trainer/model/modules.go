package model

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
)

// Modules lists the model's linear modules in torch's named_modules order, the output head last.
func (c Config) Modules() []sweep.Module {
	C := c.Embed
	all := make([]sweep.Module, 0, 4*c.Layers+1)
	for i := range c.Layers {
		all = append(all,
			sweep.Module{Name: layer(i, "attn.c_attn"), In: C, Out: 3 * C},
			sweep.Module{Name: layer(i, "attn.c_proj"), In: C, Out: C},
			sweep.Module{Name: layer(i, "mlp.c_fc"), In: C, Out: c.Inner},
			sweep.Module{Name: layer(i, "mlp.c_proj"), In: c.Inner, Out: C},
		)
	}
	return append(all, sweep.Module{Name: "lm_head", In: C, Out: c.VocabSize, Head: true})
}

// Match selects modules by PEFT's rules (sweep.MatchTargets), and refuses LoRA on the output head: the loss never holds the
// logits that such an adapter would have to change.
func Match(all []sweep.Module, t sweep.Targets) ([]sweep.Module, error) {
	matched, err := sweep.MatchTargets(all, t)
	if err != nil {
		return nil, err
	}
	for _, m := range matched {
		if m.Head {
			return nil, fmt.Errorf("target_modules %s match %s: LoRA on the output head is not supported", t, m.Name)
		}
	}
	return matched, nil
}
