package ray_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/ray"
)

// headFunc is what a head answers.
type headFunc func(w http.ResponseWriter, r *http.Request, body string)

// newQueue returns a queue of a head that answers so.
func newQueue(t *testing.T, answer headFunc) *ray.Queue {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer(w, r, string(body))
	}))
	t.Cleanup(server.Close)
	return &ray.Queue{Settings: ray.Settings{Address: server.URL}}
}

func reply(status int, text string) headFunc {
	return func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func batch() cluster.Batch {
	return cluster.Batch{
		Name: "sweep-ab12", Folder: "/shared/it's here/batches/sweep-ab12", Dirs: []string{"/shared/runs/trials/t/1"},
		Request: cluster.Request{Memory: 3 << 30, Devices: 1},
	}
}

func TestSubmitSaysWhatAJobNeeds(t *testing.T) {
	t.Setenv("RAY_TEST_TOKEN", "abc")
	var got string
	q := newQueue(t, func(w http.ResponseWriter, r *http.Request, body string) {
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + body
		_, _ = io.WriteString(w, `{"job_id": "sweep-ab12-0", "submission_id": "sweep-ab12-0"}`)
	})
	q.Settings.Headers = map[string]string{"authorization": "Bearer ${RAY_TEST_TOKEN}"}
	q.Settings.CPUs, q.Settings.MemoryMax, q.Settings.Resources = 2, 2<<30, []string{"A100=1"}
	q.Settings.Env = []string{"HF_HUB_OFFLINE=1"}
	if err := q.Submit(context.Background(), batch()); err != nil {
		t.Fatal(err)
	}
	entry, err := json.Marshal(cluster.Entry(batch().Folder, "0"))
	if err != nil {
		t.Fatal(err)
	}
	want := `POST /api/jobs/ Bearer abc {"entrypoint":` + string(entry) + `,` +
		`"submission_id":"sweep-ab12-0","entrypoint_num_cpus":2,"entrypoint_num_gpus":1,"entrypoint_memory":2147483648,` +
		`"entrypoint_resources":{"A100":1},"runtime_env":{"env_vars":{"HF_HUB_OFFLINE":"1","RAY_JOB_STOP_WAIT_TIME_S":"30"}},` +
		`"metadata":{"attempt":"/shared/runs/trials/t/1"}}`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
}

// As Ray 2.60 answers: the head wraps what its job agent said.
const (
	duplicate = "Traceback (most recent call last):\n  File \"job_head.py\", line 134, in _raise_error\n" +
		"RuntimeError: Request failed with status code 400: Traceback (most recent call last):\n" +
		"  File \"job_manager.py\", line 553, in submit_job\n" +
		"    raise ValueError(\nValueError: Job with submission_id sweep-ab12-0 already exists. Please use a different submission_id.\n.\n"
	agentGone = "Traceback (most recent call last):\n  File \"connector.py\", line 1345, in _wrap_create_connection\n" +
		"aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host 127.0.0.2:52365 ssl:default [Connect call failed]\n"
	badRequest = "Traceback (most recent call last):\n  File \"common.py\", line 524, in __post_init__\n    raise TypeError(\n" +
		"TypeError: entrypoint_num_cpus must be a number, got <class 'str'>\n"
)

func TestSubmitTellsARefusalFromALostReply(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  headFunc
		refused bool
		want    string // in the error; empty: none
	}{
		"handed in before":    {reply(500, duplicate), false, ""},
		"another's duplicate": {reply(500, strings.ReplaceAll(duplicate, "ab12", "cd34")), true, "sweep-cd34-0 already exists"},
		"bad request":         {reply(400, badRequest), true, "must be a number"},
		"no agent":            {reply(500, agentGone), false, "Cannot connect to host"},
		"not ready":           {reply(503, "<html>\n<body>try later</body>\n</html>"), false, "503"},
		"no token":            {reply(401, "Unauthorized: Missing authentication token"), false, "${RAY_AUTH_TOKEN}"},
		"another's page":      {reply(200, "<html>welcome</html>"), false, "is not Ray"},
		"a list":              {reply(200, "[]"), false, "is not Ray"},
		"cut off":             {reply(200, `{"submission_id": "sweep-ab`), false, "cut off"},
		"another job":         {reply(200, `{"submission_id": "other"}`), false, `job "other"`},
		"redirect": {func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "https://user:secret@login.example/path?token=1", http.StatusFound)
		}, false, "points to https://login.example"},
	} {
		err := newQueue(t, c.answer).Submit(context.Background(), batch())
		_, refused := errors.AsType[*cluster.RefusedError](err)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: Submit() = %v, want none", name, err)
			}
			continue
		}
		if err == nil || refused != c.refused || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Submit() = %v, refused %t, want one with %q, refused %t", name, err, refused, c.want, c.refused)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: Submit() = %v, which shows a secret", name, err)
		}
	}
}

