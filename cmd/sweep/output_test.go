package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// emitted runs emit with a small result and returns what went to stdout.
func emitted(t *testing.T, a app) (string, error) {
	t.Helper()
	var stdout bytes.Buffer
	a.stdout = &stdout
	v := struct {
		Name string `json:"name"`
		Rank int    `json:"rank"`
	}{"a<b", 8}
	err := a.emit("thing", v,
		func(w io.Writer) error {
			return writeTable(w, []string{"name", "rank"}, [][]string{{v.Name, "8"}, {"c", "16"}})
		},
		func() ([]string, [][]string) { return []string{"name", "rank"}, [][]string{{"a,b", "8"}} })
	return stdout.String(), err
}

func TestEmit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ format, want string }{
		{"json", "{\n  \"schema\": \"sweep.thing/v1\",\n  \"name\": \"a<b\",\n  \"rank\": 8\n}\n"},
		{"csv", "name,rank\n\"a,b\",8\n"},
		{"table", "┌──────┬──────┐\n│ name │ rank │\n├──────┼──────┤\n│ a<b  │    8 │\n│ c    │   16 │\n└──────┴──────┘\n"},
	} {
		t.Run(tt.format, func(t *testing.T) {
			t.Parallel()
			got, err := emitted(t, app{output: tt.format})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEmitToFileReplacesItWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out.csv")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := emitted(t, app{output: "csv", out: path})
	if err != nil || got != "" {
		t.Fatalf("emit wrote %q to stdout, error %v", got, err)
	}
	body, err := os.ReadFile(path)
	if err != nil || string(body) != "name,rank\n\"a,b\",8\n" {
		t.Errorf("file holds %q, error %v", body, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("folder holds %v, error %v; want one file", left, err)
	}
}

func TestEmitToMissingFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "out.csv")
	if _, err := emitted(t, app{output: "csv", out: path}); exitCode(err) != exitError || err == nil {
		t.Errorf("emit to a missing folder: %v", err)
	}
}

func TestEmitWithoutRows(t *testing.T) {
	t.Parallel()
	a := app{output: "csv"}
	err := a.emit("thing", struct{}{}, nil, nil)
	if exitCode(err) != exitUsage {
		t.Errorf("emit without rows: %v, want a usage error", err)
	}
}

func TestEnvelopeOfNothing(t *testing.T) {
	t.Parallel()
	got, err := envelope("none", struct{}{})
	if err != nil || string(got) != "{\n  \"schema\": \"sweep.none/v1\"\n}\n" {
		t.Errorf("envelope of no fields = %q, %v", got, err)
	}
	if _, err := envelope("list", []int{1}); err == nil {
		t.Error("envelope of a list: no error")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	where := runtime.GOOS + "/" + runtime.GOARCH
	for format, want := range map[string]string{
		"table": fmt.Sprintf("sweep %s (%s, %s)\n", version, runtime.Version(), where),
		"json": fmt.Sprintf("{\n  \"schema\": \"sweep.version/v1\",\n  \"version\": %q,\n  \"go\": %q,\n  \"platform\": %q\n}\n",
			version, runtime.Version(), where),
	} {
		if code, got, stderr := sweepCommand(t, "version", "-o", format); code != exitOK || got != want {
			t.Errorf("version -o %s = %d, %q, %q; want %q", format, code, got, stderr, want)
		}
	}
}
