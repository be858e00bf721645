package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/ray/raytest"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// onRay is a sweep whose trials a Ray cluster carries.
func onRay(t *testing.T, address string, steps int) *testSweep {
	t.Helper()
	s := newTestSweep(t, backend.PlatformGo, steps)
	s.putOnRay(address)
	return s
}

func (s *testSweep) putOnRay(address string) {
	s.t.Helper()
	s.write("cluster.yaml", fmt.Sprintf("ray: {address: %q, cpus: 1}\n", address))
	s.args = []string{"--executor", "ray", "--cluster", s.path("cluster.yaml")}
}

// jobsOf lists the jobs that a head knows.
func jobsOf(t *testing.T, head *raytest.Head) (jobs []struct {
	ID     string `json:"submission_id"`
	Status string `json:"status"`
},
) {
	t.Helper()
	response, err := http.Get(head.Address() + "/api/jobs/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	if err := json.NewDecoder(response.Body).Decode(&jobs); err != nil {
		t.Fatal(err)
	}
	return jobs
}

// TestSweepOnRay: whatever happens to a Ray cluster and to what it says, a sweep comes to the report and to the adapters of one on this
// machine, bit for bit.
func TestSweepOnRay(t *testing.T) { //nolint:paralleltest // its parts share a head
	head := raytest.Start(t, 2)
	const steps = 20
	here := newTestSweep(t, backend.PlatformGo, steps)
	here.finish()
	want := here.proof()

	t.Run("quiet", func(t *testing.T) {
		s := onRay(t, head.Address(), steps)
		s.finish()
		s.mustEqual(want, "a sweep on Ray")
	})
	t.Run("lost replies", func(t *testing.T) {
		proxy, lost := forgetful(t, head.Address())
		s := onRay(t, proxy, steps)
		s.finish()
		s.mustEqual(want, "lost replies")
		if lost.Load() == 0 {
			t.Error("no reply was lost")
		}
	})
	t.Run("pilots", func(t *testing.T) {
		before := len(jobsOf(t, head))
		s := onRay(t, head.Address(), steps)
		s.args = append(s.args, "--pilot")
		s.finish()
		s.mustEqual(want, "a sweep by pilots on Ray")
		// Two before it is known how much memory a trial needs, and two that ask for it.
		if jobs, trials := len(jobsOf(t, head))-before, s.attempts(); jobs == 0 || jobs > 4 || trials <= jobs {
			t.Errorf("%d jobs trained %d attempts, want four at most", jobs, trials)
		}
	})
	t.Run("stopped from outside", func(t *testing.T) {
		s := onRay(t, head.Address(), 10*steps)
		calm := newTestSweep(t, backend.PlatformGo, 10*steps)
		calm.finish()
		running := s.start(s.command())
		stopped := 0
		until(t, "a job that runs", func() bool { return s.training() > 0 })
		for _, job := range jobsOf(t, head) {
			if job.Status != "RUNNING" {
				continue
			}
			response, err := http.Post(head.Address()+"/api/jobs/"+job.ID+"/stop", "application/json", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			stopped++
		}
		if code := running.wait(); code != exitOK || stopped == 0 {
			t.Fatalf("exit code %d, %d jobs stopped\n%s", code, stopped, &running.said)
		}
		s.mustEqual(calm.proof(), "jobs stopped from outside")
	})
	t.Run("job agent killed", func(t *testing.T) { // the last: it takes the head down
		s := onRay(t, head.Address(), steps)
		running := s.start(s.command())
		until(t, "a job that runs", func() bool { return s.training() > 0 })
		head.KillAgent()
		head.Stop() // nothing but a new head helps: jobs are taken by the agent alone
		head.Start(2)
		if code := running.wait(); code != exitOK {
			t.Fatalf("exit code %d\n%s", code, &running.said)
		}
		s.mustEqual(want, "a head whose job agent was killed")
	})
}

// TestQuickstartOnRay trains what make quickstart trains.
func TestQuickstartOnRay(t *testing.T) { //nolint:paralleltest // a head of its own beside the other's would be slow
	head := raytest.Start(t, 2)
	here, there := quickstart(t), quickstart(t)
	here.finish()
	there.putOnRay(head.Address())
	there.finish()
	there.mustEqual(here.proof(), "the quickstart on Ray")
}

// forgetful is a proxy that passes every other submission on and loses its reply, and every tenth of all other replies.
func forgetful(t *testing.T, address string) (proxy string, lost *atomic.Int64) {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	lost = new(atomic.Int64)
	var submissions, others atomic.Int64
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		lose := others.Add(1)%10 == 0
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/api/jobs/") {
			lose = submissions.Add(1)%2 == 1
		}
		if !lose {
			forward.ServeHTTP(w, r)
			return
		}
		forward.ServeHTTP(httptest.NewRecorder(), r)
		lost.Add(1)
		panic(http.ErrAbortHandler) // closes the connection without a word
	}))
	t.Cleanup(server.Close)
	return server.URL, lost
}
