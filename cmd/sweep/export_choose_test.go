package main

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// finishedLadder is a ladder whose trials all have a loss: losses[rank][seed], ranks doubling from 1.
func finishedLadder(index int, cell sweep.Cell, losses [][]float64) sweep.Ladder {
	l := sweep.Ladder{ID: int64(index + 1), Index: index, Cell: cell, Corpus: trial.CorpusInfo{Fingerprint: "tokens"}}
	for i, seeds := range losses {
		rung := sweep.Rung{Rank: 1 << i}
		for seed, loss := range seeds {
			spec := trial.Spec{Seed: int64(seed), LoRA: lora.Spec{Rank: rung.Rank, Alpha: float64(index + 1)}}
			tr := trial.New(spec, "base", "tokens", "go").Brief()
			done := &trial.Outcome{State: trial.OutcomeDone, ValLoss: &loss, LastValLoss: &loss, TrainLoss: &loss}
			rung.Trials = append(rung.Trials, sweep.TrialFacts{
				Trial: tr, Attempts: []sweep.AttemptFacts{{ID: trial.NewAttemptID(tr.ID, 1), Number: 1, Outcome: done}},
			})
		}
		l.Rungs = append(l.Rungs, rung)
	}
	return l
}

func lrCell(rate, alpha string) sweep.Cell {
	return sweep.Cell{
		{Name: "learning_rate", Value: rate, Axis: true},
		{Name: "alpha", Value: alpha, Axis: true},
		{Name: "model", Value: "builtin:gopher"},
	}
}

func TestTrialChoice(t *testing.T) {
	t.Parallel()
	rule := plateau.DefaultRule()
	rule.MinGain = plateau.MinGain{Value: 0.1}
	s := sweep.Snapshot{
		Sweep: sweep.Info{Name: "test", Rule: rule, Seeds: []int64{0, 1}},
		Ladders: []sweep.Ladder{ // the first is recommended at rank 2; the lowest loss of all is at rank 4 of the second
			finishedLadder(0, lrCell("0.001", "8"), [][]float64{{5, 5.1}, {4, 4.11}, {3.99, 4.1}, {3.99, 4.1}}),
			finishedLadder(1, lrCell("0.01", "8"), [][]float64{{6, 6.1}, {5, 5.11}, {4.99, 3.5}, {4.99, 5.1}}),
			finishedLadder(2, lrCell("0.01", "16"), [][]float64{{6, 6.1}, {5, 5.11}, {4.99, 5.1}, {4.99, 5.1}}),
		},
	}
	seed := func(n int64) *int64 { return &n }
	for name, tc := range map[string]struct {
		choice     trialChoice
		ladder     int
		rank       int
		seed       int64
		code       int
		complaints []string
	}{
		"recommended":      {choice: trialChoice{}, ladder: 1, rank: 2, seed: 0},
		"rank of the best": {choice: trialChoice{rank: 4, seed: seed(1)}, ladder: 1, rank: 4, seed: 1},
		"best of all":      {choice: trialChoice{best: true}, ladder: 2, rank: 4, seed: 1},
		"best of a rank":   {choice: trialChoice{best: true, rank: 1}, ladder: 1, rank: 1, seed: 0},
		"best of cells":    {choice: trialChoice{best: true, cell: []string{"learning_rate=0.01", "alpha=16"}}, ladder: 3, rank: 4, seed: 0},
		"another cell":     {choice: trialChoice{cell: []string{"alpha=16"}}, ladder: 3, rank: 2, seed: 0},
		"two settings":     {choice: trialChoice{cell: []string{"alpha=8", "learning_rate=0.01"}, rank: 1}, ladder: 2, rank: 1, seed: 0},
		"ambiguous": {
			choice: trialChoice{cell: []string{"learning_rate=0.01"}}, code: exitUsage,
			complaints: []string{"ladder 2: learning_rate=0.01 alpha=8", "ladder 3: learning_rate=0.01 alpha=16"},
		},
		"fixed for all": {
			choice: trialChoice{cell: []string{"model=builtin:gopher"}}, code: exitUsage,
			complaints: []string{"fits 3 cells", "ladder 1"},
		},
		"unknown setting": {
			choice: trialChoice{cell: []string{"rate=1"}}, code: exitUsage,
			complaints: []string{"no cell has a setting rate", "ladder 3"},
		},
		"no such value": {choice: trialChoice{cell: []string{"alpha=32"}}, code: exitNotFound, complaints: []string{"alpha is 8, 16"}},
		"no cell has both": {
			choice: trialChoice{cell: []string{"alpha=16", "learning_rate=0.001"}}, code: exitNotFound,
			complaints: []string{"alpha=16 learning_rate=0.001"},
		},
		"a rank that is not": {
			choice: trialChoice{rank: 3}, code: exitNotFound,
			complaints: []string{"rank 1 seed 0, rank 1 seed 1, rank 2 seed 0"},
		},
		"not a setting at all": {choice: trialChoice{cell: []string{"alpha"}}, code: exitUsage, complaints: []string{"KEY=VALUE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.choice.choose(s)
			if tc.code != exitOK {
				if err == nil || exitCode(err) != tc.code {
					t.Fatalf("choose = %+v, %v, want exit %d", got.trial.Trial, err, tc.code)
				}
				for _, part := range tc.complaints {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error lacks %q: %v", part, err)
					}
				}
				return
			}
			spec := got.trial.Trial.Spec()
			if err != nil || got.ladder.Number != tc.ladder || spec.LoRA.Rank != tc.rank || spec.Seed != tc.seed {
				t.Errorf("choose = ladder %d, rank %d, seed %d, %v, want %d, %d, %d", got.ladder.Number, spec.LoRA.Rank, spec.Seed, err,
					tc.ladder, tc.rank, tc.seed)
			}
		})
	}
}

