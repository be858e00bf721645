package report

import (
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// rung is the fixture of one rank: one entry per seed. A NaN-free loss makes a finished trial; outcome overrides.
type rung struct {
	rank    int
	losses  []float64
	train   float64
	outcome map[int]trial.Outcome // by index of the seed
	waiting bool                  // no attempt yet
	running bool                  // one attempt without an outcome
}

// fixture makes a snapshot of ladders over the same ranks, as a finished sweep of GPT-2's c_attn would leave it.
type fixture struct {
	name    string
	seeds   []int64
	limits  sweep.Limits
	elapsed time.Duration
	rule    plateau.Rule
	ladders []fixtureLadder
}

type fixtureLadder struct {
	dropout string
	rungs   []rung
	corpus  string
}

func (f fixture) snapshot() sweep.Snapshot {
	if f.rule.Patience == 0 {
		f.rule = plateau.DefaultRule()
	}
	f.rule.NoiseSource = plateau.NoiseDefault
	if f.rule.NoiseSD > 0 {
		f.rule.NoiseSource = plateau.NoiseFromGrid
	}
	s := sweep.Snapshot{Sweep: sweep.Info{
		ID: 1, Name: f.name, Rule: f.rule, Limits: f.limits, Elapsed: f.elapsed, Seeds: f.seeds,
		Backend: "xla:cpu sha256:ad1309ac822b", Platform: "xla:cpu",
	}}
	for i, l := range f.ladders {
		s.Ladders = append(s.Ladders, f.ladder(i, l))
	}
	return s
}

func (f fixture) ladder(index int, l fixtureLadder) sweep.Ladder {
	out := sweep.Ladder{ID: int64(index + 1), Index: index, Cell: sweep.Cell{
		{Name: "dropout", Value: l.dropout, Axis: len(f.ladders) > 1},
		{Name: "model", Value: "builtin:gopher"},
		{Name: "alpha", Value: "16"},
		{Name: "learning_rate", Value: "0.003"},
	}}
	out.Corpus.Fingerprint = l.corpus
	for _, r := range l.rungs {
		rung := sweep.Rung{Rank: r.rank}
		for j, seed := range f.seeds {
			rung.Trials = append(rung.Trials, r.trial(j, seed, l))
		}
		out.Rungs = append(out.Rungs, rung)
	}
	return out
}

func (r rung) trial(j int, seed int64, l fixtureLadder) sweep.TrialFacts {
	spec := trial.Spec{
		Model: "builtin:gopher", Seed: seed,
		LoRA: lora.Spec{Rank: r.rank, Alpha: 16, TargetModules: lora.Targets{List: []string{"c_attn"}}, Init: "kaiming"},
		Train: trial.TrainSpec{
			Steps: 250, BatchSize: 8, GradientAccumulationSteps: 1, LearningRate: 0.003, LRSchedulerType: "linear",
			EvalSteps: 25, Dtype: "float32",
		},
	}
	if l.dropout != "0" {
		spec.LoRA.Dropout = 0.1
	}
	t := sweep.TrialFacts{Trial: trial.New(spec, "base", l.corpus, "xla:cpu").Brief()}
	if r.waiting {
		return t
	}
	t.TrainableParams = int64(2048 * r.rank)
	t.Prediction = &trial.Prediction{PredictedBytes: 430<<20 + int64(r.rank)<<16, Source: "last rung + analysis"}
	t.Memory = trial.Memory{PeakHostBytes: new(int64(410<<20) + int64(r.rank)<<16 + int64(j)<<12), HostSource: "VmHWM"}
	attempt := sweep.AttemptFacts{ID: trial.AttemptID(fmt.Sprintf("%s/1", t.Trial.ID)), Number: 1, CheckpointStep: -1}
	if !r.running {
		attempt.Outcome = r.result(j)
	}
	t.Attempts = []sweep.AttemptFacts{attempt}
	t.LastStep = 250
	if attempt.Outcome != nil && attempt.Outcome.State == trial.OutcomeDone {
		best := *attempt.Outcome.ValLoss
		t.Evaluations = []sweep.StepLoss{{Step: 0, ValLoss: 5.05}, {Step: 225, ValLoss: best + 1e-4}, {Step: 250, ValLoss: best}}
	}
	return t
}

func (r rung) result(j int) *trial.Outcome {
	if o, ok := r.outcome[j]; ok {
		return &o
	}
	return &trial.Outcome{
		State: trial.OutcomeDone, Step: 250, ValLoss: &r.losses[j], BestStep: 250, LastValLoss: &r.losses[j], TrainLoss: &r.train,
		Tokens: 126000, TrainSeconds: 6.2 + float64(r.rank)/40 + float64(j)/10, TotalSeconds: 9,
	}
}

// measured is a ladder of three seeds that lie .037 apart and agree on the gains to about .001.
func measured(means ...float64) []rung {
	var out []rung
	wobble := []float64{0.0007, -0.0011, 0.0004, 0.0009, -0.0006, 0.0002, -0.0008}
	for i, m := range means {
		w := wobble[i%len(wobble)]
		out = append(out, rung{rank: 1 << i, train: m - 0.05, losses: []float64{m + 0.037 + w, m - 0.002 - w/2, m - 0.035 - w/2}})
	}
	return out
}
