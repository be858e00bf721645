package trainer_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestMergeFull: what trained in full merges into a model that has exactly those weights, and is refused as an adapter.
func TestMergeFull(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformCPU)
	spec := tinySpec()
	spec.LoRA = spec.LoRA.Whole()
	spec.Train.Steps, spec.Train.EvalSteps = 2, 1
	a, dir, rec := assign(t, c, spec), t.TempDir(), &recorder{}
	must(t, trainer.Run(t.Context(), a, dir, rec.emit))
	rec.outcome(t)
	o := trainer.ExportOptions{Model: a.Model, Adapter: filepath.Join(dir, trainer.AdapterFolder)}
	merged := t.TempDir()
	must(t, trainer.ExportMerged(t.Context(), merged, o, ""))
	got, err := weights.ReadFile(filepath.Join(merged, weights.ModelFile))
	must(t, err)
	base, err := weights.ReadFile(filepath.Join(tinyModel, weights.ModelFile))
	must(t, err)
	full, ok, err := weights.ReadFull(o.Adapter)
	if err != nil || !ok || len(full.Tensors) != 2 {
		t.Fatalf("ReadFull: %d tensors, %v, %v; want the weights of 2 modules", len(full.Tensors), ok, err)
	}
	for name, want := range full.Tensors {
		if !slices.Equal(got[name].Data, want.Data) || slices.Equal(base[name].Data, want.Data) {
			t.Errorf("%s is not the trained weight, or is still the base's", name)
		}
	}
	for name, want := range base {
		if _, trained := full.Tensors[name]; !trained && !slices.Equal(got[name].Data, want.Data) {
			t.Errorf("%s has changed and did not train", name)
		}
	}
	if err := trainer.ExportAdapter(t.TempDir(), o); err == nil || !strings.Contains(err.Error(), "sweep export --full --merged") {
		t.Errorf("exported as an adapter: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(o.Adapter, weights.FullConfigFile), []byte("{}"), 0o600))
	if _, _, err := weights.ReadFull(o.Adapter); !errors.Is(err, trial.ErrDamaged) {
		t.Errorf("a marker that is not as it was written is read: %v", err)
	}
	must(t, os.Remove(filepath.Join(o.Adapter, weights.SumsFile)))
	if _, _, err := weights.ReadFull(o.Adapter); err == nil || !strings.Contains(err.Error(), "restore the file") {
		t.Errorf("a marker that says nothing is read: %v", err)
	}
}
