package mlflow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// New returns a sink of the server at an address: http(s)://HOST[:PORT][/PATH].
func New(address string, credentials Credentials) (track.Sink, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("want the address of a tracking server: http://HOST:PORT or https://HOST")
	}
	s := &server{client: client{
		base: strings.TrimRight(address, "/"), credentials: credentials, http: http.Client{Timeout: requestTime},
	}}
	return track.Runs(s.put), nil
}

// Tags that runs are found by.
const (
	tagKey   = "ranksweep.key"   // of the sweep
	tagTrial = "ranksweep.trial" // its id; ofSweep of the sweep's own run
	tagSent  = "ranksweep.sent"  // a position

	ofSweep = "sweep"
	prefix  = "ranksweep." // of these tags, and of those that a run has itself
)

// server is an experiment as it was when last asked, and as it was changed since.
type server struct {
	client     client
	experiment string                // its id; empty: not asked yet
	runs       map[trial.ID]*tracked // those of the sweep; nil: not asked yet
}

// tracked is a run on the server.
type tracked struct {
	id     string
	status string
	sent   position
	tags   map[string]bool // names, of those that it may have itself
}

// position is how far a run is on the server.
type position struct {
	Steps  map[trial.EventKind]int `json:"steps,omitempty"` // of each kind of point, the last step that was taken
	Params bool                    `json:"params,omitempty"`
	Rest   string                  `json:"rest,omitempty"` // a digest of the summary and the tags
}

// The requests and answers, as far as they are used.
type (
	tag    struct{ Key, Value string }
	metric struct {
		Key       string  `json:"key"`
		Value     float64 `json:"value"`
		Timestamp int64   `json:"timestamp"`
		Step      int     `json:"step"`
	}
	batch struct {
		RunID   string   `json:"run_id"`
		Metrics []metric `json:"metrics,omitempty"`
		Params  []tag    `json:"params,omitempty"`
		Tags    []tag    `json:"tags,omitempty"`
	}
	run struct {
		Info struct {
			ID     string `json:"run_id"`
			Status string `json:"status"`
		} `json:"info"`
		Data struct {
			Tags []tag `json:"tags"`
		} `json:"data"`
	}
)

// MarshalJSON writes a tag as the API has it.
func (t tag) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"key": t.Key, "value": t.Value})
}

// put brings one run up to date.
func (s *server) put(ctx context.Context, r track.Run) error {
	err := s.send(ctx, r)
	if err != nil && !errors.Is(err, track.ErrRefused) {
		s.experiment, s.runs = "", nil // what the server has now is to be asked
	}
	return err
}

func (s *server) send(ctx context.Context, r track.Run) error {
	if err := s.look(ctx, r.Sweep); err != nil {
		return err
	}
	t, ok := s.runs[r.Trial]
	if !ok {
		var err error
		if t, err = s.create(ctx, r); err != nil {
			return err
		}
		s.runs[r.Trial] = t
	}
	if err := s.deleteTags(ctx, t, r.Tags); err != nil {
		return err
	}
	for _, b := range batches(r, t.sent) {
		if err := s.log(ctx, t, b); err != nil {
			return err
		}
	}
	return s.setStatus(ctx, t, r)
}

// look asks what the server has of a sweep.
func (s *server) look(ctx context.Context, of track.Sweep) error {
	if s.runs != nil {
		return nil
	}
	if err := s.findExperiment(ctx, of.Name); err != nil {
		return err
	}
	found, page, seen := map[trial.ID]*tracked{}, "", map[string]bool{}
	for {
		var answer struct {
			Runs []run  `json:"runs"`
			Next string `json:"next_page_token"`
		}
		const most = 1000
		request := map[string]any{
			"experiment_ids": []string{s.experiment}, "filter": fmt.Sprintf("tags.`%s` = '%s'", tagKey, of.ID()),
			"max_results": most, "page_token": page,
		}
		if err := s.client.call(ctx, "runs/search", request, &answer); err != nil {
			return err
		}
		for _, r := range answer.Runs {
			id, t := r.tracked()
			if t.id == "" {
				return notMLflow("a run has no run_id")
			}
			found[id] = t
		}
		if page = answer.Next; page == "" {
			s.runs = found
			return nil
		}
		if seen[page] {
			return notMLflow("a page of runs comes again")
		}
		seen[page] = true
	}
}

