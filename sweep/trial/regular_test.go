package trial_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// noFiles makes what may stand where a file belongs, by what errors call it.
func noFiles(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	file, link, dangling := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	err = errors.Join(os.WriteFile(file, []byte("elsewhere"), 0o600), os.Symlink(file, link), os.Symlink("nowhere", dangling),
		syscall.Mkfifo(pipe, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		link: "is a symbolic link", dangling: "is a symbolic link", pipe: "a pipe", socket: "a socket", "/dev/zero": "a device",
	}
}

// TestOpenRegular: nothing but a file is opened, and nothing is waited for.
func TestOpenRegular(t *testing.T) {
	t.Parallel()
	for path, want := range noFiles(t) {
		f, err := trial.OpenRegular(path)
		if !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenRegular(%s) = %v, %v; want that it is damaged: %s", path, f, err, want)
		}
	}
	dir := t.TempDir()
	if _, err := trial.OpenRegular(dir); err == nil || errors.Is(err, trial.ErrDamaged) {
		t.Errorf("a folder: %v, want an error that says nothing of damage", err)
	}
	if _, err := trial.OpenRegular(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := trial.ReadRegular(path); string(text) != "text" || err != nil {
		t.Errorf("a file: %q, %v", text, err)
	}
}

// TestOpenInput: what a person names may be a link, but nothing that is waited for or has no end.
func TestOpenInput(t *testing.T) {
	t.Parallel()
	for path := range noFiles(t) {
		text, err := trial.ReadInput(path)
		switch filepath.Base(path) {
		case "link":
			if string(text) != "elsewhere" || err != nil {
				t.Errorf("a link: %q, %v", text, err)
			}
		case "pipe", "zero":
			if !errors.Is(err, trial.ErrInput) {
				t.Errorf("%s: %v, want invalid input", path, err)
			}
		default:
			if err == nil {
				t.Errorf("%s was read: %q", path, text)
			}
		}
	}
}
