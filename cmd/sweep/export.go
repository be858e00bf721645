package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// exportRequest is the command line of `sweep export`.
type exportRequest struct {
	trialChoice
	to     string
	last   bool
	merged bool
	dtype  string // of merged weights; empty means the base's
	force  bool
}

func newExportCommand(a *app) *cobra.Command {
	var r exportRequest
	var seed int64
	cmd := &cobra.Command{
		Use:   "export [NAME] --to DIR",
		Short: "Write a finished trial's adapter as a PEFT folder with a model card (of the latest sweep without NAME)",
		Long: `export writes adapter_config.json and adapter_model.safetensors, as PEFT does, and README.md: a model card with the verdict, the
table of ranks, the settings, the cost and how to load it.

It takes the recommended rank of the recommended ladder, and of its seeds the one with the lowest val_loss. --cell picks another
ladder, --rank and --seed another trial, --best the lowest val_loss of all.

--merged writes a whole model instead, which needs no PEFT: configuration, weights with the adapter merged, tokenizer; with --full that of
the ladder's full fine-tuning, which has no adapter. Export only reads the sweep, which may be running: finished trials can be
exported at once.`,
		Example: `  sweep export --to adapter
  sweep export gpt2-notes --cell learning_rate=0.001 --rank 16 --to gpt2-notes-r16
  sweep export gpt2-notes --best --merged --dtype bfloat16 --to merged`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("seed") {
				r.seed = &seed
			}
			if r.dtype != "" && (!r.merged || !slices.Contains(trainer.Dtypes(), r.dtype)) {
				return usagef("--dtype %s: want %s, with --merged", r.dtype, strings.Join(trainer.Dtypes(), ", "))
			}
			if r.full && (!r.merged || r.best || r.rank > 0) {
				return usagef("--full takes weights that trained without an adapter: write it with --merged, and without --rank and --best")
			}
			if cmd.Flags().Changed("rank") && r.rank < 1 {
				return usagef("--rank %d: want a rank of the ladder", r.rank)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return asUsage(a.export(ctx, strings.Join(args, ""), r))
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.to, "to", "", "folder to write; it must be empty or not be there")
	f.StringArrayVar(&r.cell, "cell", nil, "KEY=VALUE of a ladder's cell, as the report prints it; may be repeated")
	f.IntVar(&r.rank, "rank", 0, "rank (default: the ladder's recommended one)")
	f.Int64Var(&seed, "seed", 0, "seed (default: the one with the lowest val_loss)")
	f.BoolVar(&r.best, "best", false, "take the trial with the lowest val_loss, of the recommended rank or not")
	f.BoolVar(&r.full, "full", false, "with --merged, take full fine-tuning (full in lora.rank) at its best learning rate")
	f.BoolVar(&r.last, "last", false, "take the adapter of the last step instead of the best evaluation's")
	f.BoolVar(&r.merged, "merged", false, "write the whole model with the adapter merged into its weights")
	f.StringVar(&r.dtype, "dtype", "", "of merged weights: "+strings.Join(trainer.Dtypes(), ", ")+" (default: the base's)")
	f.BoolVar(&r.force, "force", false, "replace an earlier export in --to")
	return cmd
}

// exportView is the result of sweep export.
type exportView struct {
	Path      string      `json:"path"` // absolute
	Sweep     string      `json:"sweep"`
	Ladder    int         `json:"ladder"`
	Cell      report.Cell `json:"cell"`
	Tuned     report.Cell `json:"tuned,omitempty"` // the trial's values of tuned axes
	Rank      int         `json:"rank"`            // 0 of full fine-tuning
	Seed      int64       `json:"seed"`
	Trial     trial.ID    `json:"trial"`
	ValLoss   float64     `json:"val_loss"`
	Step      int         `json:"step"` // that the weights are of
	BaseModel string      `json:"base_model"`
	Merged    bool        `json:"merged"`
	Files     []string    `json:"files"` // relative to path
}

func (a *app) export(ctx context.Context, name string, r exportRequest) error {
	if r.to == "" {
		return usagef("export needs --to, the folder to write (see sweep export --help)")
	}
	to, err := filepath.Abs(r.to)
	if err != nil {
		return err
	}
	if err := checkTarget(to, r.force); err != nil {
		return err
	}
	s, err := a.readSnapshot(ctx, name)
	if err != nil {
		return err
	}
	c, err := r.choose(s)
	if err != nil {
		return err
	}
	if !c.report.Recommendation.Final {
		a.say("sweep %s is not finished: what it recommends may change", s.Sweep.Name)
	}
	adapter, err := a.adapterFolder(c.trial, r.last)
	if err != nil {
		return err
	}
	e := export{request: r, sweep: s.Sweep, chosen: c, adapter: adapter, base: newBaseName(c, to, r)}
	if e.versions, err = a.versionsOf(ctx, c.trial); err != nil {
		return err
	}
	if e.model, err = a.exportedModel(ctx, c, r.merged); err != nil {
		return err
	}
	if err := writeFolder(to, r.force, func(dir string) error { return e.fill(ctx, dir) }); err != nil {
		return err
	}
	if r.merged && e.fromGGUF() {
		a.say("the tokenizer is not in %s: it stays in the base's GGUF file", r.to)
	}
	view, err := e.view(to)
	if err != nil {
		return err
	}
	return a.emit("export", view, view.table, view.csv)
}

// adapterFolder returns the folder of a finished trial's adapter: in the attempt that ended it.
func (a *app) adapterFolder(t sweep.TrialFacts, last bool) (string, error) {
	for _, attempt := range slices.Backward(t.Attempts) {
		if attempt.Outcome == nil || attempt.Outcome.State != trial.OutcomeDone {
			continue
		}
		name := trainer.AdapterFolder
		if last {
			name = trainer.LastFolder(*attempt.Outcome)
		}
		dir := filepath.Join(attempt.ID.Dir(a.root), name)
		_, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			gone := fmt.Sprintf("is not in %s any more: restore that folder, take", dir)
			if a.pruned(&t) {
				gone = "was pruned: take"
			}
			return "", notFoundf("the adapter of trial %s (rank %d, seed %d) %s another trial with --rank or --seed, or have this one trained "+
				"again with: %s", t.Trial.ID, t.Trial.Rank, t.Trial.Seed, gone, a.commandOn("retry", string(t.Trial.ID)))
		}
		return dir, err
	}
	return "", notFoundf("trial %s is not finished", t.Trial.ID)
}

