package mlflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/mlflow"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
)

// slow are the requests that a test interrupts, by how many add something before: the sweep's run, the trial's, and its points.
func slow() []int { return []int{0, 3, 4} }

// TestSlowServer: a sweep that ends while a server is still creating a run does not have it there twice.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	for _, before := range slow() {
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			t.Parallel()
			server := &fakeServer{}
			syncInterrupted(t, server, "test", before)
			if n := len(server.runs); n != 2 {
				t.Errorf("the server has %d runs, want the sweep's and the trial's", n)
			}
		})
	}
}

// TestToolsSlowServer is TestSlowServer with MLflow's own.
func TestToolsSlowServer(t *testing.T) {
	t.Parallel()
	python := tracktest.Python(t)
	for name, store := range map[string]string{"sqlite": "sqlite:///mlflow.db", "files": "file:./mlruns"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := tracktest.MLflow(t, python, store)
			for _, before := range slow() {
				sweep := fmt.Sprint("slow ", before)
				syncInterrupted(t, httputil.NewSingleHostReverseProxy(address), sweep, before)
				check(t, read(t, python, address.String(), sweep), tracktest.Facts(4, 0))
			}
		})
	}
}

// syncInterrupted sends a sweep to a server that is slow to add things and goes on without its clients. It gives up while the server is
// adding, for the first time after so many that it awaits, and asks again at once.
func syncInterrupted(t *testing.T, server http.Handler, name string, before int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if strings.HasSuffix(r.URL.Path, "/runs/create") || strings.HasSuffix(r.URL.Path, "/runs/log-batch") {
			if begun.Add(1) == int64(before)+1 {
				cancel()
			}
			time.Sleep(200 * time.Millisecond)
			r = r.WithContext(context.WithoutCancel(r.Context()))
		}
		server.ServeHTTP(w, r)
	}))
	defer front.Close() // awaits what it is still at
	sink, err := mlflow.New(front.URL, mlflow.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	facts := tracktest.Facts(4, 0)
	facts.Sweep.Name = name
	if _, err := sink.Sync(ctx, facts); err == nil {
		t.Error("nothing was interrupted")
	}
	if unsent, err := sink.Sync(t.Context(), facts); err != nil || unsent != 0 {
		t.Errorf("Sync() = %d, %v", unsent, err)
	}
}

// TestTagsThatAreGone: a sweep's run keeps no tag that a later verdict does not have, whichever process set it; those of people stay.
func TestTagsThatAreGone(t *testing.T) {
	t.Parallel()
	server := &fakeServer{}
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	sinks := make([]track.Sink, 2)
	for i := range sinks {
		var err error
		if sinks[i], err = mlflow.New(front.URL, mlflow.Credentials{}); err != nil {
			t.Fatal(err)
		}
	}
	likely := 0.9
	for i, sink := range []track.Sink{sinks[0], sinks[0], sinks[0], sinks[1]} {
		facts := tracktest.Facts(4, 0)
		want := ""
		if i%2 == 0 {
			facts.Verdicts[0].Probability, want = &likely, "0.9"
		}
		if unsent, err := sink.Sync(t.Context(), facts); err != nil || unsent != 0 {
			t.Fatalf("Sync() = %d, %v", unsent, err)
		}
		own := server.runs[0]
		if i == 0 {
			own["team"] = "a person's"
		}
		if own["ranksweep.probability"] != want || own["ranksweep.verdict"] != "inconclusive" || own["team"] == "" {
			t.Errorf("after %d changes the tags are %v, want probability %q", i, own, want)
		}
	}
}

// fakeServer keeps the tags of runs as MLflow does.
type fakeServer struct {
	lock sync.Mutex
	runs []map[string]string
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	type tag struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	var request struct {
		Tags []tag
		Run  int `json:"run_id,string"`
		Key  string
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	info := func(run int) map[string]any { return map[string]any{"run_id": strconv.Itoa(run), "status": "RUNNING"} }
	answer := map[string]any{}
	switch strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/") {
	case "experiments/get-by-name":
		answer["experiment"] = map[string]any{"experiment_id": "1"}
	case "runs/search":
		var found []any
		for i, tags := range s.runs {
			var all []tag
			for k, v := range tags {
				all = append(all, tag{k, v})
			}
			found = append(found, map[string]any{"info": info(i), "data": map[string]any{"tags": all}})
		}
		answer["runs"] = found
	case "runs/create":
		request.Run = len(s.runs)
		s.runs = append(s.runs, map[string]string{})
		answer["run"] = map[string]any{"info": info(request.Run)}
	case "runs/delete-tag":
		delete(s.runs[request.Run], request.Key)
	}
	for _, t := range request.Tags {
		s.runs[request.Run][t.Key] = t.Value
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