// tracked is a run as its tags describe it. Where they cannot be read, all is sent again, which changes no row.
func (r run) tracked() (trial.ID, *tracked) {
	t := &tracked{id: r.Info.ID, status: r.Info.Status, tags: map[string]bool{}}
	var id trial.ID
	for _, tag := range r.Data.Tags {
		switch tag.Key {
		case tagTrial:
			id = trial.ID(strings.TrimPrefix(tag.Value, ofSweep))
		case tagSent:
			if json.Unmarshal([]byte(tag.Value), &t.sent) != nil {
				t.sent = position{}
			}
		case tagKey:
		default:
			if name, ok := strings.CutPrefix(tag.Key, prefix); ok {
				t.tags[name] = true
			}
		}
	}
	return id, t
}

// findExperiment finds the experiment of that name, or creates it.
func (s *server) findExperiment(ctx context.Context, name string) error {
	var answer struct {
		ID         string `json:"experiment_id"`
		Experiment struct {
			ID    string `json:"experiment_id"`
			Stage string `json:"lifecycle_stage"`
		} `json:"experiment"`
	}
	find := func() error {
		return s.client.call(ctx, "experiments/get-by-name?experiment_name="+url.QueryEscape(name), nil, &answer)
	}
	err := find()
	if hasCode(err, "RESOURCE_DOES_NOT_EXIST") {
		err = s.client.call(ctx, "experiments/create", map[string]string{"name": name}, &answer)
		if hasCode(err, "RESOURCE_ALREADY_EXISTS") { // another was faster
			err = find()
		}
	}
	if err != nil {
		return err
	}
	if answer.Experiment.Stage == "deleted" {
		return fmt.Errorf("experiment %s was deleted there: restore it (mlflow experiments restore -x %s) or delete it for good (mlflow gc)",
			name, cut(answer.Experiment.ID, mostSaid))
	}
	if s.experiment = cmp.Or(answer.Experiment.ID, answer.ID); s.experiment == "" {
		return notMLflow("the experiment has no experiment_id")
	}
	return nil
}

// create makes a run that is found by its tags.
func (s *server) create(ctx context.Context, r track.Run) (*tracked, error) {
	tags := []tag{{tagKey, r.Sweep.ID()}, {"mlflow.source.name", "ranksweep"}, {"mlflow.source.type", "JOB"}}
	switch own := s.runs[""]; {
	case r.Trial == "":
		tags = append(tags, tag{tagTrial, ofSweep})
	case own != nil:
		tags = append(tags, tag{tagTrial, string(r.Trial)}, tag{"mlflow.parentRunId", own.id})
	default:
		return nil, errors.New("the sweep's own run is not there") // it is sent first
	}
	var answer struct {
		Run run `json:"run"`
	}
	err := s.client.add(ctx, "runs/create", map[string]any{
		"experiment_id": s.experiment, "run_name": r.Name, "start_time": r.Started.UnixMilli(), "tags": tags,
	}, &answer)
	if err == nil && answer.Run.Info.ID == "" {
		err = notMLflow("the new run has no run_id")
	}
	return &tracked{id: answer.Run.Info.ID, status: answer.Run.Info.Status, tags: map[string]bool{}}, err
}

// deleteTags deletes the tags that a run no longer has.
func (s *server) deleteTags(ctx context.Context, t *tracked, have []track.Field) error {
	for name := range t.tags {
		if slices.ContainsFunc(have, func(f track.Field) bool { return f.Name == name }) {
			continue
		}
		err := s.client.call(ctx, "runs/delete-tag", map[string]string{"run_id": t.id, "key": prefix + name}, nil)
		if err != nil && !hasCode(err, "RESOURCE_DOES_NOT_EXIST") {
			return err
		}
		delete(t.tags, name)
	}
	return nil
}

