package corpus_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/corpus"
)

// Rows of ids need no tokenizer. They are padded to the sequence length, and come in batches that follow from the step's number.
func ExamplePrepare() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "corpus")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	data := filepath.Join(dir, "rows.jsonl")
	body := "{\"input_ids\": [1, 2, 3]}\n{\"input_ids\": [4, 5]}\n{\"input_ids\": [6, 7, 8]}\n"
	if err := os.WriteFile(data, []byte(body), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	prepared, err := corpus.Prepare(ctx, filepath.Join(dir, "cache"), corpus.Source{
		Files: os.DirFS(dir), Model: trial.ModelInfo{VocabSize: 10, MaxPositions: 8},
		Spec: trial.DataSpec{Train: []string{data}, Validation: []string{data}, SequenceLength: 3},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := corpus.Open(prepared.Info.Path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close() //nolint:errcheck // only read
	batches := corpus.Batches{Corpus: c, Sampler: corpus.NewSampler(c.Train().Len(), 0, false), Size: 2, Accumulation: 1}
	for step := 1; step <= 2; step++ {
		b := batches.Step(step)[0]
		fmt.Println(b.IDs, b.Labels)
	}
	// Output:
	// [1 2 3 4 5 0] [1 2 3 4 5 -100]
	// [6 7 8 1 2 3] [6 7 8 1 2 3]
}
