package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// plateauFlags are the settings of the rule on the command line, in a grid's words.
type plateauFlags struct {
	table      lossWanted
	minGain    string
	patience   int
	confidence float64
	noiseSD    float64
	stop       string
	seeds      []int64
	maxSeeds   int
}

func newPlateauCommand(a *app) *cobra.Command {
	var f plateauFlags
	cmd := &cobra.Command{
		Use:   "plateau FILE.csv",
		Short: "Apply the plateau rule to your own numbers",
		Long: `plateau reads a table with the columns rank, seed and val_loss (a header line, any order; "-" reads stdin) and says
where larger ranks stop paying: the same rule, and the same verdicts, that sweep run stops its ladders by. A column
train_loss, where there is one, lets it tell overfitting. Ranks past the point where the rule stops are listed, not counted.

Tables of W&B and of papers are read as they are: commas, tabs or semicolons (then also decimal commas), lora_r or r for the
rank, eval/loss for the values. --column takes the values from another column. What its name does not say of the direction,
as accuracy and perplexity do, --direction must. Where a run has several steps, its last one counts, or with --take best its
best value. Where runs of one rank and seed differ in another column, such as lr, each of its values is a ladder.

With --stop certified it names the ranks and seeds to train where a plateau is not certain. Give the table with them again,
and --seeds with those that every rank has, and they count where they were asked for.

Ranks are compared over the seeds they share. With one seed per rank, or no column seed, nothing measures the noise: give
--noise-sd, the standard deviation of one value after removing what seeds share.`,
		Example: `  sweep plateau losses.csv
  sweep plateau wandb.csv --column eval/accuracy --min-gain 0.002
  sweep plateau losses.csv --stop certified --seeds 0,1,2
  sweep plateau one-seed.csv --noise-sd 0.01 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.plateau(args[0], f)
		},
	}
	rule := plateau.DefaultRule()
	cmd.Flags().StringVar(&f.table.column, "column", "", "the column of the values (default: val_loss, eval_loss and the like)")
	cmd.Flags().StringVar(&f.table.direction, "direction", "",
		"min where lower values are better, max where higher ones are (default: what the column's name says)")
	cmd.Flags().StringVar(&f.table.take, "take", "last", "which step of a run counts where it has several: last, or best")
	cmd.Flags().StringVar(&f.minGain, "min-gain", rule.MinGain.String(),
		"the smallest gain worth a higher rank: a number, or % of the lowest rank's mean")
	cmd.Flags().IntVar(&f.patience, "patience", rule.Patience, "ranks in a row without a worthwhile gain before the rule stops")
	cmd.Flags().Float64Var(&f.confidence, "confidence", rule.Confidence, "confidence of the intervals")
	cmd.Flags().Float64Var(&f.noiseSD, "noise-sd", 0, "standard deviation of one value, needed where ranks have one seed")
	cmd.Flags().StringVar(&f.stop, "stop", string(rule.Stop), "likely, or certified to ask for the seeds that certify a plateau")
	cmd.Flags().Int64SliceVar(&f.seeds, "seeds", nil, "the seeds that every rank has; the others were drawn to certify (default: all)")
	cmd.Flags().IntVar(&f.maxSeeds, "max-seeds", 0,
		"seeds of a rank to ask for, drawn ones included (default: twice those that every rank has)")
	return cmd
}

func (a *app) plateau(path string, f plateauFlags) error {
	rule, err := f.rule()
	if err != nil {
		return err
	}
	table, ladders, err := a.readLosses(path, f.table)
	if err != nil {
		return withCode(exitUsage, err)
	}
	for _, note := range table.notes() {
		a.say("%s", note)
	}
	rule.Maximize = table.want.direction == "max"
	judged := make([]judgedLadder, len(ladders))
	for i, l := range ladders {
		if f.table.direction == "" && !rule.Maximize && plateau.LooksLikeAccuracy(l.rungs) {
			a.say("the values lie between 0 and 1 and rise with the rank: if higher is better, as for an accuracy, add --direction max")
		}
		at := path
		if len(ladders) > 1 {
			at += ", " + l.label()
		}
		if judged[i], err = judgeLadder(at, l, rule); err != nil {
			return err
		}
	}
	if len(judged) > 1 {
		return a.emit("plateau", newPlateauLadders(judged), withTerms(func(w io.Writer) error { return writeLadders(w, judged) }),
			func() ([]string, [][]string) { return ladderRows(judged) })
	}
	only := judged[0]
	return a.emit("plateau", only.result(), withTerms(only.write), func() ([]string, [][]string) { return plateauRows(only.verdict) })
}

// judgeLadder applies the rule to one ladder of the table at.
func judgeLadder(at string, l lossLadder, rule plateau.Rule) (judgedLadder, error) {
	complete(l.rungs, rule.GridSeeds)
	if rank, ok := unpaired(l.rungs); ok {
		return judgedLadder{}, usagef("%s: rank %d shares no seed with rank %d: gains are paired by seed, so use the same seeds for every rank",
			at, rank, l.rungs[0].Rank)
	}
	v, err := rule.Judge(l.rungs)
	if err != nil {
		return judgedLadder{}, usagef("%s: %w", at, err)
	}
	if rule.NoiseSD == 0 && (oneSeed(l.rungs) || slices.Contains(v.Flags, plateau.FlagOneSeed)) {
		return judgedLadder{}, usagef("%s: ranks are compared over one seed, which cannot tell a gain from noise: "+
			"add seeds, or give --noise-sd, the standard deviation of one value", at)
	}
	return judgedLadder{l, v, report.NoiseOf(l.rungs)}, nil
}

// rule is the plateau rule that the flags describe.
func (f plateauFlags) rule() (plateau.Rule, error) {
	p := plateau.Rule{
		Patience: f.patience, Confidence: f.confidence, Stop: plateau.StopMode(f.stop), NoiseSD: f.noiseSD,
		GridSeeds: f.seeds, MaxSeeds: f.maxSeeds,
	}
	if f.noiseSD > 0 {
		p.NoiseSource = plateau.NoiseFromFlag
	}
	if !slices.Contains([]string{"", "min", "max"}, f.table.direction) {
		return p, usagef("--direction %s: want min or max", f.table.direction)
	}
	if !slices.Contains([]string{"last", "best"}, f.table.take) {
		return p, usagef("--take %s: want last or best", f.table.take)
	}
	var err error
	if p.MinGain, err = plateau.ParseMinGain(f.minGain); err != nil {
		return p, usagef("--min-gain %s: want a number such as 0.02, or a share such as 0.5%%", f.minGain)
	}
	if err := p.Validate(); err != nil {
		return p, withCode(exitUsage, err)
	}
	return p, nil
}

// complete marks the rungs that have every one of the seeds given; without any the table says which seeds there are.
func complete(rungs []plateau.Losses, seeds []int64) {
	for i := range rungs {
		if len(seeds) > 0 {
			rungs[i].Complete = !slices.ContainsFunc(seeds, func(s int64) bool { return !slices.Contains(rungs[i].Seeds, s) })
		}
	}
}

// unpaired returns the first rank that has no seed in common with the lowest.
func unpaired(rungs []plateau.Losses) (rank int, found bool) {
	for _, l := range rungs {
		if !slices.ContainsFunc(l.Seeds, func(seed int64) bool { return slices.Contains(rungs[0].Seeds, seed) }) {
			return l.Rank, true
		}
	}
	return 0, false
}

func oneSeed(rungs []plateau.Losses) bool {
	return !slices.ContainsFunc(rungs, func(l plateau.Losses) bool { return len(l.Seeds) > 1 })
}

// readLosses reads a table of losses from a file, or stdin for "-".
func (a *app) readLosses(path string, want lossWanted) (*lossTable, []lossLadder, error) {
	if path == "-" {
		return parseLosses("stdin", a.stdin, want)
	}
	file, err := trial.OpenInputOrPipe(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the losses: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	return parseLosses(path, file, want)
}
