package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/pretrain"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// The models: gopher has the shape that experiments/LOG.md gives under 2026-11-23; 128 positions, all of them trained.
const (
	vocabulary = 2048
	positions  = 128
)

// recipe returns how a model of that name is made. Both see 4.8M tokens, a little more than the corpus has. With five million
// tokens a model of a million parameters is far from done, which leaves fine-tuning something to find; it is what minutes on
// two cores can buy. The small one has half the width and half the layers, and everything else alike, heads of 32 included.
func recipe(name string) (pretrain.Recipe, error) {
	r := pretrain.Recipe{
		Config: model.Config{
			Architecture: "gpt2", VocabSize: vocabulary, Positions: positions, Embed: 128, Layers: 4, Heads: 4, KVHeads: 4, HeadDim: 32, Inner: 512,
			Activation: "gelu_new", Epsilon: 1e-5, TieHead: true, ScaleScores: true,
		},
		Train: trial.TrainSpec{
			Steps: 4700, BatchSize: 8, LearningRate: 2e-3, LRSchedulerType: trial.SchedulerCosine, WarmupSteps: 200,
			WeightDecay: 0.01, MaxGradNorm: 1, EvalSteps: 470,
		},
		Seed: 0,
	}
	switch name {
	case gopher:
	case gopherSmall:
		r.Config.Embed, r.Config.Layers, r.Config.Heads, r.Config.KVHeads, r.Config.Inner = 64, 2, 2, 2, 256
	default:
		return r, fmt.Errorf("no recipe for a model %q; there is: %s, %s", name, gopher, gopherSmall)
	}
	return r, nil
}

// The names of the models.
const (
	gopher      = "gopher"
	gopherSmall = "gopher-small"
)

func main() {
	name := flag.String("model", gopher, gopher+" or "+gopherSmall)
	out := flag.String("out", "", "folder for the model (default: trainer/weights/builtin/<model>)")
	flag.Parse()
	if *out == "" {
		*out = filepath.Join("trainer", "weights", "builtin", *name)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *name, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "basemodel: "+err.Error())
		os.Exit(1) //nolint:gocritic // stop frees nothing that outlives the process
	}
}

func run(ctx context.Context, name, out string, w io.Writer) error {
	r, err := recipe(name)
	if err != nil {
		return err
	}
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
	if err := writeTokenizer(ctx, name, out, source); err != nil {
		return err
	}
	spec := trial.DataSpec{
		Train: source, ValidationSplit: 0.02, ValidationSequences: 256, SequenceLength: positions,
		Shuffle: true, Packing: true,
	}
	prepared, err := corpus.Prepare(ctx, cache, corpus.Source{
		Files: os.DirFS(out), Model: trial.ModelInfo{VocabSize: vocabulary, MaxPositions: positions}, Spec: spec,
	}, nil)
	if err != nil {
		return err
	}
	corpus, err := corpus.Open(prepared.Info.Path)
	if err != nil {
		return err
	}
	defer corpus.Close() //nolint:errcheck // only read
	fmt.Fprintf(w, "%s, %d parameters, corpus %s: %d training and %d validation rows of %d tokens\n",
		choice.Identity, r.Config.Params(), prepared.Info.Fingerprint[:16], prepared.Info.TrainSequences, prepared.Info.ValidationSequences,
		positions)
	start := time.Now()
	tensors, err := pretrain.Train(ctx, be, r, corpus, func(e pretrain.Evaluation) {
		fmt.Fprintf(w, "step %4d  tokens %7d  train_loss %6.4f  val_loss %6.4f  %4.0f s\n", e.Step, e.Tokens, e.TrainLoss, e.ValLoss,
			time.Since(start).Seconds())
	})
	if err != nil {
		return err
	}
	return pretrain.WriteModel(out, r.Config, tensors)
}

// writeTokenizer learns gopher's tokenizer from the source, and gives any other model the one that gopher has.
func writeTokenizer(ctx context.Context, name, out string, source []string) error {
	if name == gopher {
		return pretrain.WriteTokenizer(ctx, out, source, vocabulary)
	}
	files, err := weights.Builtin(gopher)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return fmt.Errorf("write tokenizer: %w", err)
	}
	for _, file := range []string{"tokenizer.json", "tokenizer_config.json"} {
		body, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, file), body, 0o666); err != nil {
			return fmt.Errorf("write tokenizer: %w", err)
		}
	}
	return nil
}
