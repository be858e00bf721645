package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// planView is the result of sweep plan. Memory and time are nil where nothing was calibrated.
type planView struct {
	Name       string              `json:"name"`
	Strategy   sweep.Strategy      `json:"strategy"`
	Backend    string              `json:"backend,omitempty"`
	Jobs       int                 `json:"jobs,omitempty"`
	Cells      int                 `json:"cells"`
	Trials     int                 `json:"trials"`
	Tokens     int64               `json:"tokens"` // supervised ones of all trials together
	Seconds    *float64            `json:"seconds"`
	Protocols  []sweep.Protocol    `json:"protocols"`
	Forecast   *sweep.Forecast     `json:"forecast,omitempty"` // absent where nothing was measured
	Seeds      int                 `json:"seeds"`
	MinGain    string              `json:"min_gain"`
	Resolution *plateau.Resolution `json:"smallest_gain"` // that the seeds can certify; nil where they certify nothing
	Needed     plateau.SeedsNeeded `json:"seeds_to_certify"`
	Ladders    []planLadder        `json:"ladders"`
	Batches    []planBatch         `json:"batches,omitempty"` // what a cluster is handed first; absent where trials run on this machine
	Warnings   []string            `json:"warnings"`

	rule    plateau.Rule
	rows    int  // of the longest ladder
	scouts  bool // the grid can be scouted
	races   bool
	sparing bool // some ladder trains seeds as needed
}

type planLadder struct {
	Ladder int         `json:"ladder"` // from 1
	Cell   report.Cell `json:"cell"`
	Steps  int         `json:"steps"`            // of the first candidate; 0 for epochs of data that was not read
	Epochs float64     `json:"epochs,omitempty"` // how often these steps see each training row; absent where their number is not known
	Rungs  []planRung  `json:"rungs"`

	Reference *planRung `json:"reference,omitempty"` // full fine-tuning, estimated from the lowest rank
}

// planRung is what one rank will cost, per trial but for Trials.
type planRung struct {
	Rank            int      `json:"rank"`
	Alpha           float64  `json:"alpha"`
	Scaling         float64  `json:"scaling"`
	TrainableParams int64    `json:"trainable_params"`
	Trials          int      `json:"trials"`
	Tokens          int64    `json:"tokens"`
	PredictedBytes  *int64   `json:"predicted_bytes"`
	TrialSeconds    *float64 `json:"trial_seconds"`
	OverMemory      bool     `json:"over_memory"` // above limits.memory: it would not be started
}

func newPlanView(g grid.Grid, warnings []string) planView {
	return planView{
		Name: g.Name, Strategy: g.Strategy(), Seeds: len(g.Seeds), MinGain: g.Rule().MinGain.String(), Warnings: nonNil(warnings),
		rule: planned(g, "", sweep.Capacity{}).Rule,
	}
}

// compare adds what the protocols take: a scout only where the grid can be scouted.
func (v *planView) compare(g grid.Grid, r sweep.Registration, estimates []sweep.LadderEstimate, finished map[trial.ID]bool, jobs int) {
	v.Protocols = r.Protocols(planned(g, "", sweep.Capacity{}), estimates, finished, jobs)
	v.scouts, v.races = g.Allows(sweep.StrategyScout) == nil, r.Races(planned(g, "", sweep.Capacity{}))
	if !v.scouts {
		v.Protocols = slices.DeleteFunc(v.Protocols, func(p sweep.Protocol) bool { return p.Name == sweep.ProtocolScout })
	}
}

// writeProtocols prints a table of what each way to find the rank takes, and what its numbers rest on.
func (v planView) writeProtocols(w io.Writer) error {
	if len(v.Protocols) == 0 || v.Protocols[0].MostTrials == 0 {
		return nil
	}
	duration := func(s *float64) string { return optional(s, report.Seconds) }
	var rows [][]string
	for _, p := range v.Protocols {
		rows = append(rows, []string{
			p.Name, plural(p.ExpectedTrials, "trial"), duration(p.ExpectedSeconds), plural(p.MostTrials, "trial"), duration(p.MostSeconds),
		})
	}
	if err := writeTable(w, []string{"protocol", "expected", "time", "at most", "time"}, rows, "time", "time"); err != nil {
		return err
	}
	text := fmt.Sprintf("expected is the mean over all ranks as the answer: a ladder climbs %d further (patience)", v.rule.Patience)
	if v.scouts {
		text += fmt.Sprintf(", a scout trains the largest rank once, then the answer, one rank below it and %d above; it climbs if that misleads",
			v.rule.Patience)
	}
	_, err := io.WriteString(w, text+"\n"+v.seedsText()+v.raceText())
	return err
}

