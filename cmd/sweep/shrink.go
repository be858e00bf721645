package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// shrinkRequest is the command line of `sweep shrink`.
type shrinkRequest struct {
	scoring
	adapter string
	to      string // a rank, or auto
	minGain string
	out     string
}

func newShrinkCommand(a *app) *cobra.Command {
	var r shrinkRequest
	cmd := &cobra.Command{
		Use:   "shrink ADAPTER --model MODEL --data FILE [--to RANK|auto] [--out DIR]",
		Short: "Truncate a finished PEFT adapter to a lower rank, and score every rank",
		Long: `shrink replaces the update of each module by its best approximation of a lower rank (singular value decomposition) and scores the
adapter at every power of two below its rank, at --to, and as it is. Rows are scored as by sweep eval.

--to auto takes the lowest rank whose loss is less than --min-gain above the whole adapter's. With --out the adapter of that rank is
written as PEFT stores it. Its alpha falls with the rank, so that the scaling stays.

Of an adapter with rank_pattern the modules above the rank are truncated and the others stay. DoRA keeps its magnitudes; biases and
saved modules stay as they are. Well below the adapter's rank a rank that is trained does better than one that is truncated to.`,
		Example: `  sweep shrink adapter --model gpt2/ --data notes-val.jsonl
  sweep shrink adapter --model gpt2/ --data notes-val.jsonl --to 4 --out adapter-r4`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.adapter = args[0]
			return asUsage(a.shrink(cmd.Context(), r))
		},
	}
	f := cmd.Flags()
	r.addFlags(f)
	f.StringVar(&r.to, "to", "auto", "the rank to shrink to, or auto")
	f.StringVar(&r.minGain, "min-gain", plateau.DefaultRule().MinGain.String(),
		"with --to auto: the loss that is too much, in nats per token or as % of the whole adapter's")
	f.StringVar(&r.out, "out", "", "folder for the adapter, empty or not there (default: write none)")
	return cmd
}

// shrinkView is the result of sweep shrink.
type shrinkView struct {
	Adapter  string        `json:"adapter"`
	Rank     int           `json:"rank"` // of the adapter as it is
	To       int           `json:"to"`   // the rank that was asked for or chosen
	MinGain  float64       `json:"min_gain"`
	Ranks    []shrinkRank  `json:"ranks"`
	Serving  *lora.Serving `json:"serving"`  // of the adapter at rank To
	Written  string        `json:"path"`     // absolute; "" where nothing was written
	Warnings []string      `json:"warnings"` // about data and adapter
}

type shrinkRank struct {
	Rank       int     `json:"rank"`
	ValLoss    float64 `json:"val_loss"`
	Difference float64 `json:"difference"` // from the whole adapter's loss, nats per token; above 0: the rank is worse
	Bytes      int64   `json:"bytes"`      // of its tensors, float32
}

func (a *app) shrink(ctx context.Context, r shrinkRequest) error {
	to, minGain, err := r.check()
	if err != nil {
		return err
	}
	if r.model == "" || len(r.data) == 0 {
		return usagef("shrink needs --model and --data (see sweep shrink --help)")
	}
	o, err := a.evaluateOptions(ctx, r.scoring)
	if err != nil {
		return err
	}
	o.Adapter, o.Progress = r.adapter, a.rowProgress()
	shrunk, err := trainer.Shrink(ctx, o, to)
	if err != nil {
		return err
	}
	v := newShrinkView(r.adapter, shrunk.Curve, to, minGain)
	v.Serving = new(shrunk.Serving(v.To))
	if r.out != "" {
		if v.Written, err = filepath.Abs(r.out); err != nil {
			return err
		}
		if err := shrunk.Write(v.Written, v.To); err != nil {
			return err
		}
	}
	return a.writeShrunk(v)
}