func TestScriptShowsWhatIsSent(t *testing.T) {
	t.Parallel()
	got, err := ray.Script(ray.Settings{Resources: []string{"A100=1"}, WorkingDir: ray.Upload}, batch())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"POST http://127.0.0.1:8265/api/jobs/\n{\n", `"A100": 1`, `"submission_id": "sweep-ab12-0"`, "gcs://"} {
		if !strings.Contains(got, want) {
			t.Errorf("Script() lacks %q:\n%s", want, got)
		}
	}
	if _, err := ray.Script(ray.Settings{Resources: []string{"A100"}}, batch()); err == nil {
		t.Error("Script() of resources that say no number = nil, want an error")
	}
}

func TestSubmitDoesNotWaitForAHeadThatHangs(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	q := newQueue(t, func(_ http.ResponseWriter, r *http.Request, _ string) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	defer close(done)
	q.Settings.Timeout = 50 * time.Millisecond
	err := q.Submit(context.Background(), batch())
	if _, refused := errors.AsType[*cluster.RefusedError](err); err == nil || refused {
		t.Errorf("Submit() = %v, want an error that leaves open whether the job was taken", err)
	}
}

func TestSubmitUploadsTheProgramWhereItIsMissing(t *testing.T) {
	t.Parallel()
	var uploads [][]byte
	var asked []string
	q := newQueue(t, func(w http.ResponseWriter, r *http.Request, body string) {
		switch {
		case r.Method == http.MethodPost:
			var s struct {
				Env struct {
					WorkingDir string `json:"working_dir"`
				} `json:"runtime_env"`
			}
			if err := json.Unmarshal([]byte(body), &s); err != nil {
				t.Error(err)
			}
			asked = append(asked, s.Env.WorkingDir)
			_, _ = io.WriteString(w, `{"submission_id": "sweep-ab12-0"}`)
		case r.Method == http.MethodPut:
			uploads = append(uploads, []byte(body))
		case len(uploads) == 0:
			http.Error(w, "Package does not exist", http.StatusNotFound)
		}
	})
	q.Settings.WorkingDir, q.Program = ray.Upload, filepath.Join(t.TempDir(), "bin")
	if err := os.WriteFile(q.Program, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := q.Submit(context.Background(), batch()); err != nil {
			t.Fatal(err)
		}
	}
	if len(uploads) != 1 || len(asked) != 2 || asked[0] != asked[1] || !strings.HasPrefix(asked[0], "gcs://ranksweep_") {
		t.Fatalf("%d uploads, working folders %q, want one upload and the same package twice", len(uploads), asked)
	}
	z, err := zip.NewReader(bytes.NewReader(uploads[0]), int64(len(uploads[0])))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "bin" || z.File[0].Mode().Perm() != 0o755 {
		t.Errorf("the package holds %v, want the program, to be executed", z.File)
	}
}

// testdata has replies of Ray 2.60 to GET /api/jobs/ and to the question for dead nodes, after the head's job agent was killed.
func recorded(t *testing.T) headFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request, _ string) {
		file := map[string]string{"/api/jobs/": "jobs.json", "/api/v0/nodes": "nodes.json"}[r.URL.Path]
		text, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(text)
	}
}