// raceText says what racing may save.
func (v planView) raceText() string {
	switch {
	case !v.races:
		return ""
	case v.Strategy == sweep.StrategyScout:
		return "racing over the cells may save more: cells whose scouts certainly lose train nothing else\n"
	}
	return "racing over the cells may save more, from the third rank on\n"
}

// seedsText says with how many seeds the protocols' ranks are counted, and what else is.
func (v planView) seedsText() string {
	text := fmt.Sprintf("at most is every rank with all %s", plural(v.Seeds, "seed"))
	if v.sparing {
		text += "; expected has them from the answer on, and below it those that a rank begins with: 2 at a climb's two lowest ranks, then 1 " +
			"(seeds_per_rank: needed)"
	}
	if v.rule.Stop == plateau.StopCertified {
		text += fmt.Sprintf("; to certify a plateau the sweep may draw more, up to %d per rank (stop: certified)", v.rule.SeedLimit(v.Seeds))
	}
	if slices.ContainsFunc(v.Ladders, func(l planLadder) bool { return l.Reference != nil }) {
		text += "; full fine-tuning is counted in every protocol"
	}
	return text + "\n"
}

// add appends one ladder. Where candidates differ in what they cost the first one stands for a trial, and the tokens of all of
// them for their sum.
func (v *planView) add(plan sweep.LadderPlan) {
	train := plan.Spec().Train
	l := planLadder{
		Ladder: len(v.Ladders) + 1, Cell: report.Cell(plan.Cell), Steps: train.Steps,
		Epochs: train.EpochsAt(train.Steps, plan.Corpus.TrainSequences),
	}
	for _, r := range plan.Rungs {
		specs := r.Specs()
		s := specs[0]
		rung := planRung{
			Rank: r.Rank, Alpha: s.LoRA.Alpha, Scaling: s.LoRA.Scaling(), TrainableParams: trainableParams(plan.Model, s.LoRA),
			Trials: len(specs), Tokens: plan.Tokens(s),
		}
		v.Trials += rung.Trials
		for _, spec := range specs {
			v.Tokens += plan.Tokens(spec)
		}
		l.Rungs = append(l.Rungs, rung)
	}
	if specs := (sweep.RungPlan{Trials: plan.Reference}).Specs(); len(specs) > 0 {
		l.Reference = &planRung{TrainableParams: trainableParams(plan.Model, specs[0].LoRA), Trials: len(specs), Tokens: plan.Tokens(specs[0])}
		v.Trials += len(specs)
		for _, spec := range specs {
			v.Tokens += plan.Tokens(spec)
		}
	}
	v.Ladders = append(v.Ladders, l)
	v.Cells = len(v.Ladders)
	v.rows = max(v.rows, len(plan.Rungs))
	v.sparing = v.sparing || v.rule.Sparing() && len(plan.Candidates) <= 1
	v.Resolution = v.rule.Resolution(v.Seeds, v.rows)
	v.Needed = v.rule.SeedsNeeded(v.rows)
}

// trainableParams counts what a trial trains; Expand has matched its targets.
func trainableParams(m trial.ModelInfo, l lora.Spec) int64 {
	n, err := l.TrainableParams(m.Modules, m.Tensors)
	if err != nil {
		return 0
	}
	return n
}

// predict fills in what a ladder's rungs and its reference are estimated to take.
func (v *planView) predict(ladder int, e sweep.LadderEstimate) {
	l := &v.Ladders[ladder]
	for i := range e.Rungs {
		l.Rungs[i].predict(e.Rungs[i])
	}
	if l.Reference != nil && e.Reference != nil {
		l.Reference.predict(*e.Reference)
	}
}

