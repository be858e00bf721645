package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// plateauFlags are the settings of the rule on the command line, in a grid's words.
type plateauFlags struct {
	direction  string
	guessed    bool // nobody said the direction
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
		Long: `plateau reads a table with the columns rank, seed and val_loss (a header line, commas, any order; "-" reads stdin) and says
where larger ranks stop paying: the same rule, and the same verdicts, that sweep run stops its ladders by. A column
train_loss, where there is one, lets it tell overfitting. Ranks past the point where the rule stops are listed, not counted.

With --stop certified it names the ranks and seeds to train where a plateau is not certain. Give the table with them again,
and --seeds with those that every rank has, and they count where they were asked for.

Ranks are compared over the seeds they share. With one seed per rank nothing measures the noise: give --noise-sd, the
standard deviation of one value after removing what seeds share.`,
		Example: `  sweep plateau losses.csv
  sweep plateau accuracy.csv --direction max --min-gain 0.002
  sweep plateau losses.csv --stop certified --seeds 0,1,2
  sweep plateau one-seed.csv --noise-sd 0.01 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.guessed = !cmd.Flags().Changed("direction")
			return a.plateau(args[0], f)
		},
	}
	rule := plateau.DefaultRule()
	cmd.Flags().StringVar(&f.direction, "direction", "min", "min where lower values are better (losses), max where higher ones are")
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

// plateauResult is the verdict with its rungs beside it.
type plateauResult struct {
	Verdict verdictJSON           `json:"verdict"`
	Rungs   []plateau.RungVerdict `json:"rungs"`
	Noise   *report.Noise         `json:"noise"` // null where fewer than two ranks share two seeds
}

// verdictJSON is a verdict in sentences, without its rungs.
type verdictJSON struct {
	plateau.Verdict
	Code        plateau.Code   `json:"code"` // of the reason
	Reason      string         `json:"reason"`
	Advice      []string       `json:"advice"`
	AdviceCodes []plateau.Code `json:"advice_codes"`    // one for each of Advice
	Rungs       *struct{}      `json:"rungs,omitempty"` // hides Verdict.Rungs
}

func (a *app) plateau(path string, f plateauFlags) error {
	rule, err := f.rule()
	if err != nil {
		return err
	}
	rungs, err := a.readLosses(path)
	if err != nil {
		return withCode(exitUsage, err)
	}
	complete(rungs, rule.GridSeeds)
	if rank, ok := unpaired(rungs); ok {
		return usagef("%s: rank %d shares no seed with rank %d: gains are paired by seed, so use the same seeds for every rank",
			path, rank, rungs[0].Rank)
	}
	if f.guessed && plateau.LooksLikeAccuracy(rungs) {
		a.say("the values lie between 0 and 1 and rise with the rank: if higher is better, as for an accuracy, add --direction max")
	}
	v, err := rule.Judge(rungs)
	if err != nil {
		return usagef("%s: %w", path, err)
	}
	if f.noiseSD == 0 && (oneSeed(rungs) || slices.Contains(v.Flags, plateau.FlagOneSeed)) {
		return usagef("%s: ranks are compared over one seed, which cannot tell a gain from noise: "+
			"add seeds, or give --noise-sd, the standard deviation of one value", path)
	}
	noise := report.NoiseOf(rungs)
	return a.emit("plateau", plateauResult{
		Verdict: verdictJSON{
			Verdict: v, Code: v.Reason.Code, Reason: prose.Reason(v), Advice: prose.Advice(v), AdviceCodes: report.AdviceCodes(v),
		},
		Rungs: v.Rungs, Noise: noise,
	},
		func(w io.Writer) error { return writePlateau(w, v, noise) },
		func() ([]string, [][]string) { return plateauRows(v) })
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
	switch f.direction {
	case "min":
	case "max":
		p.Maximize = true
	default:
		return p, usagef("--direction %s: want min or max", f.direction)
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
func (a *app) readLosses(path string) ([]plateau.Losses, error) {
	if path == "-" {
		return parseLosses("stdin", a.stdin)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the losses: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	return parseLosses(path, file)
}

// writePlateau prints the rungs and what they come to.
func writePlateau(w io.Writer, v plateau.Verdict, noise *report.Noise) error {
	header := []string{"rank", "seeds", "value", "gain [lo, hi]", "over", "P(gain)", "decision", "strikes"}
	decimals := max(0, 2-int(math.Floor(math.Log10(v.MinGain)))) // three digits of min_gain
	fixed := func(x float64) string { return strconv.FormatFloat(x, 'f', decimals, 64) }
	var rows [][]string
	for _, r := range v.Rungs {
		row := []string{
			strconv.Itoa(r.Rank), strconv.Itoa(len(r.Seeds)), fixed(r.ValLoss.Mean), "", "", "", string(r.Decision),
			strconv.Itoa(r.Count),
		}
		if r.Gain != nil {
			row[3] = fmt.Sprintf("%s [%s, %s]", fixed(r.Gain.Mean), fixed(*r.Gain.Lo), fixed(*r.Gain.Hi))
			row[4], row[5] = strconv.Itoa(r.Incumbent), fmt.Sprintf("%.3f", *r.Probability)
		}
		rows = append(rows, row)
	}
	if err := writeTable(w, header, rows); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "rank %d: %s\n%s\n", v.RecommendedRank, v.State, prose.Reason(v))
	if noise != nil {
		fmt.Fprintf(&text, "noise: %s\n", noise)
	}
	for _, advice := range prose.Advice(v) {
		text.WriteString("- " + advice + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// plateauRows is one row per rank, every number in full.
func plateauRows(v plateau.Verdict) (header []string, rows [][]string) {
	header = []string{
		"rank", "seeds", "mean", "lo", "hi", "incumbent", "gain", "gain_lo", "gain_hi", "sd", "df", "probability", "decision",
		"count",
	}
	for _, r := range v.Rungs {
		row := []string{
			strconv.Itoa(r.Rank), strconv.Itoa(len(r.Seeds)), fullNumber(&r.ValLoss.Mean), fullNumber(r.ValLoss.Lo),
			fullNumber(r.ValLoss.Hi),
		}
		if r.Gain == nil {
			row = append(row, "", "", "", "", "", "", "")
		} else {
			row = append(row, strconv.Itoa(r.Incumbent), fullNumber(&r.Gain.Mean), fullNumber(r.Gain.Lo), fullNumber(r.Gain.Hi), fullNumber(&r.SD),
				fullNumber(r.DF), fullNumber(r.Probability))
		}
		rows = append(rows, append(row, string(r.Decision), strconv.Itoa(r.Count)))
	}
	return header, rows
}
