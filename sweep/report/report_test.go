package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // a test flag

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file (write it with -update): %v", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), rewrite it with -update:\n%s", name, diff)
	}
}

// TestReportOfForgetting: what data.retain lost stands in every form, and only where the grid has data.retain (the golden files
// of the others have none of it).
func TestReportOfForgetting(t *testing.T) {
	t.Parallel()
	s := states()[plateau.StatePlateau].snapshot()
	for i := range s.Ladders[0].Rungs {
		for j := range s.Ladders[0].Rungs[i].Trials {
			o := s.Ladders[0].Rungs[i].Trials[j].Attempts[0].Outcome
			o.BaseRetain, o.RetainLoss = new(3.0), new(3+0.125*float64(i)+0.01*float64(j-1))
		}
	}
	r := Build(s)
	var text, csv, body bytes.Buffer
	for _, err := range []error{r.Text(&text, Options{Width: 120}), r.CSV(&csv), r.JSON(&body)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "forgetting.txt", text.Bytes())
	var got struct {
		Ladders []struct {
			Rungs []struct {
				Trials []struct {
					RetainLoss float64 `json:"retain_loss"`
					Forgetting float64 `json:"forgetting"`
				}
			}
		}
	}
	if err := json.Unmarshal(body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if first := got.Ladders[0].Rungs[2].Trials[1]; first.RetainLoss != 3.25 || first.Forgetting != 0.25 {
		t.Errorf("trial in JSON = %+v", first)
	}
	header, _, _ := strings.Cut(csv.String(), "\n")
	if !strings.HasSuffix(header, ",retain_loss,forgetting") || !strings.Contains(csv.String(), ",3.25,0.25\n") {
		t.Errorf("CSV:\n%s", csv.String())
	}
}

// TestReportOfMetrics: every metric is judged by itself, and the report says where they disagree; val_loss decides alone.
func TestReportOfMetrics(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]plateau.Rule{"metrics": {}, "metrics_nats": natsRule()} {
		f := states()[plateau.StatePlateau]
		f.rule = rule
		s := f.snapshot()
		for i := range s.Ladders[0].Rungs {
			for j := range s.Ladders[0].Rungs[i].Trials {
				facts := &s.Ladders[0].Rungs[i].Trials[j]
				o := facts.Attempts[0].Outcome
				o.BaseRetain, o.RetainLoss = new(3.0), new(3+0.125*float64(i)+0.001*float64(j-1))
				facts.Evaluations = []sweep.StepLoss{
					{
						Step: o.BestStep, ValLoss: *o.ValLoss, Measures: trial.Measures{
							TokenAccuracy: new(min(0.25+0.05*float64(i), 0.3+0.0001*float64(i)) + 0.0002*float64(j-1)),
							ExactMatch:    new(min(0.1*float64(i), 0.2) + 0.0004*float64(min(i, 1)*(j-1))),
						},
					},
				}
			}
		}
		r := Build(s)
		var text, csv bytes.Buffer
		for _, err := range []error{r.Text(&text, Options{Width: 120}), r.CSV(&csv)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		golden(t, name+".txt", text.Bytes())
		if header, _, _ := strings.Cut(csv.String(), "\n"); !strings.HasSuffix(header, ",token_accuracy,exact_match,retain_loss,forgetting") {
			t.Errorf("CSV begins with %s", header)
		}
		got := map[string]int{}
		for _, m := range r.Ladders[0].Metrics {
			got[m.Name] = int(optionalValue(rankOf(m)))
		}
		want := map[string]int{"val_loss": 8, "perplexity": 0, "token_accuracy": 2, "exact_match": 4, "forgetting": 1}
		if diff := cmp.Diff(want, got); diff != "" || *r.Ladders[0].Verdict.RecommendedRank != 8 {
			t.Errorf("recommended ranks (-want +got):\n%s", diff)
		}
	}
}

// rankOf is a metric's recommended rank, nil where it has none.
func rankOf(m Metric) *float64 {
	if m.RecommendedRank == nil {
		return nil
	}
	return new(float64(*m.RecommendedRank))
}

// TestMetricsDisagree: only where a person who goes by the metric would take another rank.
func TestMetricsDisagree(t *testing.T) {
	t.Parallel()
	accuracy := metric{name: "token_accuracy", maximize: true}
	means := func(y ...float64) []plateau.RungVerdict {
		rows := make([]plateau.RungVerdict, len(y))
		for i, v := range y {
			rows[i] = plateau.RungVerdict{Rank: 1 << i, ValLoss: plateau.Interval{Mean: v}}
		}
		return rows
	}
	for name, test := range map[string]struct {
		state  plateau.State
		rank   int
		means  []float64
		byLoss int
		want   bool
	}{
		"a smaller rank is as good":     {plateau.StatePlateau, 1, []float64{.5, .501, .501}, 4, false},
		"a smaller rank is better":      {plateau.StatePlateau, 1, []float64{.5, .48, .47}, 4, true},
		"a larger rank is better":       {plateau.StatePlateau, 4, []float64{.5, .52, .53}, 1, true},
		"a larger rank is barely so":    {plateau.StatePlateau, 4, []float64{.5, .502, .505}, 1, false},
		"it has no conclusion":          {plateau.StateInconclusive, 4, []float64{.5, .52, .53}, 1, false},
		"it was not measured that high": {plateau.StatePlateau, 1, []float64{.5}, 8, false},
	} {
		v := plateau.Verdict{State: test.state, RecommendedRank: test.rank, MinGain: .01, Rungs: means(test.means...)}
		if got := accuracy.prefersAnother(v, test.byLoss); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// natsRule gives min_gain in nats, which only val_loss can be held to.
func natsRule() plateau.Rule {
	p := plateau.DefaultRule()
	p.MinGain = plateau.MinGain{Value: 0.024}
	return p
}

// TestReportOfNoAccuracy: a metric that the rule cannot judge says why and recommends nothing.
func TestReportOfNoAccuracy(t *testing.T) {
	t.Parallel()
	s := states()[plateau.StatePlateau].snapshot()
	for i := range s.Ladders[0].Rungs {
		for j := range s.Ladders[0].Rungs[i].Trials {
			facts := &s.Ladders[0].Rungs[i].Trials[j]
			facts.Evaluations = []sweep.StepLoss{{
				Step:     facts.Attempts[0].Outcome.BestStep,
				Measures: trial.Measures{TokenAccuracy: new(0.0), ExactMatch: new(0.0)},
			}}
		}
	}
	m := Build(s).Ladders[0].Metrics
	if len(m) != 4 || m[2].RecommendedRank != nil || !strings.Contains(m[2].Reason, "which is 0") {
		t.Errorf("metrics = %+v, want an accuracy of 0 refused", m)
	}
	if e := m[len(m)-1]; e.Name != "exact_match" || e.RecommendedRank != nil || e.State != "" || !strings.Contains(e.Reason, "0 at rank") {
		t.Errorf("metrics = %+v, want an exact match of 0 at every rank not called a plateau", m)
	}
}

// states are ladders of one cell, one for every state a verdict can have.
func states() map[plateau.State]fixture {
	seeds := []int64{0, 1, 2}
	one := func(rungs []rung) []fixtureLadder { return []fixtureLadder{{dropout: "0", rungs: rungs}} }
	worse := []rung{}
	for i, r := range measured(4.60, 4.63, 4.66) {
		r.train = 4.5 - float64(i)/10
		worse = append(worse, r)
	}
	noisy := measured(4.60, 4.59, 4.585)
	noisy[1].losses = []float64{4.655, 4.598, 4.547}
	noisy[2].losses = []float64{4.6475, 4.608, 4.574}
	fails := func(state trial.OutcomeState, text string, which ...int) map[int]trial.Outcome {
		out := map[int]trial.Outcome{}
		for _, i := range which {
			out[i] = trial.Outcome{State: state, Error: text, Step: 17}
		}
		return out
	}
	with := func(rungs []rung, more ...rung) []rung { return append(rungs, more...) }
	return map[plateau.State]fixture{
		plateau.StatePlateau:        {name: "plateau", seeds: seeds, ladders: one(measured(4.793, 4.712, 4.630, 4.570, 4.560, 4.556))},
		plateau.StateLikelyPlateau:  {name: "likely", seeds: seeds, ladders: one(noisy)},
		plateau.StateOverfit:        {name: "overfit", seeds: seeds, ladders: one(worse)},
		plateau.StateStillImproving: {name: "improving", seeds: seeds, ladders: one(measured(4.793, 4.712, 4.630))},
		plateau.StateInconclusive: {
			name: "inconclusive", seeds: []int64{7},
			ladders: one([]rung{{rank: 4, losses: []float64{4.63}, train: 4.5}}),
		},
		plateau.StateIncomplete: {name: "incomplete", seeds: seeds, ladders: one(with(measured(4.793, 4.712), rung{
			rank: 4, losses: []float64{4.66, 4.63, 4.60}, outcome: fails(trial.OutcomeFailed, "disk full: free some space", 1),
		}))},
		plateau.StateUnstable: {name: "unstable", seeds: seeds, ladders: one(with(measured(4.793), rung{
			rank: 2, losses: []float64{4.66, 4.63, 4.60}, outcome: fails(trial.OutcomeUnstable, "loss is not finite", 0, 2),
		}))},
		plateau.StateMemoryLimited: {
			name: "memory", seeds: seeds, limits: sweep.Limits{Memory: 430 << 20},
			ladders: one(with(measured(4.793, 4.712), rung{
				rank: 1024, losses: []float64{4.66, 4.63, 4.60}, outcome: fails(trial.OutcomeOverMemory, "needs 494 MiB of 430 MiB", 0, 1, 2),
			})),
		},
		plateau.StateTimeLimited: {name: "time", seeds: seeds, limits: sweep.Limits{Time: time.Hour}, elapsed: time.Hour, ladders: one(with(
			measured(4.793, 4.712), rung{rank: 4, outcome: fails(trial.OutcomeInterrupted, "", 0, 1, 2)}, rung{rank: 8, waiting: true}))},
		plateau.StateRunning: {name: "running", seeds: seeds, ladders: one(with(
			measured(4.793, 4.712), rung{rank: 4, running: true}, rung{rank: 8, waiting: true}))},
	}
}

func TestTextOfEveryState(t *testing.T) {
	t.Parallel()
	for state, f := range states() {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			r := Build(f.snapshot())
			if got := r.Ladders[0].Verdict.State; got != state {
				t.Fatalf("verdict = %s, want %s (%s)", got, state, r.Ladders[0].Verdict.Reason)
			}
			golden(t, string(state)+".txt", text2(t, r, Options{}))
		})
	}
}

// TestTextOfAdvice shows what a report says of ladders whose states do not tell all: trained too short or hardly at all, of
// another alpha policy, slower than allowed, over memory at once, or undecided by all the seeds that were allowed.
func TestTextOfAdvice(t *testing.T) {
	t.Parallel()
	seeds := []int64{0, 1, 2}
	one := func(name string, rungs []rung) fixture {
		return fixture{name: name, seeds: seeds, ladders: []fixtureLadder{{dropout: "0", rungs: rungs}}}
	}
	each := func(s sweep.Snapshot, change func(*sweep.TrialFacts)) sweep.Snapshot {
		for _, r := range s.Ladders[0].Rungs {
			for i := range r.Trials {
				change(&r.Trials[i])
			}
		}
		return s
	}
	stopped := func(state trial.OutcomeState) map[int]trial.Outcome {
		o := trial.Outcome{State: state, Error: "stopped", Step: 17}
		return map[int]trial.Outcome{0: o, 1: o, 2: o}
	}
	slow := one("slow", append(measured(4.793, 4.712), rung{rank: 4, outcome: stopped(trial.OutcomeOverTime)}))
	slow.limits.TrialTime = time.Minute
	big := one("big", []rung{{rank: 64, outcome: stopped(trial.OutcomeOverMemory)}, {rank: 128, waiting: true}})
	big.limits.Memory = 100 << 20
	noisy := measured(4.60, 4.59, 4.585)
	noisy[1].losses, noisy[2].losses = []float64{4.61, 4.60, 4.56}, []float64{4.63, 4.58, 4.57}
	policy := func(name string) sweep.Snapshot {
		s := one(name, measured(4.793, 4.712, 4.711, 4.710)).snapshot()
		s.Ladders[0].Cell[2].Value = "2r"
		return s
	}
	undecided := one("undecided", noisy).snapshot()
	undecided.Sweep.Confirm(3)
	for name, s := range map[string]sweep.Snapshot{
		"step-limited": each(one("short", measured(4.793, 4.712, 4.711, 4.710)).snapshot(),
			func(f *sweep.TrialFacts) { f.Evaluations[1].ValLoss += 0.01 }),
		"poor":         each(one("poor", measured(5.049, 5.048, 5.047)).snapshot(), func(*sweep.TrialFacts) {}),
		"alpha-policy": each(policy("policy"), func(f *sweep.TrialFacts) { f.Trial.Alpha = 2 * float64(f.Trial.Rank) }),
		"alpha-grows": each(policy("grows"), func(f *sweep.TrialFacts) {
			f.Trial.Alpha, f.Trial.Shared.Spec.LoRA.UseRSLoRA = 2*float64(f.Trial.Rank), true
		}),
		"slow": slow.snapshot(), "big": big.snapshot(), "undecided": undecided,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "advice-"+name+".txt", text2(t, Build(s), Options{}))
		})
	}
}