func (r *planRung) predict(e sweep.RungEstimate) {
	r.PredictedBytes, r.TrialSeconds, r.OverMemory = new(e.Bytes), new(e.TrialSeconds), e.OverMemory
}

// all are the rungs and, as the last of them, the reference.
func (l planLadder) all() []planRung {
	if l.Reference == nil {
		return l.Rungs
	}
	return append(slices.Clone(l.Rungs), *l.Reference)
}

// name is the rank, or what a reference is called.
func (r planRung) name() string {
	if r.Rank == 0 {
		return "full"
	}
	return strconv.Itoa(r.Rank)
}

// scale writes an adapter's alpha or scaling; a reference has neither.
func (r planRung) scale(v float64) string {
	if r.Rank == 0 {
		return ""
	}
	return formatFloat(v)
}

func (v planView) table(w io.Writer) error {
	tokens := ""
	if v.Tokens > 0 {
		tokens = ", at most " + report.Count(v.Tokens) + " supervised tokens"
	}
	if _, err := fmt.Fprintf(w, "sweep %s: %s, %s%s%s\n", v.Name, plural(v.Cells, "cell"), plural(v.Trials, "trial"), tokens,
		v.timeText()); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, v.resolutionText()); err != nil {
		return err
	}
	if err := v.writeProtocols(w); err != nil {
		return err
	}
	v.writeForecast(w)
	if v.Strategy == sweep.StrategyScreen {
		if _, err := fmt.Fprintln(w, "strategy screen: the largest rank that fits is trained first and truncated to every lower one; "+
			"of those only the ranks around the knee are trained, so the totals are upper bounds"); err != nil {
			return err
		}
	}
	if v.Strategy == sweep.StrategyScout && v.scouts {
		if _, err := fmt.Fprintln(w, "strategy scout: one more trial, of the largest rank that fits, shows every rank (a tenth more steps for "+
			"each lower one); then only the ranks around the knee of its curve are trained, so the totals are upper bounds but for "+
			"that trial"); err != nil {
			return err
		}
	}
	for _, l := range v.Ladders {
		if _, err := fmt.Fprintf(w, "\nladder %d: %s%s\n", l.Ladder, planCell(l.Cell), l.lengthText()); err != nil {
			return err
		}
		if err := writeTable(w, []string{"rank", "alpha", "scaling", "parameters", "trials", "tokens each", "memory", "time each"},
			l.rows(), "tokens each", "scaling", "alpha", "parameters", "trials"); err != nil {
			return err
		}
	}
	return v.writeBatches(w)
}

// writeForecast prints a line for each thing that a person should know before it costs.
func (v planView) writeForecast(w io.Writer) {
	f := v.Forecast
	if f == nil {
		return
	}
	if f.Finished > 0 {
		fmt.Fprintf(w, "%s finished before: not trained again\n", plural(f.Finished, "trial"))
	}
	if f.MostTrials == 0 && f.Finished > 0 {
		return
	}
	save := ""
	if f.EvaluationShare > muchEvaluation {
		save = ": fewer data.validation_sequences or a larger train.eval_steps save most"
	}
	fmt.Fprintf(w, "evaluation takes %.0f %% of the time%s\n", 100*f.EvaluationShare, save)
	for _, l := range f.Limits {
		fmt.Fprintln(w, l)
	}
	switch {
	case f.Cheaper != nil:
		what := "a grid that fits the memory"
		if f.Cheaper.Seconds > 0 {
			what = "a cheaper grid, at most " + report.Seconds(f.Cheaper.Seconds)
		}
		remove := ""
		if len(f.Cheaper.Remove) > 0 {
			remove = "remove " + strings.Join(f.Cheaper.Remove, ", ") + " and "
		}
		fmt.Fprintf(w, "%s; %sreplace in this one:\n", what, remove)
		fmt.Fprint(verbatim(w), f.Cheaper.Grid)
	case f.Extends != "" && len(f.Limits) > 0:
		fmt.Fprintf(w, "sweep %s is registered: extend takes a higher limit, but neither cheaper trials nor fewer ranks or seeds; give a "+
			"cheaper grid another name\n", f.Extends)
	case f.Hopeless && !f.Remedied():
		fmt.Fprintln(w, "no smaller grid of these models fits: raise the limit, or choose a smaller model or batch_size")
	}
}

