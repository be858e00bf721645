package hub_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/hub"
)

const hubCommit = "607a30d783dfa663caf39e06633721c8d4cfcd7e"

// fakeHub serves one model by the hub's protocol: its list of files, and each file by commit with an ETag.
type fakeHub struct {
	*httptest.Server
	requests atomic.Int64
	token    string // demanded when set
}

func newFakeHub(t *testing.T, dir string, names ...string) *fakeHub {
	t.Helper()
	h := &fakeHub{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/tiny/gpt2/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		var siblings []map[string]string
		for _, name := range names {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"id": "tiny/gpt2", "sha": hubCommit, "siblings": siblings})
	})
	mux.HandleFunc("GET /tiny/gpt2/resolve/"+hubCommit+"/{file}", func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(filepath.Join(dir, filepath.Base(r.PathValue("file"))))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		sum := sha256.Sum256(b)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Repo-Commit", hubCommit)
		if r.Method != http.MethodHead {
			_, _ = w.Write(b)
		}
	})
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		if h.token != "" && r.Header.Get("Authorization") != "Bearer "+h.token {
			http.Error(w, `{"error":"Access to model tiny/gpt2 is restricted"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

const tinyModel = "../model/testdata/tiny-gpt2"

// tinyCopy is a folder with the tiny model's files.
func tinyCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		body, err := os.ReadFile(filepath.Join(tinyModel, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), body, 0o600))
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hubModel is the tiny model with a tokenizer beside it.
func hubModel(t *testing.T) string {
	t.Helper()
	dir := tinyCopy(t)
	must(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{}"), 0o600))
	return dir
}

func TestInspectHub(t *testing.T) {
	t.Parallel()
	dir := hubModel(t)
	server := newFakeHub(t, dir, "config.json", "model.safetensors", "tokenizer.json", "README.md", "flax_model.msgpack")
	var said []string
	notify := func(text string) { said = append(said, text) }
	o := trainer.InspectOptions{Hub: hub.Client{Endpoint: server.URL, Cache: t.TempDir(), Notify: notify}}
	got, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
	must(t, err)
	local, err := trainer.Inspect(t.Context(), dir, trainer.InspectOptions{})
	must(t, err)
	local.Reference, local.Path = "tiny/gpt2", filepath.Join(o.Hub.Cache, "models--tiny--gpt2", "snapshots", hubCommit)
	if diff := cmp.Diff(local, got); diff != "" {
		t.Errorf("hub against folder: %s", diff)
	}
	// What is in the cache needs no network, not even to ask.
	asked := server.requests.Load()
	for _, offline := range []bool{false, true} {
		o.Hub.Offline = offline
		again, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
		must(t, err)
		if diff := cmp.Diff(got, again); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]string{"fetching model tiny/gpt2 into " + o.Hub.Cache}, said); diff != "" {
		t.Error(diff)
	}
	if n := server.requests.Load(); n != asked {
		t.Errorf("%d requests for a cached model", n-asked)
	}
}

// TestInspectHubRefusesEarly: the weights of a model that cannot be trained are not fetched.
func TestInspectHubRefusesEarly(t *testing.T) {
	t.Parallel()
	dir := tinyCopy(t)
	must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "mixtral", "num_local_experts": 8}`), 0o600))
	server := newFakeHub(t, dir, "config.json", "model.safetensors")
	o := trainer.InspectOptions{Hub: hub.Client{Endpoint: server.URL, Cache: t.TempDir()}}
	_, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
	if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "mixture of experts") {
		t.Errorf("Inspect = %v, want the kind of the model", err)
	}
	fetched, err := filepath.Glob(filepath.Join(o.Hub.Cache, "*", "snapshots", "*", "*.safetensors"))
	if err != nil || len(fetched) > 0 {
		t.Errorf("fetched %v, %v", fetched, err)
	}
}