// TestStillImprovingSaysAtLeast: where the grid ended on a gain the answer is a lower bound with the command that goes on, and where no
// larger rank exists it is the answer.
func TestStillImprovingSaysAtLeast(t *testing.T) {
	t.Parallel()
	s := states()[plateau.StateStillImproving].snapshot()
	s.Sweep.GridPath = "/home/me/notes/gpt2.yaml"
	next := "write rank: [1, 2, 4, 8] into the grid's lora, then: sweep extend gpt2.yaml (no finished trial is trained again)"
	r := Build(s)
	if lead := r.Lead(); !strings.HasPrefix(lead.Summary, "Not settled: at least rank 4: ") || !strings.Contains(lead.Next, next) {
		t.Errorf("lead %q, %q", lead.Summary, lead.Next)
	}
	var md bytes.Buffer
	if err := r.Markdown(&md); err != nil || !strings.Contains(md.String(), "sweep extend gpt2.yaml") ||
		!strings.Contains(md.String(), "at least rank 4, at ") {
		t.Errorf("%v in\n%s", err, md.String())
	}
	s.Ladders[0].Model.Modules = []lora.Module{{Name: "h.0.c_attn", In: 4, Out: 12}}
	lead := Build(s).Lead()
	want := "Use rank 4, the largest that its targets allow: "
	if !strings.HasPrefix(lead.Summary, want) || !strings.HasPrefix(lead.Next, "Next: sweep export") {
		t.Errorf("where no larger rank exists: %q, %q", lead.Summary, lead.Next)
	}
}

