package trainer

import (
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// StartingAdapter is what a trial starts from.
func StartingAdapter(c model.Config, base map[string]weights.Array, targets []lora.Module, l lora.Spec,
	seed int64,
) (map[string]weights.Array, error) {
	return startingAdapter(c, base, targets, l, seed)
}
