package main

import (
	"context"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestResumeLoadsNoPluginOnADatabasesWord: a folder from elsewhere names a plug-in, and a plug-in is a program.
func TestResumeLoadsNoPluginOnADatabasesWord(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 40)
	cmd := s.start(s.command())
	until(t, "a trial", s.trains)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	s.killWorkers()
	plugin, loaded := foreignPlugin(t)
	db, err := sql.Open("sqlite3", s.path("runs", "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a test's
	if _, err := db.ExecContext(context.Background(), "UPDATE registrations SET plugin_path = ?", plugin); err != nil {
		t.Fatal(err)
	}
	resume := s.start(s.sweep("resume", "test"))
	if code := resume.wait(); code != exitUsage || !strings.Contains(resume.said.String(), "--backend "+plugin) {
		t.Errorf("exit code %d, stderr %s", code, resume.said.String())
	}
	if _, err := os.Stat(loaded); !os.IsNotExist(err) {
		t.Errorf("the plug-in was loaded (%v)", err)
	}
	if code := s.start(s.sweep("resume", "test", "--backend", plugin)).wait(); code == exitOK { // it is no real plug-in
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(loaded); err != nil {
		t.Errorf("the plug-in that a person asked for was not loaded: %v", err)
	}
}

// foreignPlugin returns a library, and the file that it writes once it is loaded.
func foreignPlugin(t *testing.T) (library, loaded string) {
	t.Helper()
	dir := t.TempDir()
	library, loaded = filepath.Join(dir, "foreign.so"), filepath.Join(dir, "loaded")
	source := filepath.Join(dir, "foreign.c")
	code := `#include <stdio.h>
__attribute__((constructor)) static void load(void) { FILE *f = fopen("` + loaded + `", "w"); if (f) fclose(f); }
`
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("cc, which cgo needs too: %v\n%s", err, out)
	}
	return library, loaded
}
