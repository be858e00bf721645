package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// Options say how text is laid out.
type Options struct {
	Width int  // columns to stay within where the numbers allow it; 0 means 100
	Color bool // bold headings; the caller decides by terminal and NO_COLOR
	Fit   bool // tables keep within Width too: they lose columns, and where that is not enough the ends of cells
}

// text writes lines and keeps the first error.
type text struct {
	w    io.Writer
	o    Options
	rule Rule
	err  error

	record bool // what is printed is kept in lines instead
	lines  []Line

	glossary *prose.Glossary
	said     strings.Builder // since words were explained last
}

func newText(w io.Writer, o Options, rule Rule) *text {
	if o.Width <= 0 {
		o.Width = 100
	}
	return &text{w: w, o: o, rule: rule, glossary: prose.NewGlossary()}
}

func (t *text) print(s string) {
	if t.err == nil && !t.record {
		s = strings.ReplaceAll(s, noBreak, " ") + "\n"
		t.said.WriteString(strings.NewReplacer(boldOn, "", boldOff, "").Replace(s))
		_, t.err = io.WriteString(t.w, s)
	}
}

// words explains the terms that stand above for the first time.
func (t *text) words() {
	terms := t.glossary.Explain(t.said.String())
	if len(terms) > 0 {
		t.para("Words: ", "%s", prose.Meanings(terms))
	}
	t.said.Reset()
}

// para prints a wrapped paragraph; its further lines are indented by as much as its label takes.
func (t *text) para(label, format string, args ...any) {
	if t.record {
		t.lines = append(t.lines, Line{Label: strings.TrimSpace(label), Text: fmt.Sprintf(format, args...)})
		return
	}
	indent := strings.Repeat(" ", len(label))
	t.print(label + wrap(fmt.Sprintf(format, args...), t.o.Width-len(label), indent))
}

const boldOn, boldOff = "\x1b[1m", "\x1b[0m"

func (t *text) bold(s string) string {
	if !t.o.Color {
		return s
	}
	return boldOn + s + boldOff
}

// Text prints the report for people: the recommendation first, then every ladder with its table and verdict.
func (r Report) Text(w io.Writer, o Options) error {
	buffered := bufio.NewWriter(w)
	t := newText(buffered, o, r.Rule)
	r.Shell = r.Shell.Unbroken()
	t.whole(r)
	return cmp.Or(t.err, buffered.Flush())
}

// whole prints all of a report.
func (t *text) whole(r Report) {
	t.recommendation(r)
	t.print("")
	t.header(r)
	t.axes(r)
	t.words()
	for _, l := range r.Ladders {
		t.print("")
		t.ladder(l, r.Shell)
		t.words()
	}
	t.print("")
	t.legends(r)
	t.answer(r)
}

// legends explain the columns of tables.
func (t *text) legends(r Report) {
	t.legend()
	if r.Strategy == sweep.StrategyScreen && r.screened() {
		t.para("", "Column \"screened\" has the mean losses of the screened rank's adapters truncated to each rank: "+
			"they chose the ranks to train, "+
			"too pessimistic at low ones, and no verdict rests on them.")
	}
	if r.Strategy.Scouts() && r.screened() {
		t.para("", "Column \"scouted\" has what one trial showed of every rank: the largest one trained, then cut down to each lower rank and "+
			"trained on for a tenth of the steps. It is an estimate, and no verdict rests on it.")
	}
	if r.retains() {
		t.para("", "Forgetting is how much higher the loss on data.retain is at the best step than before training, in nats per token.")
	}
	if r.measured() {
		t.para("", "%s", r.metricsLegend())
	}
}

func (t *text) recommendation(r Report) {
	lead := r.Lead()
	t.heading(wrap(lead.Summary, t.o.Width, ""))
	for _, sentence := range lead.sentences() {
		t.para("", "%s", sentence)
	}
}

// answer repeats the recommendation: what a terminal shows last is what stays on the screen.
func (t *text) answer(r Report) {
	lead := r.Lead()
	if !r.recommends() && lead.Next == "" {
		return
	}
	t.print("")
	t.heading(wrap(lead.Summary, t.o.Width, ""))
	if lead.Next != "" {
		t.para("", "%s", lead.Next)
	}
}

// screened reports whether some table has the losses that chose the ranks.
func (r Report) screened() bool {
	return slices.ContainsFunc(r.Ladders, func(l Ladder) bool {
		return slices.ContainsFunc(l.Rungs, func(r Rung) bool { return r.ScreenedLoss != nil })
	})
}

