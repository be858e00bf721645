package tensorboard_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
	"github.com/ranksweep/ranksweep/sweep/track/wire"
)

// TestToolsTensorBoard: TensorBoard's own reader finds each number once, the verdict, and the trial's hyperparameters.
func TestToolsTensorBoard(t *testing.T) {
	t.Parallel()
	python := tracktest.Python(t)
	type seen struct {
		Scalars map[string][][2]float64
		Texts   map[string]string
		HParams map[string]any
		Status  int
	}
	for name, steps := range map[string][]track.Facts{
		"resumed": {tracktest.Facts(2, 0), tracktest.Facts(3, 0), tracktest.Facts(4, 2)}, "long": {tracktest.Long(1200)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range steps {
				sync(t, dir, f)
			}
			facts := steps[len(steps)-1]
			runs := map[string]seen{}
			tracktest.Read(t, python, &runs, dir)
			r := tracktest.Trial(t, facts)
			sweep := "test-" + r.Sweep.ID()[:8]
			got := runs[sweep+"/"+wire.FileName(r.Name)]
			want := map[string][][2]float64{}
			for _, s := range wanted(t, facts) {
				want[s.Tag] = append(want[s.Tag], [2]float64{float64(s.Step), float64(s.Value)})
			}
			if diff := cmp.Diff(want, got.Scalars); diff != "" {
				t.Errorf("scalars (-want +got):\n%s", diff)
			}
			hparams := map[string]any{"rank": 2.0, "seed": 0.0, "dropout": 0.1}
			if diff := cmp.Diff(hparams, got.HParams); diff != "" || got.Status != 1 {
				t.Errorf("hyperparameters, status %d (-want +got):\n%s", got.Status, diff)
			}
			if own := runs[sweep]; own.Texts["verdict"] != "inconclusive" || own.Texts["recommended_rank"] != "2" {
				t.Errorf("the sweep's texts are %v", own.Texts)
			}
		})
	}
}
