package cluster_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
