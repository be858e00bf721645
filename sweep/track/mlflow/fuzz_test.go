package mlflow_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/track/mlflow"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
)

// answers are what a server says to each request of a sort.
type answers struct {
	status                          int // of what makes something
	experiment, found, made, others string
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	text := a.others
	switch {
	case strings.Contains(r.URL.Path, "/experiments/"):
		text = a.experiment
	case strings.HasSuffix(r.URL.Path, "/runs/search"):
		text = a.found
	case strings.HasSuffix(r.URL.Path, "/runs/create"):
		w.WriteHeader(a.status)
		text = a.made
	}
	_, _ = io.WriteString(w, text)
}

// FuzzReplies reads any reply of a server: sending comes to an end, an error says in few words what was wrong, without the credentials, and
// nothing counts as sent where the server does not say what it went to.
func FuzzReplies(f *testing.F) {
	const (
		experiment = `{"experiment": {"experiment_id": "1", "lifecycle_stage": "active"}}`
		found      = `{"runs": [{"info": {"run_id": "a", "status": "FAILED"}, "data": {"tags": [{"key": "ranksweep.trial", "value": "sweep"}]}}]}`
		made       = `{"run": {"info": {"run_id": "b", "status": "RUNNING"}}}`
		long       = 3000
	)
	for _, seed := range []answers{
		{200, experiment, found, made, "{}"},
		{200, experiment, "{}", made, "null"},
		{200, "{}", "{}", "{}", "{}"},
		{200, experiment, "{}", "{}", "{}"},
		{200, experiment, `{"runs": [{}], "next_page_token": ""}`, made, "{}"},
		{200, experiment, `{"next_page_token": "again"}`, made, "{}"},
		{200, `{"experiment": {"lifecycle_stage": "deleted", "experiment_id": "` + strings.Repeat("x", long) + `"}}`, "{}", "{}", "{}"},
		{400, experiment, found, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "` + strings.Repeat("x", long) + `"}`, "{}"},
		{302, experiment, found, made, "<html>"},
	} {
		f.Add(seed.status, seed.experiment, seed.found, seed.made, seed.others)
	}
	const secret = "hunter2hunter2"
	said := &answers{}
	server := httptest.NewServer(said)
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, status int, experiment, found, made, others string) {
		if status < 200 || status > 599 || strings.Contains(experiment+found+made+others, secret) {
			return
		}
		*said = answers{status, experiment, found, made, others}
		sink, err := mlflow.New(server.URL, mlflow.Credentials{Token: secret})
		if err != nil {
			t.Fatal(err)
		}
		const patience = 5 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		unsent, err := sink.Sync(ctx, tracktest.Facts(4, 0))
		switch {
		case ctx.Err() != nil:
			t.Errorf("%+v: sending does not come to an end", *said)
		case err == nil && unsent == 0 && (!strings.Contains(experiment, "experiment_id") || !strings.Contains(found+made, "run_id")):
			t.Errorf("%+v: all is sent, to nothing that the server named", *said)
		case err != nil && (len([]rune(err.Error())) > long || strings.Contains(err.Error(), secret)):
			t.Errorf("%+v: is told as %q", *said, err)
		}
	})
}
