package sweep

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestReadMeasurement(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) time.Time { return time.Unix(0, int64(seconds*1e9)) }
	point := func(seconds float64) trial.Event { return trial.Event{At: at(seconds), Point: &trial.Point{}} }
	eval := trial.Event{Evaluation: &trial.Evaluation{Seconds: 0.5}}
	part := trial.Event{Evaluation: &trial.Evaluation{Seconds: 0.5, Share: 0.1}}
	done := trial.Event{Outcome: &trial.Outcome{State: trial.OutcomeDone, TrainSeconds: 8, TotalSeconds: 12}}
	host := int64(300)
	memory := trial.Event{Memory: &trial.Memory{PeakHostBytes: &host}}
	predicted := trial.Event{Prediction: &trial.Prediction{PredictedBytes: 900}}
	over := trial.Event{Outcome: &trial.Outcome{State: trial.OutcomeOverMemory}}
	failed := trial.Event{Outcome: &trial.Outcome{State: trial.OutcomeFailed, Error: "no such tensor"}}
	for _, tt := range []struct {
		name   string
		events []trial.Event
		want   Measurement
		err    string
	}{
		{
			"the first step is slow",
			[]trial.Event{predicted, eval, point(5), point(6), point(7), point(9), eval, memory, done},
			Measurement{Rank: 4, Startup: 3, EvalSeconds: 0.5, StepSeconds: 1, Bytes: 300},
			"",
		},
		{"one step", []trial.Event{predicted, eval, point(5), eval, memory, done}, Measurement{
			Rank: 4, Startup: 3, EvalSeconds: 0.5,
			StepSeconds: 8, Bytes: 300,
		}, ""},
		{"a tenth of the rows", []trial.Event{predicted, part, point(5), part, memory, done}, Measurement{
			Rank: 4, Startup: 3, EvalSeconds: 5, StepSeconds: 8, Bytes: 300,
		}, ""},
		{"over the limit", []trial.Event{predicted, over}, Measurement{Rank: 4, Bytes: 900, OverMemory: true}, ""},
		{"failed", []trial.Event{failed}, Measurement{}, "the worker failed: no such tensor"},
		{"crashed", []trial.Event{predicted}, Measurement{}, "the worker ended without a word"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := readMeasurement(4, "xla:cpu", tt.events)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("error %v, -want +got\n%s", err, diff)
			}
		})
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	low := Measurement{Rank: 1, Startup: 2, EvalSeconds: 1, StepSeconds: 0.1, Bytes: 1000}
	high := Measurement{Rank: 5, Startup: 4, EvalSeconds: 1, StepSeconds: 0.3, Bytes: 5000}
	got := MeasuredEnds{low, high}.Estimate(2)
	if got.Bytes != 2000 || math.Abs(got.StepSeconds-0.15) > 1e-12 || got.Startup != 2.5 {
		t.Errorf("between = %+v", got)
	}
	// 20 steps with an evaluation at 0, 8, 16 and 20.
	if s := low.seconds(trial.TrainSpec{Steps: 20, EvalSteps: 8}); math.Abs(s-8) > 1e-12 {
		t.Errorf("seconds = %v, want 8", s)
	}
	over := Measurement{Rank: 5, Bytes: 9000, OverMemory: true}
	if got := (MeasuredEnds{low, over}).Estimate(5); !got.OverMemory || got.StepSeconds != 0.1 || got.Bytes != 9000 {
		t.Errorf("over the limit = %+v", got)
	}
}

func TestEstimateLadder(t *testing.T) {
	t.Parallel()
	spec := trial.Spec{
		Data:  trial.DataSpec{SequenceLength: 16},
		Train: trial.TrainSpec{Steps: 10, EvalSteps: 5, BatchSize: 2, GradientAccumulationSteps: 3},
	}
	if got := (LadderPlan{}).Tokens(spec); got != 900 { // 60 sequences of 15
		t.Errorf("Tokens = %d, want 900 at most", got)
	}
	if got := (LadderPlan{Corpus: trial.CorpusInfo{TrainSequences: 30, TrainTokens: 100}}).Tokens(spec); got != 200 {
		t.Errorf("Tokens = %d, want 200 supervised ones of two epochs", got)
	}
	longer := spec
	longer.Train.Steps = 20
	planned := func(specs ...trial.Spec) (trials []PlannedTrial) {
		for _, s := range specs {
			trials = append(trials, PlannedTrial{Trial: trial.Trial{Spec: s}.Brief()})
		}
		return trials
	}
	r := Registration{Ladders: []LadderPlan{{Rungs: []RungPlan{
		{Rank: 1, Trials: planned(spec, longer)}, {Rank: 3, Trials: planned(spec, spec)}, {Rank: 5, Trials: planned(spec, spec)},
	}}}}
	ends := MeasuredEnds{
		Low:  Measurement{Rank: 1, Startup: 1, EvalSeconds: 1, StepSeconds: 1, Bytes: 100},
		High: Measurement{Rank: 5, Startup: 1, EvalSeconds: 1, StepSeconds: 2, Bytes: 500},
	}
	got := r.Ladders[0].estimateRungs(ends, Limits{Memory: 400, TrialTime: 18 * time.Second})
	want := []RungEstimate{ // 3 or 5 evaluations, 10 or 20 steps; what is over 18 s only after its last step finishes
		{Trials: 2, Bytes: 100, TrialSeconds: (1 + 3 + 10 + 1 + 5 + 20) / 2., EvalSeconds: 4, Startup: 1, Steps: 10},
		{Trials: 2, Bytes: 300, TrialSeconds: 1 + 3 + 15, EvalSeconds: 3, Startup: 1, Steps: 10},
		{Trials: 2, Bytes: 500, TrialSeconds: 1 + 3 + 20, EvalSeconds: 3, Startup: 1, OverMemory: true, Ends: 8, Steps: 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Estimate (-want +got)\n%s", diff)
	}
	if unlimited := r.Ladders[0].estimateRungs(ends, Limits{}); unlimited[2].OverMemory {
		t.Error("without a limit a rank is over it")
	}
}

// TestEstimatesDoNotFall: where a higher rank was measured cheaper than a lower one that was noise.
func TestEstimatesDoNotFall(t *testing.T) {
	t.Parallel()
	ends := MeasuredEnds{
		Low:  Measurement{Rank: 1, Startup: 5, EvalSeconds: 2, StepSeconds: 1, Bytes: 500},
		High: Measurement{Rank: 64, Startup: 4, EvalSeconds: 1, StepSeconds: 0.9, Bytes: 480},
	}
	for _, rank := range []int{1, 2, 8, 64} {
		got := ends.Estimate(rank)
		want := ends.Low
		want.Rank = got.Rank
		if got != want {
			t.Errorf("rank %d = %+v", rank, got)
		}
	}
}
