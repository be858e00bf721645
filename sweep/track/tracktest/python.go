package tracktest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/track"
)

// PythonVariable names the interpreter that has the tools themselves; make test-tools sets it.
const PythonVariable = "SWEEP_TOOLS_PYTHON"

// Python is an interpreter with TensorBoard, MLflow and wandb. Without one the test is skipped.
func Python(t *testing.T) string {
	t.Helper()
	python := os.Getenv(PythonVariable)
	if python == "" {
		t.Skip(PythonVariable + " is not set: make test-tools reads back with the tools themselves")
	}
	return python
}

// Read runs testdata/read.py and decodes the JSON that it prints.
func Read(t *testing.T, python string, into any, args ...string) {
	t.Helper()
	ReadWith(t, python, filepath.Join("testdata", "read.py"), into, args...)
}

// ReadWith is Read with another script.
func ReadWith(t *testing.T, python, script string, into any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, append([]string{script}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// Trial is the run of the sweep's one trial.
func Trial(t *testing.T, f track.Facts) track.Run {
	t.Helper()
	var of track.Run
	_, err := track.Runs(func(_ context.Context, r track.Run) error {
		if r.Trial != "" {
			of = r
		}
		return nil
	}).Sync(t.Context(), f)
	if err != nil || of.Trial == "" {
		t.Fatalf("the run of the trial: %v, %v", of, err)
	}
	return of
}
