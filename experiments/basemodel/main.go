// Command basemodel makes builtin:gopher, the base model that is part of the program: a byte-level BPE of 2,048 tokens and
// a GPT-2 of about a million parameters, both from scratch, on the source code of the Go distribution on this machine.
//
// It is seeded; what came out, and with which Go, is in experiments/LOG.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/data"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/pretrain"
)

// The model: the shape of experiments/LOG.md's first entry; 128 positions, all of them trained.
const (
	vocabulary = 2048
	positions  = 128
)

// recipe sees 4.8M tokens, a little more than the corpus has. With five million tokens a model of a million parameters is
// far from done, which leaves fine-tuning something to find; it is what minutes on two cores can buy.
func recipe() pretrain.Recipe {
	return pretrain.Recipe{
		Config: model.Config{
			Architecture: "gpt2", VocabSize: vocabulary, Positions: positions, Embed: 128, Layers: 4, Heads: 4, KVHeads: 4, HeadDim: 32, Inner: 512,
			Activation: "gelu_new", Epsilon: 1e-5, TieHead: true, ScaleScores: true,
		},
		Train: sweep.TrainSpec{
			Steps: 4700, BatchSize: 8, LearningRate: 2e-3, LRSchedulerType: "cosine", WarmupSteps: 200,
			WeightDecay: 0.01, MaxGradNorm: 1, EvalSteps: 470,
		},
		Seed: 0,
	}
}

func main() {
	out := flag.String("out", filepath.Join("trainer", "weights", "builtin", "gopher"), "folder for the model")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "basemodel: "+err.Error())
		os.Exit(1) //nolint:gocritic // stop frees nothing that outlives the process
	}
}

func run(ctx context.Context, out string, w io.Writer) error {
	choice, err := backend.Resolve(ctx, "auto")
	if err != nil {
		return err
	}
	be, err := backend.Open(choice.Platform, choice.PluginPath, 0)
	if err != nil {
		return err
	}
	defer be.Finalize()
	cache, err := os.MkdirTemp("", "basemodel-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache) //nolint:errcheck // a folder of the system's temporary files
	source := []string{"builtin:go-code"}
	if err := pretrain.WriteTokenizer(ctx, out, source, vocabulary); err != nil {
		return err
	}
	r := recipe()
	spec := sweep.DataSpec{Train: source, ValidationSplit: 0.02, ValidationSequences: 256, SequenceLength: positions, Shuffle: true, Packing: true}
	prepared, err := data.Prepare(ctx, cache, data.Source{
		Files: os.DirFS(out), Model: sweep.ModelInfo{VocabSize: vocabulary, MaxPositions: positions}, Spec: spec,
	}, nil)
	if err != nil {
		return err
	}
	corpus, err := data.Open(prepared.Info.Path)
	if err != nil {
		return err
	}
	defer corpus.Close() //nolint:errcheck // only read
	fmt.Fprintf(w, "%s, %d parameters, corpus %s: %d training and %d validation rows of %d tokens\n",
		choice.Identity, r.Config.Params(), prepared.Info.Fingerprint[:16], prepared.Info.TrainSequences, prepared.Info.ValidationSequences, positions)
	start := time.Now()
	tensors, err := pretrain.Train(ctx, be, r, corpus, func(e pretrain.Evaluation) {
		fmt.Fprintf(w, "step %4d  tokens %7d  train_loss %6.4f  val_loss %6.4f  %4.0f s\n", e.Step, e.Tokens, e.TrainLoss, e.ValLoss, time.Since(start).Seconds())
	})
	if err != nil {
		return err
	}
	return pretrain.WriteModel(out, r.Config, tensors)
}