// lengthText says how long a ladder's trials train, where that is known.
func (l planLadder) lengthText() string {
	if l.Epochs == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s, %s)", plural(l.Steps, "step"), report.Epochs(l.Epochs))
}

// muchEvaluation is the share of the time from which on evaluation is the first thing to save at.
const muchEvaluation = 0.3

func (v planView) timeText() string {
	if v.Seconds == nil {
		return ""
	}
	return fmt.Sprintf(", about %s with %s on %s", report.Seconds(*v.Seconds), plural(v.Jobs, "job"), v.Backend)
}

// resolutionText says what the seeds can certify, next to what the grid asks for.
func (v planView) resolutionText() string {
	unit, scale, source := " nats", 1.0, "noise_sd of the grid"
	if v.Resolution == nil {
		return fmt.Sprintf("%s can certify no plateau on a noise_sd that nobody gave (by default %g %% of the lowest rank's loss); "+
			"min_gain is %s",
			plural(v.Seeds, "seed"), 100*plateau.DefaultNoise, v.MinGain) + neededText(v.Needed, v.Seeds)
	}
	if v.Resolution.Relative {
		unit, scale = " % of the lowest rank's loss", 100
		source = fmt.Sprintf("noise_sd by default %g %% of that loss", scale*plateau.DefaultNoise)
	}
	text := fmt.Sprintf("smallest gain that %s can certify: %.3g%s at the second rank, %.3g at the last at best (%s); min_gain is %s",
		plural(v.Seeds, "seed"), scale*v.Resolution.Second, unit, scale*v.Resolution.Last, source, v.MinGain)
	return text + neededText(v.Needed, v.Seeds)
}

// neededText says what more seeds would do, where these do not do it.
func neededText(n plateau.SeedsNeeded, seeds int) string {
	if n.Last == nil || n.Second != nil && *n.Second <= seeds {
		return ""
	}
	second := fmt.Sprintf("more than %d", plateau.MostSeeds)
	if n.Second != nil {
		second = strconv.Itoa(*n.Second)
	}
	return fmt.Sprintf("\nseeds that could certify a gain of min_gain: %s at the second rank, %d at the last at best", second, *n.Last)
}

// planCell names a ladder by its axes, or by everything where it is the only one.
func planCell(c report.Cell) string {
	if axes := sweep.Cell(c).Axes(); len(axes) > 0 {
		return axes.String()
	}
	return sweep.Cell(c).String()
}

func (l planLadder) rows() [][]string {
	rows := make([][]string, len(l.all()))
	for i, r := range l.all() {
		memory, duration, tokens := "?", "?", "?"
		if l.Steps > 0 {
			tokens = report.Count(r.Tokens)
		}
		if r.PredictedBytes != nil {
			memory, duration = trial.FormatBytes(*r.PredictedBytes), report.Seconds(*r.TrialSeconds)
		}
		if r.OverMemory {
			memory, duration = memory+" over limit", "not started"
		}
		rows[i] = []string{
			r.name(), r.scale(r.Alpha), r.scale(r.Scaling), report.Count(r.TrainableParams),
			strconv.Itoa(r.Trials), tokens, memory, duration,
		}
	}
	return rows
}

func (v planView) csv() ([]string, [][]string) {
	header := []string{
		"ladder", "cell", "rank", "alpha", "scaling", "trainable_params", "trials", "tokens", "predicted_bytes",
		"trial_seconds", "over_memory",
	}
	var rows [][]string
	for _, l := range v.Ladders {
		for _, r := range l.all() {
			rows = append(rows, []string{
				strconv.Itoa(l.Ladder), planCell(l.Cell), r.name(), formatFloat(r.Alpha), formatFloat(r.Scaling),
				strconv.FormatInt(r.TrainableParams, 10), strconv.Itoa(r.Trials), strconv.FormatInt(r.Tokens, 10),
				optional(r.PredictedBytes, func(n int64) string { return strconv.FormatInt(n, 10) }), optional(r.TrialSeconds, formatFloat),
				strconv.FormatBool(r.OverMemory),
			})
		}
	}
	return header, rows
}
