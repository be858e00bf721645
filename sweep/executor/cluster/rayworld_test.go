package cluster_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/ray"
)

// TestSimulatedRay is Simulate through ray.Queue, whose requests a head answers that has the world's jobs, and at times forgets them all.
func TestSimulatedRay(t *testing.T) {
	t.Parallel()
	var h *head
	cluster.Simulate(t, func(w *cluster.World) cluster.Queue {
		if h == nil { // it outlives the coordinators
			h = newHead(t, w)
		}
		return &ray.Queue{Settings: ray.Settings{Address: h.URL}}
	})
}

// head answers the Jobs REST interface as Ray 2.60 does.
type head struct {
	*httptest.Server
	t *testing.T
	*cluster.World
}

func newHead(t *testing.T, w *cluster.World) *head {
	t.Helper()
	w.Single = true
	h := &head{t: t, World: w}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/jobs/{$}", h.submit)
	mux.HandleFunc("GET /api/jobs/{$}", h.jobs)
	mux.HandleFunc("POST /api/jobs/{id}/stop", h.stop)
	mux.HandleFunc("GET /api/v0/nodes", h.nodes)
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	var restart func()
	restart = func() {
		w.Forget()
		w.Later(5*time.Hour, restart)
	}
	w.Later(5*time.Hour, restart)
	return h
}

// lose answers nothing, or what a head says whose agent is gone.
func (h *head) lose(w http.ResponseWriter) {
	if h.Chance(50) {
		http.Error(w, "aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host 127.0.0.2:52365", http.StatusInternalServerError)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		h.t.Error(err)
		return
	}
	_ = conn.Close()
}

func (h *head) reply(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.t.Error(err)
	}
}

func (h *head) submit(w http.ResponseWriter, r *http.Request) {
	var job struct {
		Entrypoint string            `json:"entrypoint"`
		ID         string            `json:"submission_id"`
		Metadata   map[string]string `json:"metadata"`
	}
	if err := json.NewDecoder(r.Body).Decode(&job); err != nil {
		h.t.Error(err)
	}
	_, entry, _ := strings.Cut(job.Entrypoint, "exec bash ")
	folder := filepath.Dir(strings.Trim(strings.TrimSuffix(entry, " 0"), "'"))
	attempts, err := os.ReadFile(filepath.Join(folder, "attempts"))
	dirs := strings.Fields(string(attempts))
	if err != nil || len(dirs) != 1 || dirs[0] != job.Metadata["attempt"] {
		h.t.Errorf("entrypoint %q: %v", job.Entrypoint, err)
	}
	b := cluster.Batch{Name: strings.TrimSuffix(job.ID, "-0"), Folder: folder, Dirs: dirs}
	if h.Knows(b.Name) {
		http.Error(w, "RuntimeError: Request failed with status code 400: Traceback (most recent call last):\n"+
			"ValueError: Job with submission_id "+job.ID+" already exists. Please use a different submission_id.", http.StatusInternalServerError)
		return
	}
	err = h.Submit(r.Context(), b)
	switch refused, no := errors.AsType[*cluster.RefusedError](err); {
	case no:
		http.Error(w, "ValueError: "+refused.Reason, http.StatusBadRequest)
	case err != nil:
		h.lose(w)
	default:
		h.reply(w, map[string]string{"job_id": job.ID, "submission_id": job.ID})
	}
}

// details is what a head tells of a job.
type details struct {
	Type    string `json:"type"`
	ID      string `json:"submission_id"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Error   string `json:"error_type,omitempty"`
	Node    string `json:"driver_node_id,omitempty"`
	Exit    *int   `json:"driver_exit_code"`
}

const lostNode = "a4ef6e9558de"

func (h *head) jobs(w http.ResponseWriter, _ *http.Request) {
	records, err := h.Records()
	if err != nil {
		h.lose(w)
		return
	}
	list := []details{}
	for _, r := range records {
		list = append(list, detailsOf(r))
	}
	h.reply(w, list)
}

func detailsOf(r cluster.Record) details {
	d := details{Type: "SUBMISSION", ID: r.ID.Batch + "-" + strconv.Itoa(r.ID.Index), Node: "0c"}
	code, normal := strings.CutPrefix(r.Exit, "exit status ")
	exit, _ := strconv.Atoi(code)
	switch reason, _, _ := strings.Cut(r.Reason, " "); {
	case r.Phase == cluster.Pending:
		d.Status = "PENDING"
	case r.Phase != cluster.Ended:
		d.Status = "RUNNING"
	case reason == "CANCELLED":
		d.Status = "STOPPED"
	case reason == "NODE_FAIL": // the head goes on to say so
		d.Status, d.Node = "RUNNING", lostNode
	case reason != "":
		d.Status, d.Error, d.Message = "FAILED", "JOB_SUPERVISOR_ACTOR_DIED", "Job supervisor actor died: "+reason
	case r.Exit == "signal: killed":
		exit = -9
		d.Status, d.Exit = "FAILED", &exit
	case normal && exit > 0:
		d.Status, d.Exit = "FAILED", &exit
	default:
		d.Status, d.Exit = "SUCCEEDED", new(0)
	}
	return d
}

func (h *head) nodes(w http.ResponseWriter, _ *http.Request) {
	if h.Chance(5) {
		h.lose(w)
		return
	}
	h.reply(w, map[string]any{"result": true, "data": map[string]any{"result": map[string]any{"result": []map[string]string{
		{"node_id": lostNode, "state": "DEAD", "state_message": "raylet fate-shares with its agent"},
	}}}})
}

// stop sends SIGTERM, and SIGKILL later.
func (h *head) stop(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(r.PathValue("id"), "-0")
	which := func(r cluster.Record) bool { return r.ID.Batch == name }
	if !h.Knows(name) {
		http.Error(w, "Job "+r.PathValue("id")+" does not exist", http.StatusNotFound)
		return
	}
	if err := h.Cancel(which, true, true, false); err != nil {
		h.lose(w)
		return
	}
	h.Later(30*time.Second, func() { _ = h.Cancel(which, true, true, true) })
	h.reply(w, map[string]bool{"stopped": true})
}
