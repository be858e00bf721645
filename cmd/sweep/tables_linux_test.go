package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// table is what a command prints, and what stays of its table at any width.
type table struct {
	render func(columns int) (string, error)
	keeps  []string // of the header, at 40 columns
	drops  []string // likewise, there at 120 columns
}

// ofView lays a view out as emit does.
func ofView(render func(w io.Writer) error) func(int) (string, error) {
	return func(columns int) (string, error) { return fitted(columns, render) }
}

// wideTables are results with every column that a command may have, and with words too long for a narrow line.
func wideTables(t *testing.T) map[string]table {
	t.Helper()
	losses := func(rank int) trial.Measures { return trial.Measures{TokenAccuracy: new(0.25 + float64(rank)/1000)} }
	points, evals := []curvePoint{}, []curveEval{}
	for step := 1; step <= 3; step++ {
		points = append(points, curvePoint{
			Step: step, Point: trial.Point{Tokens: 123456 * int64(step), TrainLoss: 5.25, GradNorm: 12.5, LearningRate: 2.5e-5},
		})
		evals = append(evals, curveEval{Step: step, ValLoss: 5.125, Measures: losses(step)})
	}
	cell := report.Cell{{Name: "target_modules", Value: "[q_proj,k_proj,v_proj,o_proj]", Axis: true}, {Name: "alpha", Value: "2r", Axis: true}}
	bytes, seconds := int64(12<<30), 4321.0
	plan := planView{
		Name: "wide", Seeds: 3, MinGain: "0.5%", Cells: 1, Trials: 27, Tokens: 12345678, rule: plateau.DefaultRule(), scouts: true,
		Protocols: []sweep.Protocol{{
			Name: sweep.ProtocolLadder, ExpectedTrials: 12, MostTrials: 27, ExpectedSeconds: &seconds, MostSeconds: &seconds,
		}},
		Ladders: []planLadder{{Ladder: 1, Cell: cell, Steps: 250, Epochs: 0.5, Rungs: []planRung{{
			Rank: 16, Alpha: 32, Scaling: 2, TrainableParams: 123456789, Trials: 3, Tokens: 1234567, PredictedBytes: &bytes, TrialSeconds: &seconds,
		}}}},
	}
	p := plateau.DefaultRule()
	verdict, err := p.Judge([]plateau.Losses{
		{Rank: 1, Seeds: []int64{0, 1}, ValLoss: []float64{5, 5.01}, Complete: true},
		{Rank: 128, Seeds: []int64{0, 1}, ValLoss: []float64{4.9, 4.8}, Complete: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	point := scoutPoint{Rank: 256, ValLoss: 4.8125, Error: 0.0125, Trained: new(4.8), Difference: new(0.0125)}
	rows := func(header []string, rows [][]string, drop ...string) func(w io.Writer) error {
		return func(w io.Writer) error { return writeTable(w, header, rows, drop...) }
	}
	return map[string]table{
		"metrics": {
			ofView(curve{Points: points, Evals: evals}.table),
			[]string{"step", "train_loss", "val_loss"},
			[]string{"tokens", "grad_norm", "learning_rate", "token_accuracy"},
		},
		"plan":    {ofView(plan.table), []string{"rank", "memory", "time each", "protocol", "at most"}, []string{"tokens each", "scaling"}},
		"plateau": {ofView(judgedLadder{verdict: verdict}.write), []string{"rank", "value", "decision"}, []string{"P(gain)", "gain [lo, hi]"}},
		"scout": {
			ofView(func(w io.Writer) error {
				v := scoutView{Ladders: []scoutLadder{{Ladder: 1, Cell: cell, Reason: "why", Curve: []scoutPoint{point}}}}
				return v.table(w, prose.Shell{Grid: "grid.yaml"})
			}),
			[]string{"rank", "val_loss", "error"},
			[]string{"trained"},
		},
		"shrink": {
			ofView(shrinkView{
				Rank: 256, To: 8, MinGain: 0.02, Serving: &lora.Serving{Rank: 8, MaxLoRARank: new(8)}, Written: "/somewhere/deep/down/in/a/folder",
				Ranks: []shrinkRank{{8, 4.8125, 0.0125, 123456}, {256, 4.8, 0, 12345678}},
			}.table),
			[]string{"rank", "val_loss", "differ", "chosen"},
			[]string{"size"},
		},
		"eval": {
			ofView(evalView{
				Evaluation: trainer.Evaluation{Loss: 4.8125, Perplexity: 123.4, Tokens: 1234567, Sequences: 1234, Measures: losses(1)},
				ValLoss:    new(4.8125),
			}.table),
			[]string{"loss", "perplexity"},
			[]string{"tokens", "sequences", "token_accuracy"},
		},
		"list": {
			ofView(rows(listHeader(), [][]string{{
				"notes-on-walks", "interrupted", "2026-11-29T21:05:44Z", "10", "900", "899", "1", "0", "12", "2h07m", "9 plateau",
			}}, "no_loss", "created", "unneeded", "ladders", "failed", "elapsed", "trials", "done")),
			[]string{"sweep", "state"},
			[]string{"unneeded", "ladders"},
		},
	}
}

// TestTablesFitEveryWidth: whatever a command prints keeps within 40, 80 and 120 columns, and loses the columns that matter least.
func TestTablesFitEveryWidth(t *testing.T) {
	t.Parallel()
	all := wideTables(t)
	root, done, _ := hostileRoot(t)
	data := filepath.Join(t.TempDir(), "losses.csv")
	if err := os.WriteFile(data, []byte("rank,seed,val_loss\n1,0,5\n1,1,5.01\n2,0,4.9\n2,1,4.92\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	grid := newTestSweep(t, "go", 10).path("grid.yaml")
	for _, args := range [][]string{
		{"report"},
		{"status"},
		{"list"},
		{"show", string(done.ID)},
		{"metrics", string(done.ID)},
		{"explain", "1"},
		{"plateau", data},
		{"plan", grid, "--no-calibrate"},
		{"plan", grid, "--targets"},
		{"validate", grid},
		{"backend", "list"},
	} {
		all["sweep "+strings.Join(args[:1], " ")+fmt.Sprint(len(args))] = table{render: func(columns int) (string, error) {
			return onTerminal(t, uint16(columns), append(args, "--root", root)...), nil
		}}
	}
	for name, test := range all {
		for _, columns := range []int{40, 80, 120} {
			text, err := test.render(columns)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			t.Run(fmt.Sprintf("%s at %d", name, columns), func(t *testing.T) {
				t.Parallel()
				within(t, columns, text)
				for _, word := range test.keeps {
					if !strings.Contains(text, word) {
						t.Errorf("lacks %q:\n%s", word, text)
					}
				}
				for _, word := range test.drops {
					if strings.Contains(text, " "+word+" │") != (columns == 120) && columns != 80 {
						t.Errorf("%q is shown or not:\n%s", word, text)
					}
				}
			})
		}
	}
}
