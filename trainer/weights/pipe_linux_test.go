package weights_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestPipesAreNoSettings: reading one would wait for ever.
func TestPipesAreNoSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, weights.ConfigFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := weights.ReadText(os.DirFS(dir), weights.ConfigFile); !errors.Is(err, weights.ErrFormat) {
		t.Errorf("%v", err)
	}
}

// TestPipesAreNoAdapters: wherever an adapter's folder has one, reading the adapter does not wait.
func TestPipesAreNoAdapters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{weights.AdapterConfigFile, weights.AdapterWeightsFile, weights.SumsFile, weights.FullConfigFile} {
		for _, sealed := range []bool{false, true} {
			dir := writeFolder(t, []byte(`{"peft_type":"LORA","r":1,"lora_alpha":2,"target_modules":["m"]}`), one())
			if sealed {
				if err := weights.Seal(dir, rankOne); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, name)
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			read := func() (err error) { _, err = weights.ReadAdapter(dir); return err }
			if name == weights.FullConfigFile {
				read = func() (err error) { _, _, err = weights.ReadFull(dir); return err }
			}
			if err := read(); err == nil {
				t.Errorf("with a pipe for %s (sealed: %v) it is read", name, sealed)
			}
		}
	}
}
