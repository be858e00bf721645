package trial_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestIDsNameNothingElsewhere: a database from elsewhere may hold any id.
func TestIDsNameNothingElsewhere(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"3fa1", "..", "../..", "../../etc", "/etc", "3fa1/../../..", "", "."} {
		for _, dir := range []string{trial.ID(id).Dir("/root/runs"), trial.NewAttemptID(trial.ID(id), 1).Dir("/root/runs")} {
			if dir != "/root/runs/trials" && !strings.HasPrefix(dir, "/root/runs/trials/") {
				t.Errorf("%q names %s", id, dir)
			}
		}
	}
	if dir := trial.NewAttemptID("3fa1", 2).Dir("runs"); dir != filepath.Join("runs", "trials", "3fa1", "2") {
		t.Errorf("an attempt's folder is %s", dir)
	}
}

// TestMakeDirFollowsNoLink: a root that was unpacked from an archive may have links where the folders will be.
func TestMakeDirFollowsNoLink(t *testing.T) {
	t.Parallel()
	for _, planted := range []string{"trials/3fa1", "trials/3fa1/1"} {
		root, elsewhere := t.TempDir(), t.TempDir()
		place := filepath.Join(root, planted)
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, place); err != nil {
			t.Fatal(err)
		}
		_, err := trial.NewAttemptID("3fa1", 1).MakeDir(root)
		if err == nil || !strings.Contains(err.Error(), place+" is a symbolic link where a folder belongs") {
			t.Errorf("%s: %v", planted, err)
		}
		if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
			t.Errorf("%s: %d files were made elsewhere (%v)", planted, len(entries), err)
		}
	}
	root, disk := t.TempDir(), t.TempDir()
	if err := os.Symlink(disk, filepath.Join(root, "trials")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		dir, err := trial.NewAttemptID("3fa1", 1).MakeDir(root)
		if err != nil || dir != filepath.Join(root, "trials", "3fa1", "1") {
			t.Errorf("trials on another disk: %s, %v", dir, err)
		}
	}
}

// TestOpenFileTakesFilesOnly: neither is a link followed, nor does a pipe without a reader block for ever.
func TestOpenFileTakesFilesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link, pipe, target := filepath.Join(dir, "link"), filepath.Join(dir, "pipe"), filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{link: "a symbolic link", pipe: "a pipe", dir: "a folder"} {
		f, err := trial.OpenFile(path, os.O_WRONLY|os.O_TRUNC)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", path, f, err)
		}
	}
	if text, err := os.ReadFile(target); string(text) != "kept" {
		t.Errorf("the link's target holds %q (%v)", text, err)
	}
}

// TestWriteAtomicHeedsUmask: the umask says who may read a file. It is the whole process's, so no test runs beside this one.
func TestWriteAtomicHeedsUmask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, umask := range []int{0o077, 0o002, 0o022} {
		before := syscall.Umask(umask)
		err := trial.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write([]byte("x")); return err })
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := os.FileMode(0o666 &^ umask); info.Mode() != want {
			t.Errorf("umask %03o: mode %v, want %v", umask, info.Mode(), want)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files are left (%v)", len(entries), err)
	}
}