// Served says in a sentence how an adapter is served; merge is the command that makes a model of one that nothing serves.
func Served(s lora.Serving, merge string) string {
	switch {
	case s.Served():
		return fmt.Sprintf("Serve with vLLM --max-lora-rank %d.", *s.MaxLoRARank)
	case s.MaxLoRARank == nil:
		return fmt.Sprintf("vLLM serves adapters up to rank %d, not %d: merge this one into the model (%s).", lora.VLLMMaxRank, s.Rank, merge)
	}
	return fmt.Sprintf("vLLM serves no adapter with %s: merge this one into the model (%s).", prose.List(s.Unsupported), merge)
}

func (r Recommendation) larger(decimals int) string {
	s := r.Larger
	if s == nil {
		return ""
	}
	return fmt.Sprintf("Going to %d %s nats%s for %s.", s.Rank, effect("buys", "loses", s.Gain, decimals), s.unbounded(),
		extras(r.Cost, s.Cost))
}

func (r Recommendation) smaller(decimals int) string {
	s := r.Smaller
	if s == nil {
		return ""
	}
	return fmt.Sprintf("Going down to %d %s nats%s, for %s.", s.Rank, effect("costs", "wins", s.Gain, decimals), s.unbounded(),
		extras(r.Cost, s.Cost))
}

// effect prints a gain behind the verb that suits its sign.
func effect(positive, negative string, gain plateau.Interval, decimals int) string {
	if gain.Mean >= 0 {
		return positive + " " + bounds(gain, decimals)
	}
	return negative + " " + bounds(turned(gain), decimals)
}

func (r Recommendation) cheapest(decimals int) string {
	e := r.Cheapest
	if e == nil {
		return ""
	}
	where := ""
	switch axes := e.Cell.Axes(); {
	case e.Ladder == r.Ladder && r.Smaller != nil && e.Rank == r.Smaller.Rank:
		return fmt.Sprintf("Rank %d is the cheapest whose mean is within min_gain.", e.Rank)
	case e.Ladder != r.Ladder && axes != "":
		where = fmt.Sprintf(" with %s (ladder %d)", axes, e.Ladder)
	case e.Ladder != r.Ladder:
		where = fmt.Sprintf(" of ladder %d", e.Ladder)
	}
	return fmt.Sprintf("Cheapest within min_gain: rank %d%s, %s nats higher, for %s.", e.Rank, where, bounds(e.Loss, decimals),
		extras(r.Cost, e.Cost))
}

func (t *text) header(r Report) {
	noise := ""
	if len(r.Seeds) == 1 {
		noise = "; one seed, so the intervals rest on noise_sd " + r.Rule.noise()
		if slices.ContainsFunc(r.Ladders, func(l Ladder) bool { return l.extraSeeds() != "" }) {
			noise += ", but for those of ranks with further seeds"
		}
	}
	t.para("", "Sweep %s: %d %s, %s %s%s. Backend %s.", r.Sweep, len(r.Ladders), plural("ladder", len(r.Ladders)),
		plural("seed", len(r.Seeds)), prose.List(r.Seeds), noise, orNone(r.Backend))
	if steps := r.steps(); steps != "" {
		t.para("", "Trained: %s", steps)
	}
	for _, warning := range r.Warnings {
		t.para("Warning: ", "%s", warning)
	}
}

func (r Rule) noise() string {
	if r.NoiseSD == 0 {
		return number(100*plateau.DefaultNoise) + " % of the lowest rank's loss (default)"
	}
	return fmt.Sprintf("%s (%s)", number(r.NoiseSD), r.NoiseSource)
}

func (l Ladder) title() string {
	if axes := l.Cell.Axes(); axes != "" {
		return fmt.Sprintf("Ladder %d: %s", l.Number, axes)
	}
	return fmt.Sprintf("Ladder %d", l.Number)
}

func (t *text) ladder(l Ladder, shell prose.Shell) {
	t.heading(wrap(l.title(), t.o.Width, "  "))
	t.table(l)
	t.verdict(l, shell)
	t.metrics(l)
}

// headline is the verdict in a few words.
func (l Ladder) headline() string {
	v := l.Verdict
	if v.Outraced != nil {
		return v.Outraced.after(v.Screening)
	}
	rank := "no rank yet"
	switch {
	case v.Code == plateau.ReasonDiverged:
		rank = "no rank works"
	case v.RecommendedRank != nil:
		rank = fmt.Sprintf("%srank %d", AtLeast(v.State), *v.RecommendedRank)
	}
	return fmt.Sprintf("%s%s%s: %s", v.State, probability(v), v.over(), rank)
}

// AtLeast is what stands before the rank of a state that a larger one may follow.
func AtLeast(s plateau.State) string {
	if s == plateau.StateStillImproving {
		return "at least "
	}
	return ""
}

