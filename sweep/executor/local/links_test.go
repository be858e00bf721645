package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestStartFollowsNoLinks: a root from elsewhere may hold links under the names of an attempt's folder and files.
func TestStartFollowsNoLinks(t *testing.T) {
	t.Parallel()
	tr := sweeptest.Trial(16, 1, 0)
	id := trial.NewAttemptID(tr.ID, 1)
	for _, name := range []string{"", trial.EventsFile, trial.StdoutFile, trial.StderrFile} {
		root, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "mine")
		link := filepath.Join(id.Dir(root), name)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, link); err != nil {
			t.Fatal(err)
		}
		e := local.Executor{Root: root, Command: []string{"/bin/false"}}
		err := e.Start(t.Context(), trial.Assignment{Attempt: id, Trial: tr})
		if err == nil || !strings.Contains(err.Error(), link+" is a symbolic link") {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := os.Lstat(elsewhere); err == nil {
			t.Errorf("%q: something was written through the link", name)
		}
	}
}
