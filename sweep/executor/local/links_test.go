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

// TestNoGroupIsSignalled: a process id that a disk has changed, or a folder from elsewhere names, may mean a group of processes to kill(2).
func TestNoGroupIsSignalled(t *testing.T) {
	t.Parallel()
	e := &local.Executor{Root: t.TempDir()}
	dir, err := trial.AttemptID("aa/1").MakeDir(e.Root)
	if err != nil {
		t.Fatal(err)
	}
	held, err := trial.LockEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()        //nolint:errcheck // gives the lock back
	const nobody = "-4194303" // a group that there is not, should it be signalled
	if err := os.WriteFile(filepath.Join(dir, trial.PIDFile), []byte(nobody), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(t.Context(), "aa/1", false); err == nil || !strings.Contains(err.Error(), "which is no worker") {
		t.Errorf("Stop = %v, want a refusal", err)
	}
}