func TestJobsTellsWhatBecameOfEach(t *testing.T) {
	t.Parallel()
	q := newQueue(t, recorded(t))
	got, err := q.Jobs(context.Background(), []string{
		"done", "exit", "killed", "nofile", "stop", "sup", "pk", "wait", "run", "unknown",
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, j := range got {
		j.Reason, _, _ = strings.Cut(j.Reason, "\n")
		got[id] = j
	}
	id := func(name string) cluster.JobID { return cluster.JobID{Batch: name} }
	want := map[cluster.JobID]cluster.Job{
		id("done"):   {Phase: cluster.Ended, Exit: "exit status 0", Native: "done-0"},
		id("exit"):   {Phase: cluster.Ended, Exit: "exit status 3", Native: "exit-0"},
		id("killed"): {Phase: cluster.Ended, Exit: "signal: killed", Native: "killed-0"},
		id("nofile"): {
			Phase: cluster.Ended, Exit: "exit status 127", Native: "nofile-0",
			Reason: "bash: /nowhere/job.sh: No such file or directory",
		},
		id("stop"): {Phase: cluster.Ended, Reason: "CANCELLED in Ray", Native: "stop-0"},
		id("sup"): {
			Phase: cluster.Ended, Native: "sup-0",
			Reason: "JOB_SUPERVISOR_ACTOR_DIED: Job supervisor actor died: The actor died unexpectedly before finishing this task.",
		},
		id("wait"): {
			Phase: cluster.Pending, Native: "wait-0", Reason: "Job has not started yet. It may be waiting for resources (CPUs, GPUs, " +
				"memory, custom resources) to become available.",
		},
		id("run"): {
			Phase: cluster.Ended, Native: "run-0", Reason: "NODE_FAIL Unexpected termination: dashboard_agent failed and raylet " +
				"fate-shares with it.",
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Jobs() (-want +got):\n%s", d)
	}
}

func TestJobsOfALivingNodeRun(t *testing.T) {
	t.Parallel()
	dead := `{"result": true, "msg": "", "data": {"result": {"result": [{"node_id": "other", "state": "DEAD", "state_message": "x"}]}}}`
	q := newQueue(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if r.URL.Path != "/api/v0/nodes" {
			recorded(t)(w, r, body)
			return
		}
		_, _ = io.WriteString(w, dead)
	})
	got, err := q.Jobs(context.Background(), []string{"run"})
	want := map[cluster.JobID]cluster.Job{{Batch: "run"}: {Phase: cluster.Running, Native: "run-0"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("Jobs() (-want +got), error %v:\n%s", err, d)
	}
}

func TestJobsSaysNothingOfWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"page":         "<html></html>",
		"object":       `{"error": "no"}`,
		"empty":        "",
		"cut off":      `[{"type": "SUBMISSION", "submission_id": "run-0", "status": "SUCCEEDED"}, {"type": "SUBM`,
		"not closed":   `[{"type": "SUBMISSION", "submission_id": "run-0", "status": "SUCCEEDED"}`,
		"new state":    `[{"type": "SUBMISSION", "submission_id": "run-0", "status": "DREAMING"}]`,
		"another type": `[{"type": "SUBMISSION", "submission_id": "run-0", "status": 7}]`,
		"no nodes":     `[{"type": "SUBMISSION", "submission_id": "run-0", "status": "RUNNING"}]`,
	} {
		q := newQueue(t, func(w http.ResponseWriter, r *http.Request, _ string) {
			if r.URL.Path == "/api/v0/nodes" {
				reply(200, `{"result": false, "msg": "the state API is overloaded"}`)(w, r, "")
				return
			}
			_, _ = io.WriteString(w, text)
		})
		if got, err := q.Jobs(context.Background(), []string{"run"}); err == nil {
			t.Errorf("%s: Jobs() = %v, want an error: nothing is known", name, got)
		}
	}
}

func TestStopKillsAndLeavesASoftStopToTheFile(t *testing.T) {
	t.Parallel()
	var asked []string
	q := newQueue(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if strings.Contains(r.URL.Path, "gone") {
			http.Error(w, "Job gone-0 does not exist", http.StatusNotFound)
		}
		if strings.Contains(r.URL.Path, "broken") {
			http.Error(w, agentGone, http.StatusInternalServerError)
		}
	})
	for _, name := range []string{"there", "gone"} {
		for _, kill := range []bool{false, true} {
			if err := q.Stop(context.Background(), cluster.JobID{Batch: name}, kill); err != nil {
				t.Errorf("Stop(%s, kill %t) = %v", name, kill, err)
			}
		}
	}
	if err := q.Stop(context.Background(), cluster.JobID{Batch: "broken"}, true); err == nil {
		t.Error("Stop() where the agent is gone = nil, want an error")
	}
	want := []string{"POST /api/jobs/there-0/stop", "POST /api/jobs/gone-0/stop", "POST /api/jobs/broken-0/stop"}
	if d := cmp.Diff(want, asked); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

func TestVersionTellsRayFromOthers(t *testing.T) {
	t.Parallel()
	got, err := newQueue(t, reply(200, `{"version": "4", "ray_version": "2.60.0", "ray_commit": "b7f4259"}`)).Version(context.Background())
	if got != "2.60.0" || err != nil {
		t.Errorf("Version() = %q, %v, want 2.60.0", got, err)
	}
	for _, answer := range []headFunc{reply(200, "{}"), reply(200, "<html>"), reply(404, "not found")} {
		if got, err := newQueue(t, answer).Version(context.Background()); err == nil {
			t.Errorf("Version() of another server = %q, want an error", got)
		}
	}
}

// FuzzJobs reads any reply: it is an error, or jobs that were asked for in phases that there are.
func FuzzJobs(f *testing.F) {
	text, err := os.ReadFile("testdata/jobs.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`[{"type": "SUBMISSION", "submission_id": "run-0", "status": "FAILED", "driver_exit_code": -99, "message": "\u0000"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		q := newQueue(t, func(w http.ResponseWriter, r *http.Request, _ string) {
			answer := text
			if r.URL.Path == "/api/v0/nodes" {
				answer = `{"result": true}`
			}
			_, _ = io.WriteString(w, answer)
		})
		jobs, err := q.Jobs(context.Background(), []string{"run", "sup"})
		if err != nil {
			return
		}
		for id, j := range jobs {
			known := j.Phase == cluster.Pending || j.Phase == cluster.Running || j.Phase == cluster.Ended
			if !known || id.Index != 0 || id.Batch != "run" && id.Batch != "sup" || len(j.Reason) > 5*4000 {
				t.Errorf("Jobs() of %q has %v: %+v", text, id, j)
			}
		}
	})
}
