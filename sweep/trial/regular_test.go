package trial_test

import (
	"errors"
	"fmt"
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
	if text, err := trial.ReadRegular(path, 4); string(text) != "text" || err != nil {
		t.Errorf("a file: %q, %v", text, err)
	}
}

// TestOpenInput: what a person names may be a link, but nothing that is waited for or has no end.
func TestOpenInput(t *testing.T) {
	t.Parallel()
	for path := range noFiles(t) {
		text, err := trial.ReadInput(path, 16)
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

// sparse makes a file that is long and takes no room.
func sparse(t *testing.T, path, text string) string {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Truncate(path, 1<<30)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestReadAtMost: what is larger than its kind is not read, and a file that is as large as it may be is.
func TestReadAtMost(t *testing.T) {
	t.Parallel()
	huge := sparse(t, filepath.Join(t.TempDir(), "huge"), "text")
	full := filepath.Join(t.TempDir(), "full")
	if err := os.WriteFile(full, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		read func(string, int64) ([]byte, error)
		want error
	}{
		"ReadRegular":     {trial.ReadRegular, trial.ErrDamaged},
		"ReadInput":       {trial.ReadInput, trial.ErrInput},
		"ReadInputOrPipe": {trial.ReadInputOrPipe, trial.ErrInput},
	} {
		if text, err := test.read(huge, 4); !errors.Is(err, test.want) || !strings.Contains(err.Error(), huge+" has more than the 4 B") {
			t.Errorf("%s of a huge file = %q, %v", name, text, err)
		}
		if text, err := test.read(full, 4); string(text) != "text" || err != nil {
			t.Errorf("%s of a file = %q, %v", name, text, err)
		}
	}
	if err := trial.ReadSealed(huge, new(trial.Event)); !errors.Is(err, trial.ErrDamaged) || !strings.Contains(err.Error(), "32 MiB") {
		t.Errorf("ReadSealed of a huge file: %v", err)
	}
}

// TestReadPipes: a pipe that a person names is read where somebody writes to it, and no further than it may be long.
func TestReadPipes(t *testing.T) {
	t.Parallel()
	for path := range noFiles(t) {
		text, err := trial.ReadInputOrPipe(path, 16)
		switch filepath.Base(path) {
		case "link", "pipe":
			if err != nil {
				t.Errorf("%s: %q, %v", path, text, err)
			}
		default:
			if err == nil {
				t.Errorf("%s was read: %q", path, text)
			}
		}
	}
	for _, length := range []int{16, 1 << 20} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan struct{})
		go func() {
			defer close(written)
			_, _ = w.WriteString(strings.Repeat("x", length)) // fails once nobody reads
			_ = w.Close()
		}()
		text, err := trial.ReadInputOrPipe(fmt.Sprintf("/dev/fd/%d", r.Fd()), 16)
		if ok := err == nil && len(text) == length; ok != (length <= 16) || err != nil && !errors.Is(err, trial.ErrInput) {
			t.Errorf("%d bytes of a pipe: %d, %v", length, len(text), err)
		}
		_ = r.Close()
		<-written
	}
}
