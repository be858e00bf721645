package page

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // a test flag

// facts is the snapshot of a registration on which nothing ran yet.
func facts(name string, r sweep.Registration, seeds ...int64) sweep.Snapshot {
	s := sweep.Snapshot{Sweep: sweeptest.Info(name, seeds...)}
	s.Sweep.ID, s.Sweep.Backend, s.Sweep.Platform = 1, r.Backend, r.Platform
	for i, plan := range r.Ladders {
		l := sweep.Ladder{ID: int64(i + 1), Index: i, Cell: plan.Cell, Model: plan.Model, Corpus: plan.Corpus, Candidates: plan.Candidates}
		for _, rung := range plan.Rungs {
			l.Rungs = append(l.Rungs, sweep.Rung{Rank: rung.Rank})
			for _, t := range rung.Trials {
				into := &l.Rungs[len(l.Rungs)-1]
				into.Trials = append(into.Trials, sweep.TrialFacts{Trial: t.Trial, Candidate: t.Candidate})
			}
		}
		s.Ladders = append(s.Ladders, l)
	}
	return s
}

// finish gives a trial the facts of one that ended with a loss.
func finish(t *sweep.TrialFacts, loss float64) {
	at := time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)
	rank, train := int64(t.Trial.Rank), loss-0.0625
	peak := 400<<20 + rank<<18 + t.Trial.Seed<<20
	t.Attempts = []sweep.AttemptFacts{{
		ID: trial.NewAttemptID(t.Trial.ID, 1), Number: 1, Sweep: "s", Intended: at, LastSeq: 20, LastAt: at, CheckpointStep: 4,
		Outcome: &trial.Outcome{
			State: trial.OutcomeDone, Step: 4, ValLoss: &loss, BestStep: 4, LastValLoss: &loss, TrainLoss: &train, Tokens: 126_000,
			TrainSeconds: 60 + float64(rank)/8 + float64(t.Trial.Seed)/16,
		},
	}}
	t.Evaluations = []sweep.StepLoss{{Step: 0, ValLoss: 6}, {Step: 2, ValLoss: loss + 0.125}, {Step: 4, ValLoss: loss}}
	t.LastStep, t.TrainableParams = 4, 512*rank
	t.Memory = trial.Memory{PeakHostBytes: &peak, HostSource: "VmHWM"}
	t.Prediction = &trial.Prediction{AnalysisBytes: peak / 2, PredictedBytes: 401<<20 + rank<<18}
}

// learnt is a loss that falls with the rank up to 8.
func learnt(t trial.Trial) float64 {
	r := float64(max(1, min(t.Spec.LoRA.Rank, 8))) // of full fine-tuning 0
	return 5.03 - 0.11*math.Log2(r) + 0.04*float64(t.Spec.Seed) + 0.001*math.Sin(3*float64(t.Spec.LoRA.Rank)+float64(t.Spec.Seed)) +
		0.02*math.Abs(math.Log2(max(t.Spec.LoRA.Alpha, 1)/16)) + 0.01*math.Abs(math.Log10(t.Spec.Train.LearningRate/3e-3))
}

// train finishes all trials up to a rank.
func train(s sweep.Snapshot, upTo int) sweep.Snapshot {
	for _, l := range s.Ladders {
		for _, r := range l.Rungs {
			for i := range r.Trials {
				if r.Rank <= upTo {
					finish(&r.Trials[i], learnt(r.Trials[i].Trial.Trial()))
				}
			}
		}
	}
	return s
}

// besides has training losses of all trials with steps.
func besides(s sweep.Snapshot, steps int) Beside {
	b := Beside{TrainLosses: map[trial.ID][]trial.StepTrainLoss{}, Environments: []trial.Environment{{
		Platform: "xla:cpu", Device: "cpu", PluginVersion: "0.11.2", PluginSHA256: "abc",
		Versions: map[string]string{"go": "go1.26", "program": "dev"},
	}}}
	for _, t := range allFacts(s) {
		for i := range steps {
			if t.LastStep > 0 {
				b.TrainLosses[t.Trial.ID] = append(b.TrainLosses[t.Trial.ID], trial.StepTrainLoss{
					Step: i + 1, TrainLoss: learnt(t.Trial.Trial()) + 1/float64(i+1) + 0.05*math.Sin(float64(i*i)),
				})
			}
		}
	}
	return b
}

func ladder(ranks ...int) sweep.Snapshot {
	return facts("prose", sweeptest.Registration([]float64{16}, ranks, []int64{0, 1}), 0, 1)
}

func written(t *testing.T, s sweep.Snapshot, b Beside) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, s, b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// parts cuts a page into what people see and the data.
func parts(t *testing.T, page string) (main, data string) {
	t.Helper()
	_, rest, found := strings.Cut(page, "<main>\n")
	main, rest, closed := strings.Cut(rest, "</main>")
	_, rest, begun := strings.Cut(rest, `<script type="application/json" id="data">`)
	data, _, ended := strings.Cut(rest, "</script>")
	if !found || !closed || !begun || !ended {
		t.Fatal("the page has no main part or no data")
	}
	return main, data
}

