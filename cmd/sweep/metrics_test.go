package main

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestMetricsCommand(t *testing.T) {
	t.Parallel()
	root, done, _ := midwayRoot(t)
	code, stdout, stderr := sweepCommand(t, "metrics", string(done.ID), "--root", root, "-o", "csv")
	want := `step,tokens,train_loss,grad_norm,learning_rate,val_loss
0,,,,,5
1,504,4.875,1.25,0.003,
2,1008,4.75,1.25,0.003,4.75
3,1512,4.625,1.25,0.003,
4,2016,4.5,1.25,0.003,4.5
`
	if diff := cmp.Diff(want, stdout); code != exitOK || diff != "" {
		t.Errorf("metrics -o csv = %d, %s (-want +got):\n%s", code, stderr, diff)
	}
	if _, stdout, _ = sweepCommand(t, "metrics", string(done.ID), "--root", root); !strings.Contains(stdout,
		" 4.8750 │    1.2500 │         0.003 │") {
		t.Errorf("the table of metrics is not rounded for people:\n%s", stdout)
	}
	_, stdout, _ = sweepCommand(t, "metrics", string(done.ID), "--root", root, "-o", "json")
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	points, evals := got["points"].([]any), got["evals"].([]any)
	first := map[string]any{"step": 1.0, "tokens": 504.0, "train_loss": 4.875, "grad_norm": 1.25, "learning_rate": 0.003}
	if diff := cmp.Diff(first, points[0]); diff != "" || len(points) != 4 {
		t.Errorf("metrics -o json has %d points, the first (-want +got):\n%s", len(points), diff)
	}
	if diff := cmp.Diff(map[string]any{"step": 4.0, "val_loss": 4.5, "perplexity": math.Exp(4.5)}, evals[2]); diff != "" || len(evals) != 3 {
		t.Errorf("metrics -o json has %d evals, the last (-want +got):\n%s", len(evals), diff)
	}
}

func TestMetricsAndShowOfForgettingAndAccuracy(t *testing.T) {
	t.Parallel()
	evals := []curveEval{
		{Step: 0, ValLoss: 5, Measures: trial.Measures{RetainLoss: new(3.0)}},
		{Step: 2, ValLoss: 4.8793219012, Measures: trial.Measures{
			RetainLoss: new(3.25), TokenAccuracy: new(0.5),
			ExactMatch: new(0.00012345678),
		}},
	}
	points := []curvePoint{{Step: 1, Point: trial.Point{
		Tokens: 504, TrainLoss: 4.9000000001, GradNorm: 12.345678,
		LearningRate: 0.0023456789,
	}}}
	c := curve{Points: points, Evals: evals}
	header, people := c.rows(formatMeasured, formatRate)
	_, full := c.rows(fullNumber, fullNumber)
	columns := []string{
		"step", "tokens", "train_loss", "grad_norm", "learning_rate", "val_loss", "token_accuracy",
		"exact_match", "retain_loss",
	}
	for _, tt := range []struct{ want, got [][]string }{
		{[][]string{
			columns,
			{"0", "", "", "", "", "5.0000", "", "", "3.0000"},
			{"1", "504", "4.9000", "12.3457", "0.00235", "", "", "", ""},
			{"2", "", "", "", "", "4.8793", "0.5000", "0.0001235", "3.2500"},
		}, append([][]string{header}, people...)},
		{[][]string{
			{"0", "", "", "", "", "5", "", "", "3"},
			{"1", "504", "4.9000000001", "12.345678", "0.0023456789", "", "", "", ""},
			{"2", "", "", "", "", "4.8793219012", "0.5", "0.00012345678", "3.25"},
		}, full},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	}
	shown := shownTrial{Result: &trial.Outcome{
		ValLoss: new(4.8793219012), TrainLoss: new(4.5), BestStep: 2, RetainLoss: new(3.25),
		BaseRetain: new(3.0),
	}}
	shown.Metrics = &shownMetrics{90, trial.Measures{TokenAccuracy: new(0.5), ExactMatch: new(0.125)}}
	shown.Spec.Data.Retain, shown.Spec.Data.ValidationSplit = []string{"code.txt"}, 0.07
	shown.Spec.LoRA = lora.Spec{Rank: 2, Alpha: 16, UseRSLoRA: true}
	var b bytes.Buffer
	if err := writeTrial(&b, shown, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"val_loss 4.8793 at step 2, mean train_loss 4.5000 since the evaluation before,",
		"perplexity 90.0000 at that step, token accuracy 0.5000, exact match 0.1250",
		"retain_loss 3.2500 at that step, 3.0000 at step 0: forgetting 0.2500", "code.txt", "7 % of the documents", "16 (scaling 11.3137)",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("show lacks %q:\n%s", want, b.String())
		}
	}
}