// piece is a batch and where the run is after it.
type piece struct {
	batch
	sent position
}

// Limits of MLflow: of a batch (mlflow/utils/validation.py of 3.17), and of values, where servers of version 1 take less.
const (
	batchMetrics = 900 // of 1000 with all else
	batchParams  = 90  // of 100
	paramLength  = 500
	tagLength    = 5000
)

// batches are what the server lacks of a run, in order. Each sets the tag that says how far the run is after it.
func batches(r track.Run, sent position) []piece {
	sent.Steps = maps.Clone(sent.Steps)
	if sent.Steps == nil {
		sent.Steps = map[trial.EventKind]int{}
	}
	var all []piece
	var next batch
	end := func() {
		at := sent
		at.Steps = maps.Clone(sent.Steps)
		all = append(all, piece{next, at})
		next = batch{}
	}
	if !sent.Params {
		for some := range slices.Chunk(r.Params, batchParams) {
			if len(next.Params) > 0 {
				end()
			}
			for _, p := range some {
				next.Params = append(next.Params, tag{p.Name, cut(p.Value, paramLength)})
			}
		}
		sent.Params = true
	}
	for _, p := range r.Points {
		if last, ok := sent.Steps[p.Kind]; ok && p.Step <= last {
			continue
		}
		if len(next.Metrics)+len(next.Params)+len(p.Values) > batchMetrics {
			end()
		}
		for _, v := range p.Values {
			next.Metrics = append(next.Metrics, metric{v.Name, v.Value, p.At.UnixMilli(), p.Step})
		}
		sent.Steps[p.Kind] = p.Step
	}
	if rest := digest(r.Summary, r.Tags); rest != sent.Rest {
		if len(next.Metrics) > 0 || len(next.Params) > 0 {
			end()
		}
		for _, v := range r.Summary {
			next.Metrics = append(next.Metrics, metric{v.Name, v.Value, r.Ended.UnixMilli(), r.Step})
		}
		for some := range slices.Chunk(r.Tags, batchParams) {
			if len(next.Tags) > 0 {
				end()
			}
			for _, t := range some {
				next.Tags = append(next.Tags, tag{prefix + t.Name, cut(t.Value, tagLength)})
			}
		}
		sent.Rest = rest
	}
	if len(next.Metrics)+len(next.Params)+len(next.Tags) > 0 {
		end()
	}
	return all
}

func (s *server) log(ctx context.Context, t *tracked, p piece) error {
	at, err := json.Marshal(p.sent)
	if err != nil {
		return err
	}
	for _, own := range p.Tags {
		t.tags[strings.TrimPrefix(own.Key, prefix)] = true
	}
	p.RunID, p.Tags = t.id, append(p.Tags, tag{tagSent, string(at)})
	if err := s.client.add(ctx, "runs/log-batch", p.batch, nil); err != nil {
		return err
	}
	t.sent = p.sent
	return nil
}

// setStatus says on the server how far the run is.
func (s *server) setStatus(ctx context.Context, t *tracked, r track.Run) error {
	status := map[track.Status]string{
		track.Running: "RUNNING", track.Finished: "FINISHED", track.Failed: "FAILED", track.Stopped: "KILLED",
	}[r.Status]
	if t.status == status {
		return nil
	}
	request := map[string]any{"run_id": t.id, "status": status}
	if r.Status != track.Running {
		request["end_time"] = r.Ended.UnixMilli()
	}
	if err := s.client.call(ctx, "runs/update", request, nil); err != nil {
		return err
	}
	t.status = status
	return nil
}

func digest(of ...any) string {
	const length = 8
	sum := sha256.Sum256(fmt.Append(nil, of...))
	return hex.EncodeToString(sum[:length])
}

// cut shortens a value to so many characters.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