func TestPage(t *testing.T) {
	t.Parallel()
	s := train(ladder(1, 2, 4), 4)
	main, _ := parts(t, written(t, s, besides(s, 4)))
	path := filepath.Join("testdata", "page.html")
	if *update {
		if err := os.WriteFile(path, []byte(main), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file (write it with -update): %v", err)
	}
	if diff := cmp.Diff(string(want), main); diff != "" {
		t.Errorf("the page differs (-want +got), rewrite it with -update:\n%s", diff)
	}
}

// TestPageCarriesTheReport: the data are the report's JSON, with the curves beside.
func TestPageCarriesTheReport(t *testing.T) {
	t.Parallel()
	s := train(facts("cells", sweeptest.Registration([]float64{8, 32}, []int{1, 2, 4, 8, 16, 32}, []int64{0, 1}), 0, 1), 32)
	s.Sweep.Warnings = []string{"</script><!-- \u202e & \x07"}
	_, data := parts(t, written(t, s, besides(s, 100)))
	var want bytes.Buffer
	if err := report.Build(s).JSON(&want); err != nil {
		t.Fatal(err)
	}
	var got, report map[string]any
	if err := json.Unmarshal([]byte(data), &got); err != nil {
		t.Fatalf("the page's data: %v", err)
	}
	if err := json.Unmarshal(want.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	curves, _ := got["curves"].(map[string]any)
	delete(got, "curves")
	if diff := cmp.Diff(report, got); diff != "" {
		t.Errorf("the page's data (-report +page):\n%s", diff)
	}
	if len(curves) != 24 {
		t.Errorf("the page has curves of %d trials, want 24", len(curves))
	}
}

// TestPageOfEveryMoment: whatever a sweep has come to, the page says what the report says.
func TestPageOfEveryMoment(t *testing.T) {
	t.Parallel()
	running := train(ladder(1, 2, 4), 1)
	running.Ladders[0].Rungs[1].Trials[0].Attempts = []sweep.AttemptFacts{{ID: "x/1", Number: 1, CheckpointStep: -1}}
	failed := train(ladder(1, 2), 1)
	failed.Ladders[0].Rungs[1].Trials[0].Attempts = []sweep.AttemptFacts{{ID: "x/1", Number: 1, CheckpointStep: -1, Outcome: &trial.Outcome{
		State: trial.OutcomeUnstable, Error: "loss is <b>not</b> finite",
	}}}
	rates := sweeptest.TunedRegistration([]float64{1e-3, 3e-3, 1e-2}, []float64{16}, []int{1, 2, 4}, []int64{0, 1})
	tuned := train(facts("tuned", rates, 0, 1), 4)
	one := train(facts("one", sweeptest.Registration([]float64{16}, []int{8}, []int64{7}), 7), 8)
	reference := train(ladder(1, 2, 4, 8, 16, 32), 32)
	for _, p := range sweeptest.Reference([]float64{1e-3}, []int64{0, 1}) {
		f := sweep.TrialFacts{Trial: p.Trial, Candidate: p.Candidate}
		finish(&f, 4.5)
		reference.Ladders[0].Reference = append(reference.Ladders[0].Reference, f)
	}
	limited := train(ladder(1, 2, 4), 4)
	limited.Sweep.Limits.Memory = 512 << 20
	for name, s := range map[string]sweep.Snapshot{
		"unregistered": {Sweep: sweeptest.Info("early", 0)}, "nothing ran": ladder(1, 2), "running": running, "failed": failed,
		"tuned": tuned, "one rank, one seed": one, "reference": reference, "limited": limited, "many": sweeptest.Large(40),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := written(t, s, besides(s, 4))
			main, _ := parts(t, got)
			summary := strings.ReplaceAll(report.Build(s).Recommendation.Summary, "+", "&#43;")
			if !strings.Contains(main, `<p class="summary">`+summary) {
				t.Errorf("the page lacks %q", summary)
			}
			if strings.Contains(main, "NaN") || strings.Contains(main, "ZgotmplZ") || strings.Contains(main, "Inf ") {
				t.Error("the page has a number that is none, or something the template refused")
			}
			if strings.Contains(main, "<b>") {
				t.Error("the page has a trial's error as markup")
			}
		})
	}
}

// TestPageIsSmall: 300 kB beside the data, for a sweep as quickstart's.
func TestPageIsSmall(t *testing.T) {
	t.Parallel()
	s := train(ladder(1, 2, 4, 8, 16, 32, 64), 64)
	page := written(t, s, besides(s, 250))
	_, data := parts(t, page)
	if size := len(page) - len(data); size > 300_000 {
		t.Errorf("the page has %d bytes beside its data of %d, want 300 000 at most", size, len(data))
	}
}

// TestLargePage: 10,000 trials in a page that a browser opens.
func TestLargePage(t *testing.T) {
	t.Parallel()
	s := sweeptest.Large(1000)
	begun := time.Now()
	page := written(t, s, besides(s, 0))
	_, data := parts(t, page)
	t.Logf("%d bytes, of which %d are data, in %s", len(page), len(data), time.Since(begun))
	if len(page) > 40_000_000 {
		t.Errorf("the page of 10 000 trials has %d bytes", len(page))
	}
}
