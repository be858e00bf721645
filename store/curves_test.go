package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
