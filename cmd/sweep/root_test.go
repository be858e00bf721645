package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
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
