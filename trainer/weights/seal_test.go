package weights_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestSealedAdapters: wherever one bit of a sealed adapter is wrong, or a file of it is gone, it is refused.
func TestSealedAdapters(t *testing.T) {
	t.Parallel()
	dir := writeFolder(t, []byte(`{"peft_type":"LORA","r":1,"lora_alpha":2,"target_modules":["m"]}`), one())
	if err := weights.Seal(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := weights.ReadAdapter(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{weights.AdapterConfigFile, weights.AdapterWeightsFile, weights.SumsFile} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := range good {
			bad := append([]byte(nil), good...)
			bad[at] ^= 4
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := weights.ReadAdapter(dir); !errors.Is(err, trial.ErrDamaged) {
				t.Fatalf("%s with byte %d changed: %v, want ErrDamaged", name, at, err)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, weights.AdapterWeightsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := weights.ReadAdapter(dir); !errors.Is(err, trial.ErrDamaged) {
		t.Errorf("without its weights: %v, want ErrDamaged", err)
	}
}
