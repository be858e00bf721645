package wandb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
	"github.com/ranksweep/ranksweep/sweep/track/wandb"
)

func sync(t *testing.T, dir string, f track.Facts) {
	t.Helper()
	if unsent, err := wandb.New(dir).Sync(t.Context(), f); err != nil || unsent != 0 {
		t.Fatalf("Sync() = %d, %v", unsent, err)
	}
}

// files are the .wandb files by their names, and what says that they were uploaded.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "offline-run-*", "run-*"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(path)] = string(text)
	}
	return found
}

// TestFilesGrow: what was written stays the beginning of the file, sent again it stays as it is, and a change is to be uploaded again.
func TestFilesGrow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sync(t, dir, tracktest.Facts(2, 0))
	begun := files(t, dir)
	if len(begun) != 2 {
		t.Fatalf("%d files, want the sweep's and the trial's", len(begun))
	}
	sync(t, dir, tracktest.Facts(4, 0))
	done := files(t, dir)
	for name, text := range begun {
		if !strings.HasPrefix(done[name], text) || len(done[name]) <= len(text) {
			t.Errorf("%s grew from %d to %d bytes, and begins otherwise", name, len(text), len(done[name]))
		}
		folders, err := filepath.Glob(filepath.Join(dir, "*", name))
		if err != nil || len(folders) != 1 {
			t.Fatalf("%s: %q, %v", name, folders, err)
		}
		if err := os.WriteFile(folders[0]+".synced", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		done[name+".synced"] = ""
	}
	sync(t, dir, tracktest.Facts(4, 0))
	if diff := cmp.Diff(done, files(t, dir)); diff != "" {
		t.Errorf("sent again (-first +then):\n%s", diff)
	}
	sync(t, dir, tracktest.Facts(4, 2))
	marks := 0
	for name := range files(t, dir) {
		if strings.HasSuffix(name, ".synced") {
			marks++
		}
	}
	if marks != 0 {
		t.Errorf("%d changed files still count as uploaded", marks)
	}
}

// TestRowsHoldOnePeak, also of a step at which several attempts evaluated.
func TestRowsHoldOnePeak(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sync(t, dir, tracktest.Restarted())
	peaks := 0
	for _, text := range files(t, dir) {
		peaks += strings.Count(text, "peak_host_bytes")
	}
	if want := 3 + 1; peaks != want { // the rows of steps 0, 2 and 4, and the summary
		t.Errorf("%d peaks, want %d", peaks, want)
	}
}

// TestToolsWandb: wandb's own reader finds each step once, across the blocks of a long file, the config and the end.
func TestToolsWandb(t *testing.T) {
	t.Parallel()
	python := tracktest.Python(t)
	type seen struct {
		Config, Summary map[string]any
		Rows            []map[string]float64
		Exit            *int
		Numbers         []int
		Group           string
	}
	for name, steps := range map[string][]track.Facts{
		"resumed": {tracktest.Facts(2, 0), tracktest.Facts(3, 0), tracktest.Facts(4, 2)}, "long": {tracktest.Facts(3, 0), tracktest.Long(1200)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range steps {
				sync(t, dir, f)
			}
			runs := map[string]seen{}
			tracktest.Read(t, python, &runs, dir)
			r := tracktest.Trial(t, steps[len(steps)-1])
			got := runs[r.Name]
			var want []map[string]float64
			for _, p := range r.Points {
				if len(want) == 0 || want[len(want)-1]["_step"] != float64(p.Step) {
					want = append(want, map[string]float64{"_step": float64(p.Step)})
				}
				row := want[len(want)-1]
				row["_timestamp"], row["_runtime"] = float64(p.At.UnixNano())/1e9, p.At.Sub(r.Started).Seconds()
				for _, v := range p.Values {
					row[v.Name] = v.Value
				}
			}
			if diff := cmp.Diff(want, got.Rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			for i, n := range got.Numbers {
				if n != i+1 {
					t.Fatalf("record %d has number %d", i+1, n)
				}
			}
			if got.Config["rank"] != 2.0 || got.Config["lora.lora_alpha"] != 16.0 || got.Group != "test" || got.Exit == nil || *got.Exit != 0 ||
				got.Summary["best_val_loss"] != r.Summary[0].Value || runs["test"].Summary["verdict"] != "inconclusive" {
				t.Errorf("the trial is %+v, the sweep %v", got, runs["test"].Summary)
			}
		})
	}
}
