package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[3] == "--pilot" {
		if err := flight(os.Args[2], os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	clustertest.Main(m)
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
