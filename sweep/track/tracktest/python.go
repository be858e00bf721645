package tracktest

import (
	"os"
	"testing"
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
