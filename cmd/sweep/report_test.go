package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// finishedRoot returns a root that holds a finished sweep "prose": ranks 1 to 8, flat from rank 2 on.
func finishedRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	info := sweep.Info{
		Name: "prose", GridText: "name: prose\n", GridHash: "hash", GridPath: "/grids/prose.yaml",
		Rule: plateau.DefaultRule(), Seeds: []int64{0, 1}, Created: time.Unix(1_800_000_000, 0).UTC(),
	}
	id, err := db.CreateSweep(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	plan := sweep.LadderPlan{
		Cell:   sweep.Cell{{Name: "alpha", Value: "16"}},
		Model:  trial.ModelInfo{Reference: "builtin:gopher", Fingerprint: "base", Architecture: "gpt2"},
		Corpus: trial.CorpusInfo{Fingerprint: "data", Path: "/cache/data"},
	}
	losses := map[int]float64{1: 4.8, 2: 4.6, 4: 4.599, 8: 4.598}
	for _, rank := range []int{1, 2, 4, 8} {
		rung := sweep.RungPlan{Rank: rank}
		for _, seed := range info.Seeds {
			spec := trial.Spec{Model: "builtin:gopher", Seed: seed, LoRA: lora.Spec{Rank: rank, Alpha: 16, Init: "kaiming"}}
			spec.Train = trial.TrainSpec{Steps: 4, BatchSize: 1, LearningRate: 0.003, LRSchedulerType: "linear", EvalSteps: 2}
			rung.Trials = append(rung.Trials, sweep.PlannedTrial{Trial: trial.New(spec, "base", "data", "go 0.1").Brief()})
		}
		plan.Rungs = append(plan.Rungs, rung)
	}
	registration := sweep.Registration{Backend: "go 0.1", Platform: "go", NoiseSource: "default", Ladders: []sweep.LadderPlan{plan}}
	if err := db.Register(t.Context(), id, registration); err != nil {
		t.Fatal(err)
	}
	for _, rung := range plan.Rungs {
		for _, planned := range rung.Trials {
			seed := float64(planned.Trial.Seed)
			finishTrial(t, db, planned.Trial.Trial(), losses[rung.Rank]+seed/20+float64(rung.Rank)*seed/1e4)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return root
}

// finishTrial records one attempt that ends with loss.
func finishTrial(t *testing.T, db *store.DB, tr trial.Trial, loss float64) {
	t.Helper()
	at := time.Unix(1_800_000_100, 0).UTC()
	if err := db.BeginAttempt(t.Context(), tr.ID, 1, trial.Assignment{Trial: tr, Platform: "go"}, at); err != nil {
		t.Fatal(err)
	}
	peak, train := int64(100<<20), loss-0.1
	err := db.AppendEvents(t.Context(), trial.AttemptID(fmt.Sprintf("%s/1", tr.ID)), []trial.Event{
		{Seq: 1, At: at, Kind: trial.EventStarted, Environment: &trial.Environment{
			PID: 1, Host: "here", Backend: "go 0.1", Platform: "go", TrainableParams: int64(100 * tr.Spec.LoRA.Rank),
		}},
		{Seq: 2, At: at, Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: &peak, HostSource: "VmHWM"}},
		{Seq: 3, At: at, Kind: trial.EventEval, Step: 2, Evaluation: &trial.Evaluation{ValLoss: loss + 0.2, Tokens: 630}},
		{Seq: 4, At: at, Kind: trial.EventEval, Step: 4, Evaluation: &trial.Evaluation{ValLoss: loss, Tokens: 630}},
		{Seq: 5, At: at, Kind: trial.EventPoint, Step: 1, Point: &trial.Point{Tokens: 7, TrainLoss: 5, LearningRate: 0.003}},
		{Seq: 6, At: at, Kind: trial.EventPoint, Step: 2, Point: &trial.Point{Tokens: 14, TrainLoss: train, LearningRate: 0.002}},
		{Seq: 7, At: at, Kind: trial.EventEnded, Outcome: &trial.Outcome{
			State: trial.OutcomeDone, Step: 4, ValLoss: &loss, BestStep: 4, LastValLoss: &loss, TrainLoss: &train, Tokens: 28,
			TrainSeconds: 2, TotalSeconds: 3,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReportCommand(t *testing.T) {
	t.Parallel()
	root := finishedRoot(t)
	code, table, stderr := sweepCommand(t, "report", "--root", root)
	if code != exitOK || !strings.HasPrefix(table, "Use rank 2: ") || stderr != "" {
		t.Errorf("report = %d, stderr %q, stdout:\n%s\nwant 0, nothing and a recommendation of rank 2", code, stderr, table)
	}
	if _, again, _ := sweepCommand(t, "report", "prose", "--root", root); again != table {
		t.Error("the report of the named sweep differs from that of the latest, which is the same")
	}
	var got struct {
		Schema  string
		Sweep   string
		Ladders []struct {
			Verdict struct {
				State           string
				RecommendedRank int `json:"recommended_rank"`
			}
			Rungs []struct{ Trials []json.RawMessage }
		}
	}
	_, body, _ := sweepCommand(t, "report", "--root", root, "-o", "json")
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "sweep.report/v1" || got.Sweep != "prose" || len(got.Ladders) != 1 || got.Ladders[0].Verdict.RecommendedRank != 2 {
		t.Errorf("report -o json = %+v, want the schema, the name and one ladder that recommends rank 2", got)
	}
	if _, text, _ := sweepCommand(t, "report", "--root", root, "-o", "md"); !strings.HasPrefix(text, "**Use rank 2: ") {
		t.Errorf("report -o md begins otherwise than with a recommendation of rank 2:\n%s", text)
	}
	file := filepath.Join(t.TempDir(), "trials.csv")
	if code, stdout, _ := sweepCommand(t, "report", "--root", root, "-o", "csv", "--out", file); code != exitOK || stdout != "" {
		t.Errorf("report --out = %d with stdout %q, want 0 and none", code, stdout)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 1+8 {
		t.Errorf("report -o csv has %d rows, %v, want a header and 8 trials", len(rows), err)
	}
}

// TestReportPage: the page of a sweep in a database has its curves.
func TestReportPage(t *testing.T) {
	t.Parallel()
	root := finishedRoot(t)
	file := filepath.Join(t.TempDir(), "report.html")
	if code, stdout, stderr := sweepCommand(t, "report", "--root", root, "-o", "html", "--out", file); code != exitOK || stdout+stderr != "" {
		t.Fatalf("report -o html = %d, %s%s", code, stdout, stderr)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<!DOCTYPE html>", `<p class="summary">Use rank 2: `, "Training loss by step", "Validation loss by step", "name: prose",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestExplainCommand(t *testing.T) {
	t.Parallel()
	root := finishedRoot(t)
	code, table, _ := sweepCommand(t, "explain", "1", "--root", root)
	words := strings.Join(strings.Fields(table), " ")
	if code != exitOK || !strings.Contains(words, "Rank 8 against rank 2: ") || !strings.Contains(words, "strike 2 of 2") {
		t.Errorf("explain 1 = %d:\n%s\nwant the step of rank 8 and its strike", code, table)
	}
	_, body, _ := sweepCommand(t, "explain", "id=1", "--sweep", "prose", "--root", root, "-o", "json")
	var got struct {
		Schema string
		Steps  []struct {
			Rank  int
			Gains []float64
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "sweep.explain/v1" || len(got.Steps) != 4 || len(got.Steps[1].Gains) != 2 {
		t.Errorf("explain -o json = %+v, want 4 steps, the second with 2 gains", got)
	}
}

func TestReportsOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	root := finishedRoot(t)
	for _, tt := range []struct {
		want int
		say  string
		args []string
	}{
		{exitNotFound, "prose", []string{"report", "other", "--root", root}},
		{exitNotFound, "no sweep was run", []string{"report", "--root", t.TempDir()}},
		{exitNotFound, "Ladder 1", []string{"explain", "7", "--root", root}},
		{exitUsage, "explain --help", []string{"explain", "--root", root}},
		{exitUsage, "-o", []string{"explain", "1", "--root", root, "-o", "csv"}},
		{exitUsage, "only reports", []string{"explain", "1", "--root", root, "-o", "md"}},
		{exitUsage, "only reports", []string{"scout", "none.yaml", "--root", root, "-o", "html"}},
	} {
		code, stdout, stderr := sweepCommand(t, tt.args...)
		if code != tt.want || stdout != "" || !strings.Contains(stderr, tt.say) {
			t.Errorf("sweep %s = %d, %q, want %d and a message with %q", strings.Join(tt.args, " "), code, stdout+stderr, tt.want, tt.say)
		}
	}
}
