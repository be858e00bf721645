package slurm_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm"
)

//nolint:gochecknoglobals // a flag
var update = flag.Bool("update", false, "rewrite the golden files")

func TestScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings slurm.Settings
		batch    cluster.Batch
	}{
		"defaults": {batch: cluster.Batch{Name: "quickstart-1", Folder: "/runs/batches/quickstart-1", Dirs: []string{"/runs/trials/a/1"}}},
		"array": {
			settings: slurm.Settings{
				Partition: "gpu", Account: "nlp", QOS: "long", Constraint: "a100&nvlink", Gres: "gpu:a100:1", CPUs: 8, Memory: 8 << 30,
				Time: time.Hour, Extra: []string{"--exclude=node7", "--comment=a b"},
			},
			batch: cluster.Batch{
				Name: "quickstart-2", Folder: `/home/an "odd" user's/$runs # 1`, Dirs: make([]string, 12),
				Request: cluster.Request{Memory: 12<<30 + 1, Time: 26*time.Hour + time.Second, Devices: 1},
			},
		},
		"devices": {
			settings: slurm.Settings{Time: time.Minute, Memory: 1 << 30},
			batch:    cluster.Batch{Name: "b", Folder: "/runs/b", Dirs: make([]string, 2), Request: cluster.Request{Devices: 2}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := c.settings.Check(); err != nil {
				t.Fatal(err)
			}
			got := slurm.Script(c.settings, c.batch)
			golden := filepath.Join("testdata", name+".golden.sh")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("Script differs (-want +got):\n%s", diff)
			}
		})
	}
}
