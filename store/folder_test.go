package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ranksweep/ranksweep/store"
)

func TestFileSystem(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the mount table is Linux's")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/proc/self", link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/proc", "/proc/1", link} {
		if kind, err := store.FileSystem(dir); err != nil || kind != "proc" {
			t.Errorf("FileSystem(%s) = %q, %v, want proc", dir, kind, err)
		}
	}
	if kind, err := store.FileSystem(filepath.Join(link, "nothing")); err == nil {
		t.Errorf("FileSystem of a folder that is not there = %q, want an error", kind)
	}
}
