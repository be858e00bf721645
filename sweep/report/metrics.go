package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Metric is what one number says about a ladder's rank. val_loss is the ladder's verdict; the others are judged by the same rule
// over the grid's seeds, inform, and decide nothing. Perplexity is val_loss in other units, and has no verdict of its own.
type Metric struct {
	Name            string        `json:"metric"`
	State           plateau.State `json:"state,omitempty"` // absent where the rule cannot judge: see Reason
	RecommendedRank *int          `json:"recommended_rank"`
	BestRank        *int          `json:"best_rank"`
	Value           *float64      `json:"value"`    // mean over the grid's seeds at the recommended rank, perplexity's at val_loss's
	MinGain         *float64      `json:"min_gain"` // in the metric's own unit
	Reason          string        `json:"reason"`

	// disagrees says that a person who goes by this metric would take another rank than val_loss's.
	disagrees bool
}

// metric is how a trial is scored.
type metric struct {
	name     string
	maximize bool
	rate     bool                            // a gain is a difference: the value at the lowest rank may well be zero
	judged   func(sweep.TrialFacts) *float64 // what ranks are compared by
	shown    func(sweep.TrialFacts) *float64 // what is printed
}

// otherMetrics are those beside val_loss. Forgetting is compared by the loss on data.retain, from which it differs by what the base
// model scores there: a share of a difference that may be zero would mean nothing.
func otherMetrics() []metric {
	var all []metric
	for _, m := range trial.AllMeasures() {
		if m.Judged {
			value := func(t sweep.TrialFacts) *float64 { return m.Of(t.Best().Measures) }
			all = append(all, metric{name: m.Name, maximize: m.Maximize, rate: m.Rate, judged: value, shown: value})
		}
	}
	return append(all, metric{
		name: "forgetting", judged: func(t sweep.TrialFacts) *float64 { return t.Final().RetainLoss },
		shown: func(t sweep.TrialFacts) *float64 { return t.Final().Forgetting() },
	})
}

// perplexity is that of the mean loss, so that it is the same number wherever a report prints it.
func perplexity(loss *float64) Metric {
	out := Metric{Name: "perplexity", Reason: "val_loss in other units"}
	if loss != nil {
		out.Value = new(math.Exp(*loss))
	}
	return out
}

// metrics returns what each metric says, val_loss first; nil where nothing but the loss was measured.
func metrics(l sweep.Ladder, rule plateau.Rule, v plateau.Verdict) []Metric {
	if v.RecommendedRank == 0 || v.Leads() || v.State == plateau.StateUnstable { // no other number makes such training worth a rank
		return nil
	}
	loss := Metric{
		Name: "val_loss", State: v.State, RecommendedRank: &v.RecommendedRank, BestRank: nonZero(v.BestRank),
		MinGain: nonZero(v.MinGain), Reason: prose.Reason(v),
	}
	for _, r := range v.Rungs {
		if r.Rank == v.RecommendedRank {
			loss.Value = new(r.ValLoss.Mean)
		}
	}
	all := []Metric{loss, perplexity(loss.Value)}
	var measured []metric
	var rungs [][]plateau.Losses
	for _, m := range otherMetrics() {
		if losses := m.rungs(l); len(losses) > 0 {
			measured, rungs = append(measured, m), append(rungs, losses)
		}
	}
	if len(measured) == 0 {
		return nil
	}
	for i, m := range measured {
		all = append(all, m.judge(l, rungs[i], rule, v.RecommendedRank))
	}
	return all
}

// judge applies the rule, and compares with the rank that val_loss recommends. Its min_gain in nats and its noise_sd are val_loss's alone.
func (m metric) judge(l sweep.Ladder, rungs []plateau.Losses, rule plateau.Rule, byLoss int) Metric {
	out := Metric{Name: m.name}
	v, err := m.rule(rule).Judge(rungs)
	if err != nil {
		out.Reason = "the rule cannot judge: " + err.Error()
		return out
	}
	for _, r := range l.Rungs {
		if r.Rank == v.RecommendedRank {
			out.Value = m.mean(r)
		}
	}
	if m.rate && optionalValue(out.Value) == 0 { // equal zeros would pass for certainty
		out.Reason = fmt.Sprintf("nothing to judge: 0 at rank %d", v.RecommendedRank)
		return out
	}
	out.State, out.Reason, out.disagrees = v.State, prose.Reason(v), m.prefersAnother(v, byLoss)
	out.RecommendedRank, out.BestRank, out.MinGain = nonZero(v.RecommendedRank), nonZero(v.BestRank), nonZero(v.MinGain)
	return out
}

// prefersAnother reports whether a metric that came to a conclusion loses min_gain or more at the rank that val_loss recommends.
func (m metric) prefersAnother(v plateau.Verdict, byLoss int) bool {
	if v.State == plateau.StateInconclusive {
		return false
	}
	at := func(rank int) *float64 {
		for _, r := range v.Rungs {
			if r.Rank == rank {
				return &r.ValLoss.Mean
			}
		}
		return nil
	}
	there, best := at(byLoss), at(v.RecommendedRank)
	if there == nil || best == nil {
		return false
	}
	loss := *there - *best
	if m.maximize {
		loss = -loss
	}
	return loss >= v.MinGain
}

