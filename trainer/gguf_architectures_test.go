package trainer_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestGGUFArchitectures: a GGUF file of each architecture is the model that its config.json describes, with all its tensors.
func TestGGUFArchitectures(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("weights/testdata/gguf_archs.json")
	must(t, err)
	var golden map[string]struct{ Config json.RawMessage }
	must(t, json.Unmarshal(text, &golden))
	if len(golden) < 9 {
		t.Fatalf("%d models", len(golden))
	}
	for name, g := range golden {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := os.DirFS("weights/testdata/gguf_archs")
			file, err := weights.ReadGGUF(folder, name+".gguf")
			must(t, err)
			text, err := file.Config()
			must(t, err)
			got, err := model.ParseConfig(text)
			must(t, err)
			want, err := model.ParseConfig(g.Config)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-config.json +GGUF):\n%s", diff)
			}
			dir := t.TempDir()
			body, err := os.ReadFile("weights/testdata/gguf_archs/" + name + ".gguf")
			must(t, err)
			must(t, os.WriteFile(dir+"/model.gguf", body, 0o600))
			must(t, weights.CheckModel(os.DirFS(dir), got.Weights()))
		})
	}
}
