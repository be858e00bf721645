package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestCurvesOfASweep: a step has the newest attempt's loss, and what only differs between processes makes no second environment.
func TestCurvesOfASweep(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	rungs := registration().Ladders[0].Rungs
	low, top := rungs[0].Trials[0].Trial, rungs[1].Trials[0].Trial
	launch(t, db, low, 1, script(4.5))
	launch(t, db, top, 1, script(4.4))
	launch(t, db, low, 2, []trial.Event{{Seq: 1, At: moment(2), Kind: trial.EventPoint, Step: 4, Point: &trial.Point{
		Tokens: 2016, TrainLoss: 3, GradNorm: 1, LearningRate: 1e-3,
	}}})
	steps := []trial.StepTrainLoss{{Step: 1, TrainLoss: 4.9}, {Step: 2, TrainLoss: 4.8}, {Step: 3, TrainLoss: 4.7}, {Step: 4, TrainLoss: 4.6}}
	resumed := append(steps[:3:3], trial.StepTrainLoss{Step: 4, TrainLoss: 3})
	got, err := db.TrainLosses(t.Context(), id)
	if diff := cmp.Diff(map[trial.ID][]trial.StepTrainLoss{low.ID: resumed, top.ID: steps}, got); err != nil || diff != "" {
		t.Errorf("TrainLosses: %v (-want +got):\n%s", err, diff)
	}
	environments, err := db.Environments(t.Context(), id)
	want := []trial.Environment{{
		Backend: "xla-cpu 0.11.2", Platform: "xla:cpu", PluginVersion: "0.11.2", PluginSHA256: "abc", Device: "cpu",
		Versions: map[string]string{"program": "dev"},
	}}
	if diff := cmp.Diff(want, environments); err != nil || diff != "" {
		t.Errorf("Environments: %v (-want +got):\n%s", err, diff)
	}
}

// TestCurveEvents: every attempt's points, evaluations and peaks come in the order in which they were reported.
func TestCurveEvents(t *testing.T) {
	t.Parallel()
	db, _ := registered(t)
	low := registration().Ladders[0].Rungs[0].Trials[0].Trial
	first := script(4.5)
	launch(t, db, low, 1, first)
	again := trial.Event{Seq: 1, At: moment(9), Kind: trial.EventPoint, Step: 4, Point: &trial.Point{
		Tokens: 2016, TrainLoss: 3, GradNorm: 1, LearningRate: 1e-3,
	}}
	launch(t, db, low, 2, []trial.Event{again})
	var want []sweep.CurveEvent
	for _, e := range first {
		switch e.Kind {
		case trial.EventMemory:
			e.Memory = &trial.Memory{PeakHostBytes: e.Memory.PeakHostBytes, PeakDeviceBytes: e.Memory.PeakDeviceBytes}
			fallthrough
		case trial.EventPoint, trial.EventEval:
			want = append(want, sweep.CurveEvent{Attempt: 1, Event: e})
		default:
		}
	}
	want = append(want, sweep.CurveEvent{Attempt: 2, Event: again})
	got, err := db.CurveEvents(t.Context(), low.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" || len(want) < 6 {
		t.Errorf("CurveEvents: %v (-want +got):\n%s", err, diff)
	}
}
