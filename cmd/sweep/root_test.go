package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSettingsFile: its keys are the global flags; a wrong one is an error that names what there is.
func TestSettingsFile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		code int
		want string // part of stderr
	}{
		"good":        {"root: elsewhere\njobs: 2\n", exitNotFound, "elsewhere"},
		"unknown key": {"rot: x\n", exitUsage, `unknown key "rot"`},
		"bad value":   {"jobs: zero\n", exitUsage, "--jobs zero"},
		"bad choice":  {"executor: cloud\n", exitUsage, "--executor cloud: want local"},
		"no YAML":     {"root: [\n", exitUsage, "settings file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "settings.yaml")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, said bytes.Buffer
			code := run(t.Context(), []string{"report", "--config", path}, nil, &out, &said)
			if code != test.code || !strings.Contains(said.String(), test.want) {
				t.Errorf("exit %d, said %q, want %d and %q", code, said.String(), test.code, test.want)
			}
		})
	}
}

// TestSettingsFileIsOne: a pipe is not waited for, and of what has no end nothing is read.
func TestSettingsFileIsOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, link, huge := filepath.Join(dir, "pipe.yaml"), filepath.Join(dir, "link.yaml"), filepath.Join(dir, "huge.yaml")
	err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/null", link), os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		pipe: "is a pipe or a device: write what it gives to a file",
		link: "is a pipe or a device: write what it gives to a file",
		huge: "has more than the 64 KiB",
	} {
		if code, _, stderr := sweepCommand(t, "list", "--config", path); code != exitUsage || !strings.Contains(stderr, path+" "+want) {
			t.Errorf("%s: exit %d, %q", path, code, stderr)
		}
	}
}
