package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestToolsAfterKills: the coordinator and its workers are killed while MLflow's server comes and goes. After the resumed run, and sweep
// track, each tool has every step of every trial once, with the loss that the database has.
func TestToolsAfterKills(t *testing.T) {
	t.Parallel()
	python := tracktest.Python(t)
	address := tracktest.MLflow(t, python, "sqlite:///mlflow.db")
	proxy, away := httputil.NewSingleHostReverseProxy(address), atomic.Bool{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := newTestSweep(t, backend.PlatformGo, 300)
	tools := "tensorboard,wandb,mlflow:" + front.URL
	for kill := range 3 {
		away.Store(kill == 1)
		s.started = s.started || s.registered()
		cmd := s.command()
		cmd.Args = append(cmd.Args, "--track", tools)
		run := s.start(cmd)
		time.Sleep(8 * time.Second)
		_ = run.Process.Kill()
		run.wait()
		s.killWorkers()
	}
	away.Store(false)
	s.started = s.started || s.registered()
	cmd := s.command()
	cmd.Args = append(cmd.Args, "--track", tools)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	if out, err := s.sweep("track", "--to", tools).CombinedOutput(); err != nil {
		t.Fatalf("track: %v\n%s", err, out)
	}
	want := s.curves()
	if attempts := s.attempts(); len(want) != 6 || attempts < 8 {
		t.Fatalf("%d trials with %d attempts: want 6, some of them resumed", len(want), attempts)
	}
	type curves = map[string][][2]float64
	for tool, read := range map[string]func() map[string]curves{
		"tensorboard": func() map[string]curves {
			var runs map[string]struct{ Scalars curves }
			s.readTool(python, "tensorboard", &runs, s.path("runs", "tensorboard"))
			found := map[string]curves{}
			for name, r := range runs {
				found[name] = r.Scalars
			}
			return found
		},
		"mlflow": func() map[string]curves {
			var runs map[string]struct{ Metrics curves }
			s.readTool(python, "mlflow", &runs, address.String(), "test")
			found := map[string]curves{}
			for name, r := range runs {
				found[name] = r.Metrics
			}
			return found
		},
		"wandb": func() map[string]curves {
			var runs map[string]struct{ Rows []map[string]float64 }
			s.readTool(python, "wandb", &runs, s.path("runs", "wandb"))
			found := map[string]curves{}
			for name, r := range runs {
				found[name] = curves{}
				for _, row := range r.Rows {
					if loss, ok := row["train_loss"]; ok {
						found[name]["train_loss"] = append(found[name]["train_loss"], [2]float64{row["_step"], loss})
					}
				}
			}
			return found
		},
	} {
		got := map[string][][2]float64{} // by the beginning of the trial's id, which ends the run's name
		for name, c := range read() {
			if points := c["train_loss"]; len(points) > 0 {
				slices.SortFunc(points, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) }) // MLflow has no order
				got[name[len(name)-8:]] = points
			}
		}
		same := gocmp.Comparer(func(a, b float64) bool { return float32(a) == float32(b) }) // TensorBoard's numbers are of 32 bits
		if diff := gocmp.Diff(want, got, same); diff != "" {
			t.Errorf("training losses in %s (-want +got):\n%s", tool, diff[:min(len(diff), 3000)])
		}
	}
}

// curves are the training losses by step that sweep metrics prints, by the beginning of the trial's id.
func (s *testSweep) curves() map[string][][2]float64 {
	s.t.Helper()
	snapshot, _ := s.snapshot()
	found := map[string][][2]float64{}
	for _, r := range snapshot.Ladders[0].Rungs {
		for _, tr := range r.Trials {
			out, err := s.sweep("metrics", string(tr.Trial.ID), "-o", "json").Output()
			var c curve
			if err == nil {
				err = json.NewDecoder(bytes.NewReader(out)).Decode(&c)
			}
			if err != nil {
				s.t.Fatal(err)
			}
			for _, p := range c.Points {
				id := string(tr.Trial.ID)[:8]
				found[id] = append(found[id], [2]float64{float64(p.Step), p.TrainLoss})
			}
		}
	}
	return found
}

// readTool reads what a tool has with that tool's own reader.
func (s *testSweep) readTool(python, tool string, into any, args ...string) {
	s.t.Helper()
	tracktest.ReadWith(s.t, python, fromTop(filepath.Join("sweep", "track", tool, "testdata", "read.py")), into, args...)
}