// Of a rung whose learning rate was tuned the chosen value's trials count, unless the best of all is wanted: a lucky seed of
// another value is no reason to take that value.
func TestTrialChoiceAmongTunedValues(t *testing.T) {
	t.Parallel()
	l := finishedLadder(0, lrCell("0.001", "8"), [][]float64{{5, 5.1}, {4, 4.1}})
	l.Candidates = []sweep.Cell{{{Name: "learning_rate", Value: "0.001"}}, {{Name: "learning_rate", Value: "0.1"}}}
	for i, losses := range [][]float64{{6, 6}, {8, 3}} {
		for seed, loss := range losses {
			other := l.Rungs[i].Trials[seed]
			other.Candidate = 1
			other.Trial = other.Trial.Changed(func(s *trial.Spec) { s.Train.LearningRate = 0.1 })
			other.Attempts = []sweep.AttemptFacts{{Outcome: &trial.Outcome{
				State: trial.OutcomeDone, ValLoss: &loss,
				LastValLoss: &loss, TrainLoss: &loss,
			}}}
			l.Rungs[i].Trials = append(l.Rungs[i].Trials, other)
		}
	}
	s := sweep.Snapshot{Sweep: sweep.Info{Name: "test", Rule: plateau.DefaultRule(), Seeds: []int64{0, 1}}, Ladders: []sweep.Ladder{l}}
	for name, tc := range map[string]struct {
		choice    trialChoice
		candidate int
		loss      float64
	}{
		"recommended": {trialChoice{}, 0, 4},
		"best":        {trialChoice{best: true}, 1, 3},
	} {
		got, err := tc.choice.choose(s)
		if err != nil {
			t.Fatal(err)
		}
		if loss := *got.trial.Final().ValLoss; got.trial.Candidate != tc.candidate || loss != tc.loss {
			t.Errorf("%s: candidate %d, loss %v, want %d, %v", name, got.trial.Candidate, loss, tc.candidate, tc.loss)
		}
	}
}

// Losses over different tokens do not compare, and a sweep that is still starting has nothing.
func TestTrialChoiceWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	info := sweep.Info{Name: "test", Rule: plateau.DefaultRule(), Seeds: []int64{0}}
	other := finishedLadder(1, lrCell("0.01", "8"), [][]float64{{1}})
	other.Corpus.Fingerprint = "other tokens"
	started := finishedLadder(0, lrCell("0.001", "8"), [][]float64{{2}})
	started.Rungs[0].Trials[0].Attempts = nil
	for name, tc := range map[string]struct {
		ladders []sweep.Ladder
		code    int
		want    string
	}{
		"no ladders": {nil, exitNotFound, "still being read"},
		"corpora":    {[]sweep.Ladder{finishedLadder(0, lrCell("0.001", "8"), [][]float64{{2}}), other}, exitUsage, "ladders 1 and 2"},
		"no trial":   {[]sweep.Ladder{started}, exitNotFound, "no finished trial"},
	} {
		_, err := trialChoice{best: true}.choose(sweep.Snapshot{Sweep: info, Ladders: tc.ladders})
		if err == nil || exitCode(err) != tc.code || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: choose = %v, want exit %d and %q", name, err, tc.code, tc.want)
		}
	}
}
