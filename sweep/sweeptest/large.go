package sweeptest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Sizes runs a benchmark on sweeps of 10, 1,000 and 10,000 ladders; -short leaves the largest out.
func Sizes(b *testing.B, run func(b *testing.B, ladders int)) {
	b.Helper()
	for _, ladders := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("ladders=%d", ladders), func(b *testing.B) {
			if testing.Short() && ladders > 1_000 {
				b.Skip("large")
			}
			b.ReportAllocs()
			run(b, ladders)
		})
	}
}

// LargeRanks are the ranks of Large's ladders.
func LargeRanks() []int { return []int{1, 2, 4, 8, 16, 32, 64, 128, 256} }

// LargeSeeds are the seeds of Large.
func LargeSeeds() []int64 { return []int64{0, 1, 2} }

// Large is a sweep of so many ladders for benchmarks. Nine in ten found a plateau at rank 2 and left ranks from 16 on alone; each
// tenth still lacks two seeds of rank 2.
func Large(ladders int) sweep.Snapshot {
	s := sweep.Snapshot{Sweep: Info("large", LargeSeeds()...)}
	s.Sweep.ID, s.Sweep.Backend, s.Sweep.Platform = 1, Backend, "xla:cpu"
	model := Registration([]float64{16}, LargeRanks(), LargeSeeds()).Ladders[0].Model
	for i := range ladders {
		l := sweep.Ladder{
			ID: int64(i + 1), Index: i, Model: model, Corpus: trial.CorpusInfo{Fingerprint: "data", Path: "/cache/data"},
			Cell: sweep.Cell{{Name: "alpha", Value: decimal(float64(i + 1)), Axis: true}, {Name: "sequence_length", Value: "64"}},
		}
		for _, rank := range LargeRanks() {
			rung := sweep.Rung{Rank: rank}
			for _, seed := range LargeSeeds() {
				f := sweep.TrialFacts{Trial: Trial(float64(i+1), rank, seed).Brief()}
				if LargeTrained(i, rank, seed) {
					finish(&f, LargeLoss(i, rank, seed))
				}
				rung.Trials = append(rung.Trials, f)
			}
			l.Rungs = append(l.Rungs, rung)
		}
		s.Ladders = append(s.Ladders, l)
	}
	return s
}

// LargeTrained reports whether Large has a loss for a trial of a ladder.
func LargeTrained(ladder, rank int, seed int64) bool {
	if ladder%10 == 9 {
		return rank == 1 || rank == 2 && seed == 0
	}
	return rank < 16
}

// LargeLoss is the loss of a trial of Large.
func LargeLoss(ladder, rank int, seed int64) float64 {
	loss := 4.8
	if rank == 1 {
		loss = 5
	}
	return loss + 0.03*float64(seed) + 0.001*math.Sin(float64(ladder*31+rank*7)+float64(seed))
}

func finish(f *sweep.TrialFacts, loss float64) {
	at := time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)
	peak, train := int64(1<<30), loss-0.1
	f.Attempts = []sweep.AttemptFacts{{
		ID: trial.NewAttemptID(f.Trial.ID, 1), Number: 1, Sweep: "large", Intended: at, LastSeq: 20, LastAt: at, CheckpointStep: Steps,
		Outcome: &trial.Outcome{
			State: trial.OutcomeDone, Step: Steps, ValLoss: &loss, BestStep: Steps, LastValLoss: &loss, TrainLoss: &train, TrainSeconds: 60,
		},
	}}
	f.Evaluations = []sweep.StepLoss{{Step: 0, ValLoss: 6}, {Step: EvalSteps, ValLoss: loss + 0.1}, {Step: Steps, ValLoss: loss}}
	f.LastStep, f.TrainableParams, f.Memory = Steps, 512, trial.Memory{PeakHostBytes: &peak, HostSource: "VmHWM"}
	f.Prediction = &trial.Prediction{AnalysisBytes: peak / 2, PredictedBytes: peak}
}
