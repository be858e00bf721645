package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/hub"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// loopJob is what peft_loop.py is told. The rows lie beside it, each as its ids and then its labels, int32.
type loopJob struct {
	Model      string      `json:"model"` // a folder in Hugging Face's layout
	Threads    int         `json:"threads"`
	Length     int         `json:"length"`
	Train      string      `json:"train"`
	Validation string      `json:"validation"`
	Trials     []loopTrial `json:"trials"`
}

type loopTrial struct {
	Adapter weights.AdapterConfig `json:"adapter"`
	Train   trial.TrainSpec       `json:"train"`
	Seed    int64                 `json:"seed"`
	Shuffle bool                  `json:"shuffle"`
}

var errNoModel = errors.New("its model is not there")

// prepareLoop writes what a plain loop over every trial of the grid needs into dir, and returns the path of the job.
func prepareLoop(ctx context.Context, path, dir string) (job string, err error) {
	l, err := onlyModel(ctx, path)
	if err != nil {
		return "", err
	}
	if err := exportBase(dir, l[0].Model); err != nil {
		return "", err
	}
	files, err := trainer.Files(l[0].Model)
	if err != nil {
		return "", err
	}
	spec := l[0].Spec().Data
	prepared, err := corpus.Prepare(ctx, filepath.Join(dir, "cache"), corpus.Source{
		Files: files, Model: l[0].Model, Spec: spec, Hub: hub.FromEnv(os.Getenv), Found: func(string) {},
	}, func(int64, int64) {})
	if err != nil {
		return "", err
	}
	c, err := corpus.Open(prepared.Info.Path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	j := loopJob{
		Model: dir, Threads: runtime.NumCPU(), Length: spec.SequenceLength,
		Train: filepath.Join(dir, "train.i32"), Validation: filepath.Join(dir, "validation.i32"),
	}
	if err := errors.Join(writeRows(j.Train, c.Train()), writeRows(j.Validation, c.Validation())); err != nil {
		return "", err
	}
	for _, ladder := range l {
		for _, rung := range ladder.On(prepared.Info, "", "").Rungs {
			for _, s := range rung.Specs() {
				adapter, err := adapterConfig(s.LoRA, ladder.Model.Modules)
				if err != nil {
					return "", err
				}
				j.Trials = append(j.Trials, loopTrial{Adapter: adapter, Train: s.Train, Seed: s.Seed, Shuffle: s.Data.Shuffle})
			}
		}
	}
	return writeJob(dir, j)
}

// onlyModel expands a grid that a plain loop can do: LoRA on one model and one set of rows.
func onlyModel(ctx context.Context, path string) ([]sweep.LadderPlan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	g, err := grid.Parse(path, text)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	resolved := g.Resolve(dir)
	refs := resolved.Models()
	if len(refs) > 1 {
		return nil, errors.New("the loop loads one model, and the grid has several")
	}
	info, err := trainer.Inspect(ctx, refs[0], trainer.InspectOptions{Hub: hub.FromEnv(os.Getenv)})
	if err != nil {
		if _, gone := os.Stat(refs[0]); errors.Is(gone, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", errNoModel, err)
		}
		return nil, err
	}
	ladders, _, err := resolved.Expand(map[string]trial.ModelInfo{refs[0]: info})
	if err != nil {
		return nil, err
	}
	data := fmt.Sprint(ladders[0].Spec().Data)
	for _, l := range ladders {
		s := l.Spec()
		switch {
		case fmt.Sprint(s.Data) != data:
			return nil, errors.New("the loop reads one set of rows, and the grid has several")
		case len(l.Reference) > 0 || s.LoRA.Init == lora.InitPiSSA || s.LoRA.InitAdapter != "":
			return nil, errors.New("the loop trains fresh adapters only: neither full, nor pissa, nor init_adapter")
		}
	}
	return ladders, nil
}

// exportBase writes a grid's model as transformers loads it, whatever file it comes from.
func exportBase(dir string, m trial.ModelInfo) error {
	files, err := trainer.Files(m)
	if err != nil {
		return err
	}
	text, err := configOf(files)
	if err != nil {
		return err
	}
	config, err := model.ParseConfig(text)
	if err != nil {
		return err
	}
	base, err := weights.ReadModelTo(files, config.Weights(), func(string, int64) io.Writer { return nil })
	if err != nil {
		return err
	}
	return writeBase(dir, text, config, base)
}

func configOf(files fs.FS) ([]byte, error) {
	name, err := weights.GGUFName(files)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return weights.ReadText(files, weights.ConfigFile)
	}
	g, err := weights.ReadGGUF(files, name)
	if err != nil {
		return nil, err
	}
	return g.Config()
}

// writeRows writes each row's ids and labels. The first token of a document has no label: nothing before it is of its document.
func writeRows(path string, rows corpus.Rows) error {
	return trial.WriteAtomic(path, func(w io.Writer) error {
		for i := range rows.Len() {
			row := rows.Row(i)
			for j := 1; j < len(row.Segments); j++ {
				if row.Segments[j] != row.Segments[j-1] {
					row.Labels[j] = trial.IgnoredLabel
				}
			}
			if err := errors.Join(binary.Write(w, binary.LittleEndian, row.IDs), binary.Write(w, binary.LittleEndian, row.Labels)); err != nil {
				return err
			}
		}
		return nil
	})
}