// exportedModel returns the trial's base. It is looked up again where its weights are needed: it may lie elsewhere by now.
func (a *app) exportedModel(ctx context.Context, c chosenTrial, merged bool) (trial.ModelInfo, error) {
	if !merged {
		return c.facts.Model, nil
	}
	m, err := trainer.Inspect(ctx, c.trial.Trial.Spec().Model, trainer.InspectOptions{Hub: a.hub()})
	m.Fingerprint = c.trial.Trial.Shared.Base // the one it must have
	return m, err
}

// versionsOf returns what the trial was trained with.
func (a *app) versionsOf(ctx context.Context, t sweep.TrialFacts) (versions map[string]string, err error) {
	versions = map[string]string{}
	_, err = readTrial(ctx, a, string(t.Trial.ID), func(_ *store.DB, record store.TrialRecord) error {
		for _, l := range record.Launches {
			if l.Environment == nil || l.Outcome == nil || l.Outcome.State != trial.OutcomeDone {
				continue
			}
			maps.Copy(versions, l.Environment.Versions)
			versions[l.Environment.Platform] = l.Environment.PluginVersion
		}
		return nil
	})
	return versions, err
}

// export is one export under way.
type export struct {
	request  exportRequest
	sweep    sweep.Info
	chosen   chosenTrial
	model    trial.ModelInfo
	adapter  string // folder
	base     baseName
	versions map[string]string
}

// fill writes everything into dir.
func (e export) fill(ctx context.Context, dir string) error {
	o := trainer.ExportOptions{
		Model: e.model, Adapter: e.adapter, Dtype: e.chosen.trial.Trial.Spec().Train.Dtype, BaseReference: e.base.reference,
	}
	if e.base.embedded {
		if err := trainer.ExportBase(filepath.Join(dir, baseFolder), e.model); err != nil {
			return err
		}
	}
	write := trainer.ExportAdapter
	if e.request.merged {
		write = func(dir string, o trainer.ExportOptions) error {
			return trainer.ExportMerged(ctx, dir, o, e.request.dtype)
		}
	}
	if err := write(dir, o); err != nil {
		return err
	}
	card := e.card
	if e.request.full {
		card = e.fullCard
	}
	return trial.WriteAtomic(filepath.Join(dir, cardFile), card)
}

// view says what was written.
func (e export) view(to string) (exportView, error) {
	o, spec := e.chosen.trial.Final(), e.chosen.trial.Trial.Spec()
	v := exportView{
		Path: to, Sweep: e.sweep.Name, Ladder: e.chosen.ladder.Number, Cell: e.chosen.ladder.Cell, Rank: spec.LoRA.Rank, Seed: spec.Seed,
		Trial: e.chosen.trial.Trial.ID, ValLoss: *o.ValLoss, Step: o.BestStep, BaseModel: e.base.reference,
		Merged: e.request.merged, Files: []string{},
	}
	if tuned := e.chosen.facts.Candidates; len(tuned) > 0 && !e.request.full {
		v.Tuned = report.Cell(tuned[e.chosen.trial.Candidate])
	}
	if e.request.last {
		v.ValLoss, v.Step = *o.LastValLoss, spec.Train.Steps
	}
	err := fs.WalkDir(os.DirFS(to), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			v.Files = append(v.Files, path)
		}
		return err
	})
	return v, err
}

func (v exportView) table(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s: %s, seed %d, val_loss %s (trial %s of sweep %s)\n", v.Path, v.rankName(), v.Seed,
		formatFloat(v.ValLoss), v.Trial, v.Sweep)
	return err
}

func (v exportView) rankName() string { return lora.Spec{Rank: v.Rank, Full: v.Rank == 0}.RankName() }

func (v exportView) csv() ([]string, [][]string) {
	return []string{"path", "sweep", "ladder", "rank", "seed", "trial", "val_loss", "step", "base_model"},
		[][]string{{
			v.Path, v.Sweep, strconv.Itoa(v.Ladder), strconv.Itoa(v.Rank), strconv.FormatInt(v.Seed, 10), string(v.Trial),
			fullNumber(&v.ValLoss), strconv.Itoa(v.Step), v.BaseModel,
		}}
}
