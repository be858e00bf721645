package hub_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/hub"
)

const ( // of "{}": sha256sum, and git hash-object
	sha256OfText = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	gitOfText    = "9e26dfeeb6e641a33dae4961196235bdb965b21b"
)

// oneFile is a hub whose model has only config.json, which another server sends where linked says that the hub redirects.
func oneFile(t *testing.T, linked, etag string, body *string) hub.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/tiny/gpt2/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": "tiny/gpt2", "sha": hubCommit, "siblings": []map[string]string{{"rfilename": "config.json"}},
		})
	})
	file := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"`+etag+`"`)
		_, _ = io.WriteString(w, *body)
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(file))
	t.Cleanup(elsewhere.Close)
	mux.HandleFunc("GET /tiny/gpt2/resolve/"+hubCommit+"/config.json", func(w http.ResponseWriter, r *http.Request) {
		if linked == "" {
			file(w, r)
			return
		}
		if linked != "no checksum" {
			w.Header().Set("X-Linked-Etag", `"`+linked+`"`)
		}
		w.Header().Set("ETag", `"of the redirect"`)
		http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect) // within the hub, as of what was renamed
	})
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/blob?signed", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return hub.Client{Endpoint: server.URL, Cache: t.TempDir()}
}

// TestFetchIsVerified: a file that arrives otherwise than the hub names it is an error, and is fetched anew. The hub's name counts, not
// that of the server that it sends elsewhere for the file.
func TestFetchIsVerified(t *testing.T) {
	t.Parallel()
	const etagOfParts, hashOfChunks = "0123456789abcdef0123456789abcdef-2", "00000000000000000000000000000000000000000000000000000000000000ff"
	for name, tc := range map[string]struct{ linked, etag string }{
		"SHA-256":                           {"", sha256OfText},
		"git":                               {"", gitOfText},
		"redirect":                          {sha256OfText, etagOfParts},
		"redirect of a small file":          {gitOfText, etagOfParts},
		"redirect to a hash of its own":     {sha256OfText, hashOfChunks},
		"redirect to a name with a slash":   {sha256OfText, "a/b"},
		"redirect to one without a name":    {sha256OfText, ""},
		"redirect, and the checksum of all": {"no checksum", sha256OfText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"altered": 1}`
			client := oneFile(t, tc.linked, tc.etag, &body)
			var said []string
			client.Notify = func(text string) { said = append(said, text) }
			_, err := client.Model(t.Context(), "tiny/gpt2", false)
			if err == nil || !strings.Contains(err.Error(), "config.json did not arrive") {
				t.Errorf("an altered file: %v", err)
			}
			body = "{}"
			dir, err := client.Model(t.Context(), "tiny/gpt2", false)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "config.json")); string(got) != body {
				t.Errorf("%q, %v", got, err)
			}
			if text := strings.Join(said, "\n"); strings.Contains(text, "not verified") {
				t.Errorf("a verified file is told of: %s", text)
			}
		})
	}
}

// TestWithoutChecksum: where no server says a checksum, the file is used, and its name is told.
func TestWithoutChecksum(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ linked, etag string }{
		"mirror":                   {"", "v1"},
		"as long as a checksum":    {"", strings.Repeat("x", 40)},
		"more than a checksum":     {"", sha256OfText + "-2"},
		"redirect":                 {"no checksum", "0123-2"},
		"redirect to other name":   {"v1", "v2"},
		"redirect, name as linked": {"v1", "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := "{}"
			client := oneFile(t, tc.linked, tc.etag, &body)
			var said []string
			client.Notify = func(text string) { said = append(said, text) }
			_, err := client.Model(t.Context(), "tiny/gpt2", false)
			must(t, err)
			if text := strings.Join(said, "\n"); strings.Count(text, "config.json of tiny/gpt2 is not verified") != 1 {
				t.Errorf("said %q", text)
			}
		})
	}
}