// text2 prints the report, then the explanation of its first ladder.
func text2(t *testing.T, r Report, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Text(&b, o); err != nil {
		t.Fatal(err)
	}
	e, err := r.Explain("1")
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n=== explain 1\n")
	if err := e.Text(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTextOfOneSeed shows what the intervals rest on where no seed repeats another.
func TestTextOfOneSeed(t *testing.T) {
	t.Parallel()
	f := fixture{name: "one-seed", seeds: []int64{7}, rule: plateau.DefaultRule(), ladders: []fixtureLadder{{
		dropout: "0", rungs: measured(4.793, 4.712, 4.71, 4.709),
	}}}
	golden(t, "one-seed-default.txt", text2(t, Build(f.snapshot()), Options{}))
	f.rule.NoiseSD = 0.004
	golden(t, "one-seed.txt", text2(t, Build(f.snapshot()), Options{}))
	f.rule.NoiseSD, f.rule.NoiseSource = 0.008, plateau.NoiseFromGrid
	golden(t, "one-seed-given.txt", text2(t, Build(f.snapshot()), Options{}))
}

// TestMinGainBeforeTheFirstRung: a share of a loss that nobody has measured yet is no number.
func TestMinGainBeforeTheFirstRung(t *testing.T) {
	t.Parallel()
	f := fixture{name: "early", seeds: []int64{0, 1}, ladders: []fixtureLadder{{dropout: "0", rungs: []rung{{rank: 1, running: true}}}}}
	r := Build(f.snapshot())
	var j bytes.Buffer
	if err := r.JSON(&j); err != nil {
		t.Fatal(err)
	}
	if text := string(text2(t, r, Options{})); !strings.Contains(text, "numbers patience 2, confidence 0.95\n") ||
		strings.Contains(text, "min_gain 0") {
		t.Errorf("the text names a min_gain:\n%s", text)
	}
	if !strings.Contains(j.String(), `"min_gain": null`) {
		t.Errorf("the JSON names a min_gain:\n%s", j.String())
	}
}

// cells is a sweep of two cells: the second's best rank is a little better, the first's reaches nearly that with less.
func cells() fixture {
	return fixture{name: "cells", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{
		{dropout: "0", rungs: measured(4.793, 4.712, 4.630, 4.570, 4.560, 4.556)},
		{dropout: "0.1", rungs: measured(4.803, 4.722, 4.640, 4.590, 4.562, 4.558, 4.556)},
	}}
}

func TestTextOfSeveralLadders(t *testing.T) {
	t.Parallel()
	r := Build(cells().snapshot())
	golden(t, "cells.txt", text2(t, r, Options{}))
	narrow := text2(t, r, Options{Width: 80})
	golden(t, "cells-80.txt", narrow)
	for line := range strings.Lines(string(narrow)) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("line of %d columns, want at most 80: %s", n, line)
		}
	}
}