func (t *text) verdict(l Ladder, shell prose.Shell) {
	v := l.Verdict
	t.heading(l.headline())
	if l.Conditions.Steps > 0 {
		t.para("  at      ", "%s", l.Conditions)
	}
	if v.Choice != "" {
		t.para("  choice  ", "%s", v.Choice)
	}
	t.para("  why     ", "%s", v.Reason)
	t.para("  numbers ", "%s", t.numbers(v))
	if l.Reference != nil {
		t.para("  full    ", "%s", l.Reference.text(v.minGain()))
	}
	if v.Screening != nil {
		t.para(v.Screening.label(), "%s", v.Screening)
	}
	if seeds := l.extraSeeds(); seeds != "" {
		t.para("  seeds   ", "%s", seeds)
	}
	if seeds := l.fewerSeeds(t.rule); seeds != "" {
		t.para("  seeds   ", "%s", seeds)
	}
	if memory := l.mispredicted(); memory != "" {
		t.para("  memory  ", "%s", memory)
	}
	if l.Noise != nil {
		t.para("  noise   ", "%s", l.Noise)
	}
	for _, a := range shell.Advice(v.found) {
		t.para("  advice  ", "%s", a)
	}
	if v.Next != nil {
		t.para("  next    ", "%s", nextRung(*v.Next))
	}
	for _, f := range v.Flags {
		t.para("  flag    ", "%s", f)
	}
	t.problems(l)
}

func (t *text) numbers(v Verdict) string {
	rule := fmt.Sprintf("patience %d, confidence %s", t.rule.Patience, number(t.rule.Confidence))
	if v.MinGain != nil {
		rule = fmt.Sprintf("min_gain %s, %s", number(roundTo(*v.MinGain, 3)), rule)
	}
	parts := []string{rule}
	if v.BestRank != nil {
		parts = append(parts, fmt.Sprintf("lowest mean at rank %d", *v.BestRank))
	}
	if len(v.EquivalentRanks) > 0 {
		parts = append(parts, fmt.Sprintf("not shown worse by min_gain: %s %s", plural("rank", len(v.EquivalentRanks)),
			prose.List(v.EquivalentRanks)))
	}
	return strings.Join(parts, "; ")
}

// nextRung says what climbing on would take.
func nextRung(n plateau.NextRung) string {
	text := fmt.Sprintf("rank %d, %d %s", n.Rank, n.Seeds, plural("trial", n.Seeds))
	if n.PredictedBytes != nil {
		text += ", about " + size(*n.PredictedBytes) + " each"
	}
	if n.TrainSeconds != nil {
		text += ", about " + Seconds(*n.TrainSeconds) + " of training each"
	}
	return text
}

// problems lists the trials that ended otherwise than done.
func (t *text) problems(l Ladder) {
	for _, r := range l.Rungs {
		for _, trial := range r.all() {
			if trial.Error != "" {
				t.para("  trial   ", "%s (rank %d, seed %d%s) %s: %s", trial.ID, r.Rank, trial.Seed, r.tunedText(trial.ID), trial.State, trial.Error)
			}
		}
	}
	if len(l.NotStarted) > 0 {
		t.para("  rest    ", "%s %s not started", plural("rank", len(l.NotStarted)), prose.List(l.NotStarted))
	}
}

// String prints the conditions as they stand beside every verdict.
func (c Conditions) String() string {
	alpha := "alpha " + c.Alpha
	if !strings.HasSuffix(c.Alpha, "r") && !slices.Contains(c.Tuned, "alpha") {
		alpha += " fixed"
	}
	tokens := c.untrained
	if c.Tokens > 0 {
		tokens = count(c.Tokens) + " supervised tokens seen per trial"
	}
	epochs := ""
	if c.Epochs > 0 {
		epochs = " (" + tied(Epochs(c.Epochs)) + ")"
	}
	text := fmt.Sprintf("%s, scaling %s, learning rate %s %s, %d steps%s, %s", alpha, c.Scaling, number(c.LearningRate),
		c.Scheduler, c.Steps, epochs, tokens)
	if c.InitAdapter != "" {
		text += ", from the adapter " + c.InitAdapter
	}
	if len(c.Tuned) > 0 {
		text += fmt.Sprintf("; %s tuned at each rank, here the recommended one's", prose.List(c.Tuned))
	}
	return text
}

func (t *text) legend() { t.para("", "%s", t.rule.legend()) }

// legend explains the columns of a ladder's table.
func (r Rule) legend() string {
	return fmt.Sprintf("Losses are means over seeds, in nats per token. Gains are paired by seed, "+
		"over the incumbent rank in column \"over\". "+
		"Each bound of an interval holds at %s %%. Time is training alone, the mean of a rung's trials; memory their largest peak.",
		number(100-50*(1-r.Confidence)))
}
