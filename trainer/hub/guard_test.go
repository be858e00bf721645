package hub_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/hub"
)

// TestMirrorNamesNoFileOutside: what a server answers never names a file outside of the cache, and the error says what it was and where.
func TestMirrorNamesNoFileOutside(t *testing.T) {
	t.Parallel()
	const evil = "../../../evil"
	tests := map[string]struct{ key, value, commit, want string }{
		"ETag":        {"ETag", `"` + evil + `"`, hubCommit, `config.json answers with ETag "\"../../../evil\""`},
		"weak ETag":   {"ETag", `W/"` + evil + `"`, hubCommit, `ETag "W/\"../../../evil\""`},
		"dots":        {"ETag", "..", hubCommit, `ETag ".."`},
		"linked ETag": {"X-Linked-Etag", evil, hubCommit, `X-Linked-Etag "../../../evil"`},
		"commit":      {"ETag", "plain", evil, `tiny/gpt2 answers with the commit "../../../evil"`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/api/") {
					_ = json.NewEncoder(w).Encode(map[string]any{"sha": tc.commit, "siblings": []map[string]string{{"rfilename": "config.json"}}})
					return
				}
				w.Header().Set(tc.key, tc.value)
			}))
			t.Cleanup(server.Close)
			outside := t.TempDir()
			cache := filepath.Join(outside, "home", "hub")
			_, err := hub.Client{Endpoint: server.URL, Cache: cache}.Model(t.Context(), "tiny/gpt2", false)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), server.URL) {
				t.Errorf("Model = %v, want %q and the address in it", err, tc.want)
			}
			must(t, filepath.WalkDir(outside, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && path != filepath.Join(cache, "models--tiny--gpt2", "info", "main") {
					t.Errorf("wrote %s", path)
				}
				return err
			}))
		})
	}
}

// TestWeakETag: a weak ETag, as of a proxy that compresses, names its file as the strong one does.
func TestWeakETag(t *testing.T) {
	t.Parallel()
	dir := hubModel(t)
	real := newFakeHub(t, dir, "config.json")
	weak := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		real.Config.Handler.ServeHTTP(answer, r)
		if etag := answer.Header().Get("ETag"); etag != "" {
			w.Header().Set("ETag", "W/"+etag)
		}
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(weak.Close)
	path, err := hub.Client{Endpoint: weak.URL, Cache: t.TempDir()}.Model(t.Context(), "tiny/gpt2", false)
	must(t, err)
	blob, err := filepath.EvalSymlinks(filepath.Join(path, "config.json"))
	must(t, err)
	if len(filepath.Base(blob)) != 64 || filepath.Base(filepath.Dir(blob)) != "blobs" {
		t.Errorf("config.json lies in %s", blob)
	}
}
