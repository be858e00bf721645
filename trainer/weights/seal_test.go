package weights_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestSealedAdapters: wherever one bit of a sealed adapter is wrong, or a file of it is gone, it is refused.
func TestSealedAdapters(t *testing.T) {
	t.Parallel()
	dir := sealed(t, t.TempDir(), rankOne)
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

// rankOne is the trial of the tests' adapter.
const rankOne trial.ID = "00000000000000a1"

// sealed writes an adapter of rank 1 into the folder of a trial's attempt.
func sealed(t *testing.T, root string, id trial.ID) (dir string) {
	t.Helper()
	attempt, err := trial.NewAttemptID(id, 1).MakeDir(root)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(attempt, "adapter")
	written := writeFolder(t, []byte(`{"peft_type":"LORA","r":1,"lora_alpha":2,"target_modules":["m"]}`), one())
	if err := errors.Join(os.CopyFS(dir, os.DirFS(written)), weights.Seal(dir, id)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestAnothersAdapter: one that was copied from another trial's folder is refused, though all its checksums are good. Those of earlier
// versions do not say whose they are: there another rank gives them away.
func TestAnothersAdapter(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		for _, rank := range []int{1, 2} {
			root := t.TempDir()
			id := trial.ID("00000000000000a2")
			attempt, err := trial.NewAttemptID(id, 1).MakeDir(root)
			if err != nil {
				t.Fatal(err)
			}
			of := trial.Trial{ID: id, Spec: trial.Spec{LoRA: lora.Spec{Rank: rank}}}
			dir, from := filepath.Join(attempt, "adapter"), sealed(t, root, rankOne)
			if early {
				dropOwner(t, from)
			}
			if err := errors.Join(trial.WriteAssignment(attempt, trial.Assignment{Trial: of}), os.CopyFS(dir, os.DirFS(from))); err != nil {
				t.Fatal(err)
			}
			_, err = weights.ReadAdapter(dir)
			if want := !early || rank != 1; errors.Is(err, trial.ErrDamaged) != want || err != nil != want {
				t.Errorf("of an earlier version %t, in the folder of rank %d: %v, want ErrDamaged: %t", early, rank, err, want)
			}
			if _, err := weights.ReadAdapter(from); err != nil {
				t.Errorf("where it belongs: %v", err)
			}
			if _, err := weights.ReadAdapter(copied(t, from)); err != nil {
				t.Errorf("outside of a root: %v", err)
			}
		}
	}
}

// TestAnotherFolder: the adapter of the last step in the place of the best one, in one trial, is refused. A seal of an earlier version
// names the trial alone.
func TestAnotherFolder(t *testing.T) {
	t.Parallel()
	best := sealed(t, t.TempDir(), rankOne)
	last := filepath.Join(filepath.Dir(best), "adapter-last")
	if err := errors.Join(os.Rename(best, last), os.CopyFS(best, os.DirFS(last))); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{best, last} {
		if _, err := weights.ReadAdapter(dir); errors.Is(err, trial.ErrDamaged) != (dir == last) || err != nil != (dir == last) {
			t.Errorf("sealed as adapter, in %s: %v", filepath.Base(dir), err)
		}
	}
	path := filepath.Join(last, weights.SumsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	early := strings.Replace(string(text), string(rankOne)+"/adapter\n", string(rankOne)+"\n", 1)
	if err := os.WriteFile(path, []byte(early), 0o600); err != nil || early == string(text) {
		t.Fatalf("%v: the seal is\n%s", err, text)
	}
	if _, err := weights.ReadAdapter(last); err != nil {
		t.Errorf("sealed by an earlier version: %v", err)
	}
}

// dropOwner makes a folder's seal one of an earlier version.
func dropOwner(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, weights.SumsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, sums, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(path, []byte(sums), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copied(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "adapter")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestSealOfWeightsWithoutEnd: what is longer than its header says is not summed up.
func TestSealOfWeightsWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, name := range []string{weights.AdapterWeightsFile, weights.AdapterConfigFile, weights.SumsFile} {
		dir := sealed(t, t.TempDir(), rankOne)
		if err := os.Truncate(filepath.Join(dir, name), 1<<40); err != nil {
			t.Fatal(err)
		}
		if err := weights.CheckSeal(dir); !errors.Is(err, trial.ErrDamaged) && !errors.Is(err, trial.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
