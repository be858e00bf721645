package ray_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/ray"
)

// longest is how many characters of what a server says an error may repeat, with its own.
const longest = 4000

// head answers every request alike.
type head struct {
	status int
	text   string
}

func (h *head) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Location", h.text)
	w.WriteHeader(h.status)
	_, _ = io.WriteString(w, h.text)
}

// FuzzReplies reads any reply to each request but that for jobs: what succeeds was answered by a Ray, and what fails says so in few words,
// without the credentials.
func FuzzReplies(f *testing.F) {
	for _, seed := range []head{
		{200, `{"version": "4", "ray_version": "2.60.0", "ray_commit": "b7f4259"}`},
		{200, `{"job_id": "sweep-ab12-0", "submission_id": "sweep-ab12-0"}`},
		{200, `{"submission_id": "` + strings.Repeat("x", longest) + `", "ray_version": "` + strings.Repeat("1 ", longest) + `"}`},
		{200, `{"ray_version": ` + strings.Repeat("1", longest) + `}`},
		{400, "Traceback (most recent call last):\nValueError: no"},
		{404, "not found"},
		{500, "Job with submission_id sweep-ab12-0 already exists"},
		{307, "http://elsewhere/\x00"},
		{307, "http://" + strings.Repeat("x", longest)},
		{200, "\x01" + strings.Repeat("x", longest)}, // its header is none
		{204, ""},
		{200, "null"},
	} {
		f.Add(seed.status, seed.text)
	}
	const secret = "Bearer hunter2hunter2"
	answers := &head{}
	server := httptest.NewServer(answers)
	f.Cleanup(server.Close)
	program := filepath.Join(f.TempDir(), "sweep")
	if err := os.WriteFile(program, []byte("program"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, text string) {
		if status < 200 || status > 599 || strings.Contains(text, secret) {
			return
		}
		*answers = head{status, text}
		q := &ray.Queue{Settings: ray.Settings{
			Address: server.URL, Headers: map[string]string{"Authorization": secret}, WorkingDir: ray.Upload,
		}, Program: program}
		version, err := q.Version(context.Background())
		if (version == "") == (err == nil) || len([]rune(version)) > longest {
			t.Errorf("Version() = %q, %v", version, err)
		}
		submitted := q.Submit(context.Background(), batch())
		if submitted == nil && !strings.Contains(text, "sweep-ab12-0") && !strings.Contains(text, `\u`) {
			t.Errorf("Submit() = nil, though %d %q does not name the job", status, text)
		}
		stopped := q.Stop(context.Background(), cluster.JobID{Batch: "sweep-ab12"}, true)
		for _, err := range []error{err, submitted, stopped} {
			if err != nil && (len([]rune(err.Error())) > longest || strings.Contains(err.Error(), secret) || !utf8.ValidString(err.Error())) {
				t.Errorf("%d %q is told as %q", status, text, err)
			}
		}
	})
}
