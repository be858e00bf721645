package weights_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

const lfsPointer = "version https://git-lfs.github.com/spec/v1\n" +
	"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 2097152\n"

func TestPointerError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, head, want string }{
		{"whole", lfsPointer, "a/b.safetensors is a Git LFS pointer, not the file of 2 MiB that it stands for; fetch that with `git lfs pull`"},
		{"its beginning", lfsPointer[:64], "a/b.safetensors is a Git LFS pointer, not the file that"},
		{"carriage returns", strings.ReplaceAll(lfsPointer, "\n", "\r\n"), "is a Git LFS pointer"},
		{"text about it", "# version https://git-lfs.github.com/spec/v1", ""},
		{"nothing", "", ""},
	} {
		err := weights.PointerError("a/b.safetensors", []byte(tt.head))
		if tt.want == "" && err == nil {
			continue
		}
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: PointerError = %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestPointersAreNamed: every file of a model or an adapter may be a pointer in a repository cloned without Git LFS.
func TestPointersAreNamed(t *testing.T) {
	t.Parallel()
	want := weights.Want{Shapes: map[string][]int{"a": {1}}}
	for _, name := range []string{weights.ModelFile, weights.IndexFile} {
		err := weights.CheckModel(fstest.MapFS{name: {Data: []byte(lfsPointer)}}, want)
		if err == nil || !strings.Contains(err.Error(), name+" is a Git LFS pointer") {
			t.Errorf("CheckModel with %s = %v", name, err)
		}
	}
	for _, name := range []string{weights.AdapterConfigFile, weights.AdapterWeightsFile} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("testdata/gpt2-old-config")); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte(lfsPointer), 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err := weights.ReadAdapter(dir)
		if err == nil || !strings.Contains(err.Error(), name+" is a Git LFS pointer") {
			t.Errorf("ReadAdapter with %s = %v", name, err)
		}
	}
}
