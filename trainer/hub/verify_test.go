package hub_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/hub"
)

// TestFetchIsVerified: a file that arrives otherwise than the hub names it is an error, and is fetched anew.
func TestFetchIsVerified(t *testing.T) {
	t.Parallel()
	const text = "{}"
	names := map[string]string{ // sha256sum, and git hash-object
		"SHA-256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "git": "9e26dfeeb6e641a33dae4961196235bdb965b21b",
	}
	for kind, etag := range names {
		altered := true
		mux := http.NewServeMux()
		mux.HandleFunc("GET /api/models/tiny/gpt2/revision/main", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{
				"id": "tiny/gpt2", "sha": hubCommit, "siblings": []map[string]string{{"rfilename": "config.json"}},
			})
		})
		mux.HandleFunc("GET /tiny/gpt2/resolve/"+hubCommit+"/config.json", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"`+etag+`"`)
			w.Header().Set("X-Repo-Commit", hubCommit)
			if altered {
				fmt.Fprint(w, "[]")
				return
			}
			fmt.Fprint(w, text)
		})
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		client := hub.Client{Endpoint: server.URL, Cache: t.TempDir()}
		if _, err := client.Model(t.Context(), "tiny/gpt2", false); err == nil || !strings.Contains(err.Error(), "config.json did not arrive") {
			t.Errorf("%s: an altered file: %v", kind, err)
		}
		altered = false
		dir, err := client.Model(t.Context(), "tiny/gpt2", false)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "config.json")); string(got) != text {
			t.Errorf("%s: %q, %v", kind, got, err)
		}
	}
}
