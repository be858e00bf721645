package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
)

// samplesRequest is the command line of `sweep samples`.
type samplesRequest struct {
	cell    []string
	ranks   []string // numbers, all or full; none means the recommended rank
	seed    *int64
	prompts []string
	rows    int
	most    int // new tokens
}

// allRanks asks for every rank that has a finished trial.
const allRanks = "all"

func newSamplesCommand(a *app) *cobra.Command {
	var r samplesRequest
	var seed int64
	cmd := &cobra.Command{
		Use:   "samples [NAME]",
		Short: "Show what the base model and a sweep's adapters answer to prompts, side by side (the latest without NAME)",
		Long: `samples lets the base model and adapters of a sweep answer the same prompts, and prints the answers beside what was expected.
Each takes the likeliest token at every step (greedy decoding), until it ends its answer or has written --max-new-tokens.

Prompts are those of the first validation rows: what stands before the first answer, as the model's chat template writes it with
its generation prompt. Text has no prompt; there the first half of the
row's longest piece of a document is one. --prompt asks something else, which becomes a
user's message where the training rows are conversations.

The adapter is that of the recommended rank, in the recommended ladder, of the seed with the lowest val_loss. --rank takes others
that were trained, --cell another ladder. Every token costs a pass over the whole row, as there is no cache: a model that trains
slowly answers slowly. -o json keeps the answers for sweep report -o html --samples FILE.`,
		Example: `  sweep samples
  sweep samples gpt2-notes --rank 4,16 --rank 64 -n 5
  sweep samples --prompt 'Where is the sea?' --prompt 'And the moon?' --max-new-tokens 128
  sweep samples --rank all -o json --out samples.json
  sweep samples -o md | gh pr comment --body-file -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("seed") {
				r.seed = &seed
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return asUsage(a.samples(ctx, strings.Join(args, ""), r, cmd.Flags().Changed("rows")))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.ranks, "rank", nil,
		"ranks that answer beside the base model: numbers, "+allRanks+", or full (default: the recommended one)")
	f.StringArrayVar(&r.prompts, "prompt", nil, "ask this instead of the validation rows; may be repeated")
	f.IntVarP(&r.rows, "rows", "n", 3, "validation rows to take prompts from")
	f.IntVar(&r.most, "max-new-tokens", 64, "where answers are cut")
	f.StringArrayVar(&r.cell, "cell", nil, "KEY=VALUE of a ladder's cell, as the report prints it; may be repeated")
	f.Int64Var(&seed, "seed", 0, "seed (default: for each rank the one with the lowest val_loss)")
	return cmd
}

func (a *app) samples(ctx context.Context, name string, r samplesRequest, rowsGiven bool) error {
	switch {
	case a.output == "html":
		return usagef("-o html: samples are a section of the report: sweep samples -o json --out FILE, then sweep report -o html --samples FILE")
	case r.rows < 1:
		return usagef("--rows %d: want 1 or more", r.rows)
	case r.most < 1:
		return usagef("--max-new-tokens %d: want 1 or more", r.most)
	case len(r.prompts) > 0 && rowsGiven:
		return usagef("--rows takes prompts from the validation rows, and --prompt asks something else: leave one of them out")
	}
	s, err := a.readSnapshot(ctx, name)
	if err != nil {
		return err
	}
	chosen, err := r.choose(s)
	if err != nil {
		return err
	}
	out, err := a.answers(ctx, r, chosen)
	if err != nil {
		return err
	}
	for _, w := range out.Warnings {
		a.say("warning: %s", w)
	}
	if a.output == "md" {
		return a.write(out.Markdown)
	}
	return a.emit("samples", out, func(w io.Writer) error { return out.Text(w, a.textOptions()) },
		func() ([]string, [][]string) { return sampleRows(out) })
}

// choose finds the trials whose adapters answer, by rank.
func (r samplesRequest) choose(s sweep.Snapshot) ([]chosenTrial, error) {
	whole := report.Build(s)
	c := trialChoice{cell: r.cell, seed: r.seed}
	ladders, err := c.matching(whole)
	if err != nil {
		return nil, err
	}
	ladder, err := c.one(whole, ladders)
	if err != nil {
		return nil, err
	}
	facts := s.Ladders[ladder.Number-1]
	choices, err := r.choices(c, whole, ladder, facts)
	if err != nil {
		return nil, err
	}
	var all []chosenTrial
	for _, c := range choices {
		found := c.finished(ladder, facts)
		if len(found) == 0 {
			return nil, c.nothing(s, []report.Ladder{ladder})
		}
		all = append(all, chosenTrial{report: whole, ladder: ladder, facts: facts, trial: slices.MinFunc(found, byLoss)})
	}
	return all, nil
}

// choices are what --rank names, ascending and each once, full fine-tuning last.
func (r samplesRequest) choices(c trialChoice, whole report.Report, l report.Ladder, facts sweep.Ladder) (all []trialChoice, err error) {
	there := finishedRanks(c, l, facts)
	recommended := l.Verdict.RecommendedRank
	wanted := r.ranks
	if len(wanted) == 0 {
		if recommended == nil || whole.Recommendation.Ladder == 0 {
			return nil, notFoundf("sweep %s recommends no rank yet; name one that is finished with --rank: %s", whole.Sweep, listRanks(there))
		}
		wanted = []string{strconv.Itoa(*recommended)}
	}
	var ranks []int
	full := false
	for _, name := range wanted {
		rank, err := strconv.Atoi(name)
		switch {
		case name == allRanks && len(there) == 0:
			return nil, notFoundf("ladder %d of sweep %s has no finished trial yet", l.Number, whole.Sweep)
		case name == allRanks:
			ranks = append(ranks, there...)
		case name == "full":
			full = true
		case err != nil:
			return nil, usagef("--rank %s: want a rank of the ladder, %s or full", name, allRanks)
		case !slices.ContainsFunc(facts.Rungs, func(r sweep.Rung) bool { return r.Rank == rank }):
			return nil, notFoundf("rank %d is not in ladder %d of sweep %s; with a finished trial there are: %s", rank, l.Number, whole.Sweep,
				listRanks(there))
		default:
			ranks = append(ranks, rank)
		}
	}
	slices.Sort(ranks)
	for _, rank := range slices.Compact(ranks) {
		c.rank = rank
		all = append(all, c)
	}
	if full {
		all = append(all, trialChoice{seed: c.seed, full: true})
	}
	return all, nil
}

// finishedRanks are the ranks of a ladder that have a finished trial, ascending.
func finishedRanks(c trialChoice, l report.Ladder, facts sweep.Ladder) (ranks []int) {
	for _, rung := range facts.Rungs {
		if c.rank = rung.Rank; len(c.finished(l, facts)) > 0 {
			ranks = append(ranks, rung.Rank)
		}
	}
	slices.Sort(ranks)
	return slices.Compact(ranks)
}

func listRanks(ranks []int) string {
	if len(ranks) == 0 {
		return "none"
	}
	words := make([]string, len(ranks))
	for i, r := range ranks {
		words[i] = strconv.Itoa(r)
	}
	return strings.Join(words, ", ")
}

// answers lets the base model and the adapters of the chosen trials answer.
func (a *app) answers(ctx context.Context, r samplesRequest, chosen []chosenTrial) (report.Samples, error) {
	first := chosen[0]
	spec := first.trial.Trial.Spec()
	o, err := a.generation(ctx, first.trial.Trial.Trial())
	if err != nil {
		return report.Samples{}, err
	}
	o.MaxNewTokens = r.most
	adapters := []string{""} // of the base
	for _, c := range chosen {
		dir, err := a.adapterFolder(c.trial, false)
		if err != nil {
			return report.Samples{}, err
		}
		adapters = append(adapters, dir)
	}
	asked, err := a.ask(ctx, r, first.trial.Trial.Trial(), &o)
	if err != nil {
		return report.Samples{}, err
	}
	out := report.Samples{
		Sweep: first.report.Sweep, Ladder: first.ladder.Number, Cell: first.ladder.Cell, Model: spec.Model, MaxNewTokens: r.most,
		Writers: writers(chosen), Samples: asked.samples, Warnings: []string{},
	}
	for i, w := range out.Writers {
		o.Adapter, o.Written = adapters[i], a.tokenProgress(w.Name, r.most)
		answers, warnings, err := trainer.Generate(ctx, o)
		if err != nil {
			return report.Samples{}, fmt.Errorf("%s: %w", w.Name, err)
		}
		for _, warning := range warnings {
			out.Warnings = append(out.Warnings, w.Name+": "+warning)
		}
		asked.add(answers)
	}
	return out, nil
}

// generation says with which model, numbers and backend a trial's adapter answers: its own.
func (a *app) generation(ctx context.Context, t trial.Trial) (o trainer.GenerateOptions, err error) {
	choice, err := a.resolveBackend(ctx, sweep.Info{})
	if err != nil {
		return o, asUsage(err)
	}
	o.Backend, o.Dtype, o.ComputeDtype = choice, t.Spec.Train.Dtype, t.Spec.Train.ComputeDtype
	if o.Model, err = trainer.Inspect(ctx, t.Spec.Model, trainer.InspectOptions{Hub: a.hub()}); err != nil {
		return o, asUsage(err)
	}
	if o.Model.Fingerprint != t.Base {
		return o, usagef("model %s has changed since trial %s was trained: restore it", t.Spec.Model, t.ID)
	}
	return o, nil
}

// asked are prompts whose answers are collected.
type asked struct {
	samples  []report.Sample
	prompter *corpus.Prompter
	stops    []int32
}

// ask makes the prompts, and tells o of them and of what ends an answer.
func (a *app) ask(ctx context.Context, r samplesRequest, t trial.Trial, o *trainer.GenerateOptions) (*asked, error) {
	files, err := trainer.Files(o.Model)
	if err != nil {
		return nil, err
	}
	out := &asked{}
	if out.prompter, err = corpus.NewPrompter(corpus.Source{Files: files, Model: o.Model, Spec: t.Spec.Data, Hub: a.hub()}); err != nil {
		return nil, err
	}
	if out.stops, err = out.prompter.Stops(); err != nil {
		return nil, err
	}
	o.Stops = out.stops
	for _, text := range r.prompts {
		ids, err := out.prompter.Prompt(ctx, text)
		if err != nil {
			return nil, err
		}
		o.Prompts = append(o.Prompts, ids)
		out.samples = append(out.samples, report.Sample{Prompt: text, PromptTokens: len(ids), Answers: []report.SampleAnswer{}})
	}
	if len(r.prompts) > 0 {
		return out, nil
	}
	rows, err := a.validationPrompts(ctx, t, o.Model, r.rows)
	if err != nil {
		return nil, err
	}
	for _, p := range rows {
		o.Prompts = append(o.Prompts, p.IDs)
		out.samples = append(out.samples, report.Sample{
			Row: &p.Row, Prompt: out.prompter.Text(p.IDs), PromptTokens: len(p.IDs), Expected: new(out.prompter.Answer(p.Expected, out.stops)),
			Answers: []report.SampleAnswer{},
		})
	}
	return out, nil
}

// add adds a writer's answers.
func (q *asked) add(answers []trainer.Answer) {
	for i, answer := range answers {
		s := &q.samples[i]
		text := q.prompter.Text(answer.IDs)
		s.Answers = append(s.Answers, report.SampleAnswer{
			Text: text, Tokens: len(answer.IDs), Ended: answer.Ended,
			Exact: s.Expected != nil && strings.TrimSpace(text) == strings.TrimSpace(*s.Expected),
		})
	}
}

// validationPrompts returns the prompts of a trial's first validation rows. Rows of which everything is scored do not say where answers
// begin: then they are made again as if answers alone were scored.
func (a *app) validationPrompts(ctx context.Context, t trial.Trial, m trial.ModelInfo, n int) (prompts []corpus.Prompt, err error) {
	path, err := a.corpusOf(ctx, t)
	if err != nil {
		return nil, err
	}
	if spec := t.Spec.Data; spec.ScorePrompts {
		spec.ScorePrompts = false
		info, _, err := a.newInputs().Corpus(ctx, m, spec)
		if err != nil {
			return nil, err
		}
		path = info.Path
	}
	c, err := corpus.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	prompts = c.Validation().Prompts(n)
	if len(prompts) == 0 {
		return nil, usagef("no validation row has a prompt and something after it: ask with --prompt")
	}
	return prompts, nil
}

// writers are the base model and the chosen trials.
func writers(chosen []chosenTrial) []report.SampleWriter {
	all := []report.SampleWriter{{Name: "base"}}
	for _, c := range chosen {
		spec := c.trial.Trial.Spec()
		recommended := c.ladder.Verdict.RecommendedRank
		all = append(all, report.SampleWriter{
			Name: spec.LoRA.RankName(), Rank: &spec.LoRA.Rank, Seed: &spec.Seed, Trial: c.trial.Trial.ID, ValLoss: c.trial.Final().ValLoss,
			Recommended: recommended != nil && *recommended == spec.LoRA.Rank,
		})
	}
	return all
}

// tokenProgress tells how far a model's answers are.
func (a *app) tokenProgress(name string, most int) func(tokens int) {
	say := a.sayAtTimes()
	return func(tokens int) { say("%s: %d of at most %s written", name, tokens, plural(most, "token")) }
}

// sampleRows has one row per prompt and writer.
func sampleRows(s report.Samples) (header []string, rows [][]string) {
	for _, sample := range s.Samples {
		expected := ""
		if sample.Expected != nil {
			expected = *sample.Expected
		}
		for j, answer := range sample.Answers {
			rows = append(rows, []string{
				optional(sample.Row, strconv.Itoa), sample.Prompt, expected, s.Writers[j].Name, answer.Text, strconv.Itoa(answer.Tokens),
				strconv.FormatBool(answer.Ended), strconv.FormatBool(answer.Exact),
			})
		}
	}
	return []string{"row", "prompt", "expected", "writer", "answer", "tokens", "ended", "exact"}, rows
}