// check parses --to, 0 for auto, and --min-gain, and refuses a folder that holds something.
func (r shrinkRequest) check() (to int, minGain plateau.MinGain, err error) {
	if r.to != "auto" {
		if to, err = strconv.Atoi(r.to); err != nil || to < 1 {
			return 0, minGain, usagef("--to %s: want a rank such as 4, or auto", r.to)
		}
	}
	if minGain, err = plateau.ParseMinGain(r.minGain); err != nil || !(minGain.Value > 0) {
		return 0, minGain, usagef("--min-gain %s: want a number such as 0.02, or a share such as 0.5%%", r.minGain)
	}
	entries, err := os.ReadDir(r.out)
	if r.out == "" || errors.Is(err, fs.ErrNotExist) {
		return to, minGain, nil
	}
	if err == nil && len(entries) > 0 {
		err = errors.New("it is not empty; name another folder")
	}
	if err != nil {
		return 0, minGain, usagef("--out %s: %w", r.out, err)
	}
	return to, minGain, nil
}

// newShrinkView reads a curve, whose last entry is the whole adapter. to is 0 for the lowest rank that loses less than minGain.
func newShrinkView(adapter string, curve []trainer.ShrunkRank, to int, minGain plateau.MinGain) shrinkView {
	whole := curve[len(curve)-1]
	v := shrinkView{Adapter: adapter, Rank: whole.Rank, To: to, MinGain: minGain.Value, Ranks: []shrinkRank{}, Warnings: []string{}}
	if minGain.Relative {
		v.MinGain *= whole.Loss
	}
	for _, at := range curve {
		v.Ranks = append(v.Ranks, shrinkRank{at.Rank, at.Loss, at.Loss - whole.Loss, at.Bytes})
	}
	v.Warnings = append(v.Warnings, whole.Warnings...)
	if to == 0 {
		v.To = v.lowest()
	}
	return v
}

// lowest is the lowest rank within min_gain, at worst the adapter's own.
func (v shrinkView) lowest() int {
	return v.Ranks[slices.IndexFunc(v.Ranks, func(r shrinkRank) bool { return r.Difference < v.MinGain })].Rank
}

func (a *app) writeShrunk(v shrinkView) error {
	for _, w := range v.Warnings {
		a.say("warning: %s", w)
	}
	return a.emit("shrink", v, v.table, func() ([]string, [][]string) {
		var rows [][]string
		for _, r := range v.Ranks {
			rows = append(rows, []string{
				strconv.Itoa(r.Rank), fullNumber(&r.ValLoss), fullNumber(&r.Difference), strconv.FormatInt(r.Bytes, 10),
			})
		}
		return []string{"rank", "val_loss", "difference", "bytes"}, rows
	})
}

func (v shrinkView) table(w io.Writer) error {
	var rows [][]string
	for _, r := range v.Ranks {
		mark := ""
		if r.Rank == v.To {
			mark = "<-"
		}
		rows = append(rows, []string{
			strconv.Itoa(r.Rank), fmt.Sprintf("%.6f", r.ValLoss), fmt.Sprintf("%+.6f", r.Difference), trial.FormatBytes(r.Bytes), mark,
		})
	}
	if err := writeTable(w, []string{"rank", "val_loss", "difference", "size", "chosen"}, rows, "size"); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", v.summary(), report.Served(*v.Serving, "sweep export --merged"))
	return err
}

// summary says what the chosen rank costs, and where it is.
func (v shrinkView) summary() string {
	chosen := v.Ranks[slices.IndexFunc(v.Ranks, func(r shrinkRank) bool { return r.Rank == v.To })]
	text := fmt.Sprintf("Rank %d loses %.4g nats against rank %d, less than min_gain %.4g.", v.To, chosen.Difference, v.Rank, v.MinGain)
	switch {
	case v.To == v.Rank:
		text = fmt.Sprintf("Rank %d is the adapter as it is.", v.To)
	case chosen.Difference <= 0:
		text = fmt.Sprintf("Rank %d loses nothing against rank %d.", v.To, v.Rank)
	case chosen.Difference >= v.MinGain:
		text = fmt.Sprintf("Rank %d loses %.4g nats against rank %d, more than min_gain %.4g. Rank %d is the lowest that loses less.",
			v.To, chosen.Difference, v.Rank, v.MinGain, v.lowest())
	}
	if v.Written != "" {
		text += " Written to " + v.Written + "."
	}
	return text
}
