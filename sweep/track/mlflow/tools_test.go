package mlflow_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/mlflow"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
)

// TestToolsMLflow sends runs to a real server, through a proxy that fails in every way at every request, and reads them back with MLflow's
// own client: nothing is lost, nothing is there twice.
func TestToolsMLflow(t *testing.T) {
	t.Parallel()
	python := tracktest.Python(t)
	for name, store := range map[string]string{"sqlite": "sqlite:///mlflow.db", "files": "file:./mlruns"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := tracktest.MLflow(t, python, store)
			proxy := &faultyProxy{to: httputil.NewSingleHostReverseProxy(address)}
			front := httptest.NewServer(proxy)
			t.Cleanup(front.Close)
			for _, fault := range []string{"lost request", "lost reply", "503"} {
				proxy.fault.Store(fault)
				t.Run(fault, func(t *testing.T) {
					sweep := "faults " + fault
					likely := tracktest.Facts(2, 0)
					likely.Verdicts[0].Probability = &likely.Sweep.Rule.Confidence
					for _, facts := range []track.Facts{likely, tracktest.Facts(3, 0), tracktest.Facts(4, 2)} {
						facts.Sweep.Name = sweep
						syncAll(t, front.URL, facts, proxy)
					}
					if n := proxy.failed.Swap(0); n < 5 {
						t.Errorf("only %d requests failed", n)
					}
					check(t, read(t, python, address.String(), sweep), tracktest.Facts(4, 0))
				})
			}
			t.Run("long", func(t *testing.T) {
				proxy.fault.Store("lost reply")
				facts := tracktest.Long(1200)
				facts.Sweep.Name = "long"
				syncAll(t, front.URL, facts, proxy)
				check(t, read(t, python, address.String(), "long"), facts)
			})
		})
	}
}

// syncAll sends facts until all are there, where a third of the requests fails.
func syncAll(t *testing.T, address string, facts track.Facts, proxy *faultyProxy) {
	t.Helper()
	sink, err := mlflow.New(address, mlflow.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	const most = 500
	for range most {
		if unsent, err := sink.Sync(t.Context(), facts); err == nil && unsent == 0 {
			return
		}
	}
	t.Errorf("not all was sent after %d failures", proxy.failed.Load())
}

// faultyProxy fails a third of the requests.
type faultyProxy struct {
	to     http.Handler
	fault  atomic.Value
	count  atomic.Uint64
	failed atomic.Int64
}

func (p *faultyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rand.New(rand.NewPCG(p.count.Add(1), 1)).IntN(3) > 0 {
		p.to.ServeHTTP(w, r)
		return
	}
	p.failed.Add(1)
	switch p.fault.Load() {
	case "503":
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	case "lost reply":
		p.to.ServeHTTP(httptest.NewRecorder(), r)
	}
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

// seen is a run as MLflow's client finds it.
type seen struct {
	ID      string
	Status  string
	Params  map[string]string
	Tags    map[string]string
	Metrics map[string][][2]float64 // step and value
}

func read(t *testing.T, python, address, experiment string) map[string]seen {
	t.Helper()
	runs := map[string]seen{}
	tracktest.Read(t, python, &runs, address, experiment)
	return runs
}

// check compares what the server has with the facts.
func check(t *testing.T, runs map[string]seen, facts track.Facts) {
	t.Helper()
	trialRun := tracktest.Trial(t, facts)
	want := map[string][][2]float64{}
	add := func(step int, values []track.Value) {
		for _, v := range values {
			want[v.Name] = append(want[v.Name], [2]float64{float64(step), v.Value})
		}
	}
	for _, p := range trialRun.Points {
		add(p.Step, p.Values)
	}
	add(trialRun.Step, trialRun.Summary)
	if len(runs) != 2 {
		t.Fatalf("the server has %d runs, want the sweep's and the trial's", len(runs))
	}
	got := runs[trialRun.Name]
	for name, points := range got.Metrics {
		slices.SortFunc(points, func(a, b [2]float64) int { return int(a[0] - b[0]) })
		got.Metrics[name] = points
	}
	if diff := cmp.Diff(want, got.Metrics); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	for _, p := range trialRun.Params {
		if got.Params[p.Name] != p.Value {
			t.Errorf("param %s = %q, want %q", p.Name, got.Params[p.Name], p.Value)
		}
	}
	for name, r := range runs {
		if r.Status != "FINISHED" {
			t.Errorf("run %s is %s", name, r.Status)
		}
		if name != trialRun.Name && (r.Tags["ranksweep.verdict"] != "inconclusive" ||
			r.Tags["ranksweep.probability"] != "" || got.Tags["mlflow.parentRunId"] != r.ID) {
			t.Errorf("the sweep's run has tags %v, the trial's parent is %q", r.Tags, got.Tags["mlflow.parentRunId"])
		}
	}
}