// TestInspectHubWithoutTokenizer: a model that has no tokenizer is complete without one, so it is fetched only once.
func TestInspectHubWithoutTokenizer(t *testing.T) {
	t.Parallel()
	server := newFakeHub(t, tinyCopy(t), "config.json", "model.safetensors")
	o := trainer.InspectOptions{Hub: hub.Client{Endpoint: server.URL, Cache: t.TempDir()}}
	got, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
	must(t, err)
	asked := server.requests.Load()
	o.Hub.Offline = true
	again, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
	must(t, err)
	if diff := cmp.Diff(got, again); diff != "" {
		t.Error(diff)
	}
	if n := server.requests.Load(); n != asked {
		t.Errorf("%d requests for a cached model", n-asked)
	}
}

func TestInspectHubShards(t *testing.T) {
	t.Parallel()
	dir := "../model/testdata/tiny-llama/sharded"
	server := newFakeHub(t, dir, "config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
		"model-00002-of-00002.safetensors")
	o := trainer.InspectOptions{Hub: hub.Client{Endpoint: server.URL, Cache: t.TempDir()}}
	got, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
	must(t, err)
	if got.Architecture != "llama" || got.Params != 106816 {
		t.Errorf("Inspect = %+v, want a Llama of 106816 parameters", got)
	}
}

func TestInspectHubErrors(t *testing.T) {
	t.Parallel()
	whole := []string{"config.json", "model.safetensors", "tokenizer.json"}
	tests := map[string]struct {
		names   []string
		ref     string
		offline bool
		closed  bool
		token   string
		kind    error
		want    []string
	}{
		"not in the cache, offline": {
			names: whole, offline: true, kind: hub.ErrUnavailable,
			want: []string{"HF_HUB_OFFLINE", "hf download tiny/gpt2", "HF_HOME"},
		},
		"hub unreachable": {names: whole, closed: true, kind: hub.ErrUnavailable, want: []string{"refused", "hf download tiny/gpt2"}},
		"no such model":   {names: whole, ref: "tiny/gpt3", kind: trial.ErrInput, want: []string{"no model tiny/gpt3"}},
		"gated":           {names: whole, token: "secret", kind: trial.ErrInput, want: []string{"HF_TOKEN"}},
		"no safetensors": {
			names: []string{"config.json", "pytorch_model.bin"}, kind: trial.ErrInput,
			want: []string{"no model.safetensors"},
		},
		"no config": {names: []string{"model.safetensors"}, kind: trial.ErrInput, want: []string{"no config.json"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newFakeHub(t, hubModel(t), tc.names...)
			server.token = tc.token
			if tc.closed {
				server.Close()
			}
			ref := tc.ref
			if ref == "" {
				ref = "tiny/gpt2"
			}
			cache := filepath.Join(t.TempDir(), "hub")
			_, err := trainer.Inspect(t.Context(), ref, trainer.InspectOptions{
				Hub: hub.Client{Endpoint: server.URL, Cache: cache, Offline: tc.offline},
			})
			if !errors.Is(err, tc.kind) {
				t.Fatalf("Inspect = %v, want %v", err, tc.kind)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("Inspect = %v, want %q in it", err, part)
				}
			}
		})
	}
}

// TestInspectHubInterrupted: what an earlier, interrupted fetch left in the cache is completed, not taken for whole.
func TestInspectHubInterrupted(t *testing.T) {
	t.Parallel()
	server := newFakeHub(t, hubModel(t), "config.json", "model.safetensors", "tokenizer.json")
	o := trainer.InspectOptions{Hub: hub.Client{Endpoint: server.URL, Cache: t.TempDir()}}
	want, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
	must(t, err)
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json"} {
		must(t, os.Remove(filepath.Join(want.Path, name)))
		got, err := trainer.Inspect(t.Context(), "tiny/gpt2", o)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("without %s: %s", name, diff)
		}
	}
}

func TestFromEnv(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env  map[string]string
		want hub.Client
	}{
		"all": {
			map[string]string{"HF_ENDPOINT": "http://hub/", "HF_HOME": "/hf", "HF_TOKEN": "t", "HF_HUB_OFFLINE": "1"},
			hub.Client{Endpoint: "http://hub", Cache: "/hf/hub", Token: "t", Offline: true},
		},
		"cache": {map[string]string{"HF_HUB_CACHE": "/c", "HF_HOME": "/hf", "HF_HUB_OFFLINE": "0"}, hub.Client{Cache: "/c"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := hub.FromEnv(func(key string) string { return tc.env[key] })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
