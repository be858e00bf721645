package trainer_test

import (
	"context"
	"fmt"

	"github.com/ranksweep/ranksweep/trainer"
)

// A model is resolved, checked and fingerprinted before anything trains on it.
func ExampleInspect() {
	info, err := trainer.Inspect(context.Background(), "builtin:gopher", trainer.InspectOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Architecture, info.Params, info.VocabSize, info.MaxPositions)
	// Output: gpt2 1071872 2048 128
}
