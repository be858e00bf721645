package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// sweepCommand runs one command line in this process.
func sweepCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	checkSchema(t, out.Bytes())
	return code, out.String(), errs.String()
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "runs")
	code, stdout, stderr := sweepCommand(t, "doctor", "-o", "json", "--backend", "go", "--root", root)
	if code != exitOK {
		t.Fatalf("doctor: exit %d\n%s%s", code, stdout, stderr)
	}
	var d struct {
		Schema string
		diagnosis
	}
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err)
	}
	if d.Schema != "sweep.doctor/v1" || d.Backend.Platform != "go" || d.Cores < 1 || d.MemoryBytes <= 0 ||
		d.FreeBytes == nil || *d.FreeBytes <= 0 || d.FileSystem == "" {
		t.Errorf("doctor = %+v, want every number", d)
	}
	if _, err := os.Stat(root); err == nil {
		t.Errorf("doctor made %s, want it to change nothing", root)
	}
	for _, f := range d.Findings {
		if (f.State == findingOK) != (f.Fix == "") {
			t.Errorf("finding %+v, want a fix exactly where something is wrong", f)
		}
	}
}

func TestDoctorFails(t *testing.T) {
	t.Parallel()
	code, stdout, _ := sweepCommand(t, "doctor", "--backend", "/nowhere/plugin.so", "--root", t.TempDir())
	if code != exitError || !strings.Contains(stdout, "problem  backend") || !strings.Contains(stdout, "fix: use --backend auto") {
		t.Errorf("doctor with a backend that is not there: exit %d\n%s", code, stdout)
	}
}

func TestDoctorFailsWhereTheRootCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{file, filepath.Join(file, "below"), "/proc/sweep"} {
		code, stdout, _ := sweepCommand(t, "doctor", "--backend", "go", "--root", root)
		if code != exitError || !strings.Contains(stdout, "problem  root") || !strings.Contains(stdout, "--root") {
			t.Errorf("doctor --root %s: exit %d, want 1\n%s", root, code, stdout)
		}
	}
}

func TestBackendList(t *testing.T) {
	t.Parallel()
	if code, stdout, _ := sweepCommand(t, "backend", "list", "--resolve", "--backend", "go"); code != exitOK || stdout != "go\n" {
		t.Errorf("backend list --resolve --backend go: exit %d, %q", code, stdout)
	}
	if code, _, stderr := sweepCommand(t, "backend", "list", "--resolve", "--backend", "xla:gpu"); code != exitUsage ||
		!strings.Contains(stderr, "want auto") {
		t.Errorf("backend list --resolve --backend xla:gpu: exit %d, %q, want a usage error", code, stderr)
	}
	if code, stdout, _ := sweepCommand(t, "backend", "list", "-o", "csv"); code != exitOK || !strings.HasSuffix(stdout, "go,yes,cpu,,\n") {
		t.Errorf("backend list -o csv: exit %d, %q, want pure Go as the last line", code, stdout)
	}
}

func TestLibrariesFinding(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		l           backend.Libraries
		state, want string
	}{
		"all":  {backend.Libraries{Folder: "/v/nvidia", Files: []string{"a", "b"}}, findingOK, "2 of NVIDIA in /v/nvidia"},
		"some": {backend.Libraries{Folder: "/v/nvidia", Missing: []string{"cudnn/lib/b"}}, findingWarn, "lacks cudnn/lib/b"},
		"none": {backend.Libraries{}, findingWarn, "/v/plugin.so has no nvidia folder beside it"},
	} {
		f := librariesFinding(backend.Candidate{Choice: backend.Choice{PluginPath: "/v/plugin.so"}, Libraries: &tt.l})
		if f.State != tt.state || !strings.Contains(f.Detail, tt.want) || (f.State == findingOK) != (f.Fix == "") {
			t.Errorf("%s: %+v, want %s with %q, and a fix exactly where something is wrong", name, f, tt.state, tt.want)
		}
	}
}