func (m metric) rule(p plateau.Rule) plateau.Rule {
	if !p.MinGain.Relative {
		p.MinGain = plateau.DefaultRule().MinGain
	}
	p.Maximize = m.maximize
	p.GridSeeds, p.MaxSeeds, p.Stop, p.Confirm = nil, 0, plateau.StopLikely, false // nothing is drawn for these
	p.NoiseSD, p.NoiseSource = 0, plateau.NoiseDefault
	if m.rate { // where one seed leaves nothing else, the noise is the default's part of min_gain, as it is for a loss
		p.MinGain.Relative, p.NoiseSD = false, plateau.DefaultNoise*p.MinGain.Value/plateau.DefaultRule().MinGain.Value
	}
	return p
}

// rungs returns the metric at every rank that was trained, up to the first that is not finished or lacks it.
func (m metric) rungs(l sweep.Ladder) []plateau.Losses {
	var all []plateau.Losses
	for _, r := range l.Rungs {
		if !started(r) {
			continue
		}
		if _, ok := r.Chosen(); !ok {
			break
		}
		rung := plateau.Losses{Rank: r.Rank, Complete: true}
		for _, t := range r.ChosenRung().Trials {
			if t.Extra {
				continue
			}
			if !scored(t) {
				rung.Complete = false
				continue
			}
			v := m.judged(t)
			if v == nil {
				return all
			}
			rung.Seeds, rung.ValLoss = append(rung.Seeds, t.Trial.Seed), append(rung.ValLoss, *v)
		}
		all = append(all, rung)
	}
	fullest := 0
	for _, r := range all {
		fullest = max(fullest, len(r.Seeds))
	}
	for i := range all { // some have fewer where seeds are taken as needed: those that ranks share count
		all[i].Complete = all[i].Complete && len(all[i].Seeds) == fullest
	}
	return all
}

// scored reports whether a trial ended with a loss.
func scored(t sweep.TrialFacts) bool { return t.Final() != nil && t.Final().ValLoss != nil }

// mean is over the grid's seeds; nil where one lacks the metric.
func (m metric) mean(r sweep.Rung) *float64 {
	var values []float64
	for _, t := range r.ChosenRung().Trials {
		if t.Extra || !scored(t) {
			continue
		}
		v := m.shown(t)
		if v == nil {
			return nil
		}
		values = append(values, *v)
	}
	return new(stat.Mean(values, nil))
}

// metrics prints what each metric says about the rank, and says so where they disagree.
func (t *text) metrics(l Ladder) {
	if len(l.Metrics) == 0 {
		return
	}
	var rows [][]string
	rank := func(n int) string { return fmt.Sprint(n) }
	for _, m := range l.Metrics {
		value := func(v float64) string {
			if m.MinGain == nil {
				return number(roundTo(v, 4))
			}
			return fixed(v, digits(*m.MinGain))
		}
		state := string(m.State)
		if state == "" {
			state = m.Reason
		}
		rows = append(rows, []string{m.Name, optional(m.RecommendedRank, rank), optional(m.BestRank, rank), optional(m.Value, value), state})
	}
	t.tabulate("", Table{[]string{"metric", "rank", "best", "value there", "verdict"}, rows}, "metric", "verdict")
	if text := l.disagreement(); text != "" {
		t.para("", "%s", text)
	}
}

func optionalValue(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// disagreement says which metrics would make a person take another rank than val_loss's; empty where none would.
func (l Ladder) disagreement() string {
	var parts []string
	for i, m := range l.Metrics {
		if i == 0 || m.disagrees {
			parts = append(parts, fmt.Sprintf("%s rank %d", m.Name, *m.RecommendedRank))
		}
	}
	if len(parts) < 2 {
		return ""
	}
	return "The metrics disagree on the rank: " + prose.List(parts) + ". The verdict is val_loss's alone."
}

// measured reports whether any ladder has metrics beside the loss.
func (r Report) measured() bool {
	return slices.ContainsFunc(r.Ladders, func(l Ladder) bool { return len(l.Metrics) > 0 })
}

// metricsLegend says how the metrics are judged.
func (r Report) metricsLegend() string {
	share, whose := r.Rule.minGain, "the grid's"
	if !share.Relative {
		share, whose = plateau.DefaultRule().MinGain, "the default, for the grid gives nats"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Metrics beside val_loss are judged by the same rule on the grid's seeds, with a min_gain of %s %% of the "+
		"lowest rank's value (%s)",
		number(share.Value*100), whose)
	separator, step := "; ", "the step of the lowest val_loss"
	for _, m := range trial.AllMeasures() {
		if !m.Judged || !m.Always && !r.has(func(t Trial) *float64 { return m.Of(t.Measures) }) {
			continue
		}
		fmt.Fprintf(&text, "%s%s is %s, at %s", separator, m.Name, m.Meaning, step)
		if m.Rate {
			fmt.Fprintf(&text, "; its min_gain is a difference of %s", number(share.Value))
		}
		separator, step = ". ", "that step"
	}
	text.WriteString(".")
	if r.retains() {
		text.WriteString(" Forgetting is compared by the loss on data.retain.")
	}
	return text.String()
}