func TestColorIsOnlyBold(t *testing.T) {
	t.Parallel()
	r := Build(cells().snapshot())
	plain, colored := text2(t, r, Options{}), text2(t, r, Options{Color: true})
	if bytes.ContainsRune(plain, '\x1b') {
		t.Error("plain text holds escape sequences")
	}
	if got := strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(string(colored)); got != string(plain) {
		t.Errorf("without its escapes colored text differs (-plain +colored):\n%s", cmp.Diff(string(plain), got))
	}
}

func TestJSONAndCSV(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fixture{"memory": states()[plateau.StateMemoryLimited], "cells": cells()} {
		r := Build(f.snapshot())
		var j, c bytes.Buffer
		if err := errors.Join(r.JSON(&j), r.CSV(&c)); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", j.Bytes())
		golden(t, name+".csv", c.Bytes())
		if !json.Valid(j.Bytes()) {
			t.Errorf("%s.json is not JSON", name)
		}
	}
}

func TestRecommendation(t *testing.T) {
	t.Parallel()
	r := Build(cells().snapshot())
	rec := r.Recommendation
	if rec.Ladder != 2 || *rec.Rank != 16 || !rec.Final {
		t.Errorf("recommendation = ladder %d, rank %d, final %v, want 2, 16, true", rec.Ladder, *rec.Rank, rec.Final)
	}
	if rec.Cheapest == nil || rec.Cheapest.Ladder != 1 || rec.Cheapest.Rank != 8 {
		t.Fatalf("cheapest = %+v, want rank 8 of ladder 1", rec.Cheapest)
	}
	if got := rec.Cheapest.Loss.Mean; math.Abs(got-0.008) > 1e-12 || *rec.Cheapest.Loss.Lo > got || *rec.Cheapest.Loss.Hi < got {
		t.Errorf("loss increase = %+v, want 0.008 within its bounds", rec.Cheapest.Loss)
	}
}

