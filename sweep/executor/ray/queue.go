package ray

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
)

// Queue implements cluster.Queue with the Jobs of a Ray cluster.
type Queue struct {
	Settings Settings
	Program  string // that WorkingDir: Upload uploads

	mu      sync.Mutex
	program pack // what Program is, once it was read
}

// submission is the request for a job: JobSubmitRequest of ray/dashboard/modules/job/common.py, without what is empty.
type submission struct {
	Entrypoint string             `json:"entrypoint"`
	ID         string             `json:"submission_id"`
	CPUs       float64            `json:"entrypoint_num_cpus,omitempty"`
	GPUs       float64            `json:"entrypoint_num_gpus,omitempty"`
	Memory     int64              `json:"entrypoint_memory,omitempty"`
	Resources  map[string]float64 `json:"entrypoint_resources,omitempty"`
	Env        runtimeEnv         `json:"runtime_env"`
	Metadata   map[string]string  `json:"metadata,omitempty"`
}

type runtimeEnv struct {
	WorkingDir string            `json:"working_dir,omitempty"`
	Env        map[string]string `json:"env_vars,omitempty"`
}

func (q *Queue) settings() Settings { return q.Settings.withDefaults() }

// Most is 1: Ray has no arrays.
func (q *Queue) Most(context.Context) (int, error) { return 1, nil }

// Submit hands in the batch's job.
func (q *Queue) Submit(ctx context.Context, b cluster.Batch) error {
	if len(b.Dirs) != 1 {
		return &cluster.RefusedError{Reason: fmt.Sprintf("Ray takes one job at a time, and batch %s has %d", b.Name, len(b.Dirs))}
	}
	workingDir, err := q.workingDir(ctx)
	if err != nil {
		return err
	}
	s, err := q.settings().submission(b, workingDir)
	if err != nil {
		return err
	}
	var taken struct {
		ID string `json:"submission_id"`
	}
	err = q.call(ctx, http.MethodPost, "/api/jobs/", s, &taken)
	switch r, refused := errors.AsType[*refusal](err); {
	case refused && r.exists(s.ID):
		return nil // of an earlier request whose reply was lost
	case refused && r.final():
		return &cluster.RefusedError{Reason: r.Error()}
	case err != nil:
		return err
	case taken.ID != s.ID:
		return fmt.Errorf("Ray answers with job %q where %s was handed in", lastLine(taken.ID), s.ID) //nolint:staticcheck // a name
	}
	return nil
}

// submission is what is sent for the only job of a batch.
func (s Settings) submission(b cluster.Batch, workingDir string) (submission, error) {
	resources, err := s.resources()
	if err != nil {
		return submission{}, err
	}
	env := map[string]string{stopTimeVariable: strconv.Itoa(int(s.StopTime / time.Second))}
	for _, pair := range s.Env {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	memory := cmp.Or(b.Request.Memory, int64(s.Memory))
	if s.MemoryMax > 0 {
		memory = min(memory, int64(s.MemoryMax))
	}
	return submission{
		Entrypoint: cluster.Entry(b.Folder, "0"), ID: submissionID(cluster.JobID{Batch: b.Name}),
		CPUs: s.CPUs, GPUs: cmp.Or(s.GPUs, float64(b.Request.Devices)), Memory: memory, Resources: resources,
		Env:      runtimeEnv{WorkingDir: workingDir, Env: env},
		Metadata: map[string]string{"attempt": b.Dirs[0]},
	}, nil
}

// Script is the request that hands in a batch's job, for people.
func Script(s Settings, b cluster.Batch) (string, error) {
	workingDir := s.WorkingDir
	if workingDir == Upload {
		workingDir = "gcs://PROGRAM.zip"
	}
	s = s.withDefaults()
	request, err := s.submission(b, workingDir)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "POST %s/api/jobs/\n", strings.TrimRight(s.Address, "/"))
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(request)
	return text.String(), err
}

// stopTimeVariable is read by Ray in the environment that the job's supervisor shares with the job: JobSupervisor.run in
// ray/dashboard/modules/job/job_supervisor.py.
const stopTimeVariable = "RAY_JOB_STOP_WAIT_TIME_S"

func submissionID(id cluster.JobID) string { return id.Batch + "-" + strconv.Itoa(id.Index) }

// Jobs asks for the states of all jobs, and where some run, which nodes are dead.
func (q *Queue) Jobs(ctx context.Context, batches []string) (map[cluster.JobID]cluster.Job, error) {
	wanted := make(map[string]cluster.JobID, len(batches))
	for _, name := range batches {
		id := cluster.JobID{Batch: name}
		wanted[submissionID(id)] = id
	}
	found := map[cluster.JobID]details{}
	err := q.get(ctx, "/api/jobs/", func(r reader) error {
		return readJobs(r, func(d details) {
			if id, ours := wanted[d.ID]; ours && d.Type == typeSubmission {
				found[id] = d
			}
		})
	})
	if err != nil {
		return nil, err
	}
	dead, err := q.deadNodes(ctx, found)
	if err != nil {
		return nil, err
	}
	jobs := make(map[cluster.JobID]cluster.Job, len(found))
	for id, d := range found {
		if jobs[id], err = d.job(dead); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// deadNodes returns the nodes that are dead and why, where a job is said to run.
func (q *Queue) deadNodes(ctx context.Context, jobs map[cluster.JobID]details) (map[string]string, error) {
	for _, d := range jobs {
		if d.Status == statusRunning {
			// Of those the head keeps 1,000: maximum_gcs_dead_node_cached_count of Ray's ray_config_def.h.
			query := url.Values{"limit": {"10000"}, "filter_keys": {"state"}, "filter_predicates": {"="}, "filter_values": {"DEAD"}}
			var answer nodes
			if err := q.call(ctx, http.MethodGet, "/api/v0/nodes?"+query.Encode(), nil, &answer); err != nil {
				return nil, err
			}
			return answer.dead()
		}
	}
	return nil, nil
}

// Stop kills a job: with SIGTERM, and with SIGKILL after StopTime. A stop that lets it live is the attempt's file alone, which its worker
// looks for: a request that Ray answers with a signal is not better heard, and less to be relied on.
func (q *Queue) Stop(ctx context.Context, id cluster.JobID, kill bool) error {
	if !kill {
		return nil
	}
	err := q.call(ctx, http.MethodPost, "/api/jobs/"+url.PathEscape(submissionID(id))+"/stop", nil, nil)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound {
		return nil
	}
	return err
}

// Version asks what Ray answers at the address: whether one does at all, and takes the headers.
func (q *Queue) Version(ctx context.Context) (string, error) {
	var answer struct {
		Ray string `json:"ray_version"`
	}
	if err := q.call(ctx, http.MethodGet, "/api/version", nil, &answer); err != nil {
		return "", fmt.Errorf("ask Ray at %s for its version: %w", q.settings().Address, err)
	}
	version := lastLine(answer.Ray)
	if version == "" {
		return "", fmt.Errorf("what answers at %s is no dashboard of Ray", q.settings().Address)
	}
	return version, nil
}