func TestLossesOfOtherTokensDoNotCompete(t *testing.T) {
	t.Parallel()
	f := cells()
	f.ladders[1].corpus = "another"
	r := Build(f.snapshot())
	if r.Recommendation.Ladder != 1 || r.Recommendation.Cheapest != nil {
		t.Errorf("recommendation = ladder %d with equivalent %+v, want ladder 1 alone", r.Recommendation.Ladder, r.Recommendation.Cheapest)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "do not compare") {
		t.Errorf("warnings = %q, want one that says the losses do not compare", r.Warnings)
	}
}

func TestReportBeforeRegistration(t *testing.T) {
	t.Parallel()
	r := Build(sweep.Snapshot{Sweep: sweep.Info{Name: "early", Rule: plateau.DefaultRule(), Seeds: []int64{0}}})
	if r.Recommendation.Final || r.Recommendation.Rank != nil {
		t.Errorf("recommendation = %+v, want none that is final", r.Recommendation)
	}
	var b bytes.Buffer
	if err := errors.Join(r.Text(&b, Options{}), r.JSON(&b), r.CSV(&b)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Explain("1"); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("Explain(1) = %v, want ErrNotFound", err)
	}
}

func TestExplainFindsLadders(t *testing.T) {
	t.Parallel()
	r := Build(cells().snapshot())
	for name, want := range map[string]int{
		"1": 1, "2": 2, "id=2": 2, "dropout=0.1": 2, "model=builtin:gopher,dropout=0": 1,
		"dropout=0, alpha=16": 1,
	} {
		if e, err := r.Explain(name); err != nil || e.Ladder != want {
			t.Errorf("Explain(%s) = ladder %d, %v, want %d", name, e.Ladder, err, want)
		}
	}
	for name, want := range map[string]error{
		"0": sweep.ErrNotFound, "3": sweep.ErrNotFound, "id=9": sweep.ErrNotFound, "dropout=0.5": sweep.ErrNotFound,
		"": sweep.ErrNotFound, "alpha=16": ErrAmbiguous,
	} {
		if _, err := r.Explain(name); !errors.Is(err, want) {
			t.Errorf("Explain(%q) = %v, want %v", name, err, want)
		}
	}
}

// TestEvaluationsInTheCost: beside the training stands what evaluations took, the mean over the seeds, where that is known.
func TestEvaluationsInTheCost(t *testing.T) {
	t.Parallel()
	f := states()[plateau.StatePlateau]
	s := f.snapshot()
	rungs := s.Ladders[0].Rungs
	for i := range rungs {
		for j := range rungs[i].Trials {
			for k := range rungs[i].Trials[j].Evaluations {
				rungs[i].Trials[j].Evaluations[k].Seconds = 0.5 + float64(j)/10
			}
		}
	}
	rec := Build(s).Recommendation
	if got := rec.Cost.EvalSeconds; got == nil || math.Abs(*got-3*0.6) > 1e-9 {
		t.Errorf("EvalSeconds = %v, want three evaluations of 0.6 s on the mean", got)
	}
	want := " of training and 1.8s of evaluations (22" + noBreak + "% of the two) per trial"
	if got := costs(rec.Cost); !strings.HasSuffix(got, want) {
		t.Errorf("costs = %q, want an end like %q", got, want)
	}
}
