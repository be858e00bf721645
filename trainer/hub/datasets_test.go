package hub_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/hub"
)

// newDataHub serves one data set by the hub's protocol, as newFakeHub does a model. It counts requests.
func newDataHub(t *testing.T, files map[string]string) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/datasets/tiny/set/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		var siblings []map[string]string
		for _, name := range slices.Sorted(maps.Keys(files)) {
			siblings = append(siblings, map[string]string{"rfilename": name})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"id": "tiny/set", "sha": hubCommit, "siblings": siblings})
	})
	mux.HandleFunc("GET /datasets/tiny/set/resolve/"+hubCommit+"/{file...}", func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.PathValue("file")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		sum := sha256.Sum256([]byte(body))
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Repo-Commit", hubCommit)
		if r.Method != http.MethodHead {
			_, _ = w.Write([]byte(body))
		}
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server, &requests
}

// splitHub is a data set whose files' names tell its splits.
func splitHub() map[string]string {
	return map[string]string{
		"README.md":                          "---\nlicense: mit\n---\nA set.\n",
		"data/train-00000-of-00002.jsonl":    `{"input_ids": [1, 2]}`,
		"data/train-00001-of-00002.jsonl":    `{"input_ids": [3, 4]}`,
		"data/test-00000-of-00001.jsonl":     `{"input_ids": [5, 6]}`,
		"data/train_sft-00000-of-00001.csv":  "text\na\n",
		"data/thumbnail-00000-of-00001.webp": "?",
	}
}

func TestHubData(t *testing.T) {
	t.Parallel()
	server, requests := newDataHub(t, splitHub())
	var said []string
	client := hub.Client{Endpoint: server.URL, Cache: t.TempDir(), Notify: func(text string) { said = append(said, text) }}
	root := filepath.Join(client.Cache, "datasets--tiny--set", "snapshots", hubCommit)
	want := []string{filepath.Join(root, "data/train-00000-of-00002.jsonl"), filepath.Join(root, "data/train-00001-of-00002.jsonl")}
	got, err := client.DataFiles(t.Context(), "tiny/set", "", "train")
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	asked := requests.Load()
	for _, offline := range []bool{false, true} { // what is in the cache needs no network, not even to ask
		client.Offline = offline
		again, err := client.DataFiles(t.Context(), "tiny/set", "", "train")
		must(t, err)
		if diff := cmp.Diff(want, again); diff != "" || requests.Load() != asked {
			t.Errorf("again, offline %v: %d requests, %s", offline, requests.Load()-asked, diff)
		}
	}
	if _, err := client.DataFiles(t.Context(), "tiny/set", "", "validation", "test"); !errors.Is(err, hub.ErrUnavailable) ||
		!strings.Contains(err.Error(), "hf download --repo-type dataset tiny/set") {
		t.Errorf("a split that is not in the cache, offline: %v", err)
	}
	client.Offline = false
	got, err = client.DataFiles(t.Context(), "tiny/set", "", "validation", "test")
	must(t, err)
	if diff := cmp.Diff([]string{filepath.Join(root, "data/test-00000-of-00001.jsonl")}, got); diff != "" {
		t.Error(diff)
	}
	// A part that an interrupted fetch lacks is fetched.
	must(t, os.Remove(want[1]))
	got, err = client.DataFiles(t.Context(), "tiny/set", "", "train")
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(said) != 3 || said[0] != "fetching data set tiny/set into "+client.Cache {
		t.Errorf("said %q", said)
	}
}

// TestHubDataOfOtherTools reads a cache that Hugging Face's own tools filled: links, and no list of the files.
func TestHubDataOfOtherTools(t *testing.T) {
	t.Parallel()
	client := hub.Client{Cache: t.TempDir(), Offline: true}
	folder := filepath.Join(client.Cache, "datasets--tiny--set")
	for name, body := range map[string]string{
		"refs/main": "abc", "blobs/1": "{}", "snapshots/abc/data/train-00000-of-00001.jsonl": "", "snapshots/def/train-00000-of-00002.jsonl": "",
	} {
		path := filepath.Join(folder, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o777))
		if body != "" {
			must(t, os.WriteFile(path, []byte(body), 0o600))
		} else {
			must(t, os.Symlink(filepath.Join(folder, "blobs/1"), path))
		}
	}
	got, err := client.DataFiles(t.Context(), "tiny/set", "", "train")
	must(t, err)
	if diff := cmp.Diff([]string{filepath.Join(folder, "snapshots/abc/data/train-00000-of-00001.jsonl")}, got); diff != "" {
		t.Error(diff)
	}
	must(t, os.RemoveAll(filepath.Join(folder, "snapshots/abc")))
	if _, err := client.DataFiles(t.Context(), "tiny/set", "", "train"); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("with one of two parts: %v, want ErrUnavailable", err)
	}
}

func TestHubDataSplits(t *testing.T) {
	t.Parallel()
	card := `---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/*.jsonl
  - split: test
    path: [en/held/**]
- config_name: de
  data_dir: de
- config_name: class
  data_files: ["en/[!a].jsonl", "**/[a-d][ev]*.csv", "en/[.jsonl"]
---
`
	configs := map[string]string{
		"README.md": card, "en/a.jsonl": "", "en/b.jsonl": "", "en/held/x/c.jsonl": "", "de/train.csv": "", "de/dev.csv": "", "notes.txt": "",
	}
	words := map[string]string{
		"README.md": "", "my-training.jsonl": "", "valid/a.csv": "", "eval_1.txt": "", "script.py": "", "trainer.md": "",
	}
	tests := map[string]struct {
		files  map[string]string
		config string
		splits []string
		want   []string
		err    string
	}{
		"parts":          {splitHub(), "", []string{"train_sft"}, []string{"data/train_sft-00000-of-00001.csv"}, ""},
		"no such split":  {splitHub(), "", []string{"dev"}, nil, "has no split dev; its splits: test, train, train_sft (write tiny/set:split)"},
		"configuration":  {configs, "en", []string{"train"}, []string{"en/a.jsonl", "en/b.jsonl"}, ""},
		"list of globs":  {configs, "en", []string{"validation", "test"}, []string{"en/held/x/c.jsonl"}, ""},
		"folder":         {configs, "de", []string{"validation"}, []string{"de/dev.csv"}, ""},
		"class":          {configs, "class", []string{"train"}, []string{"en/b.jsonl"}, ""},
		"which":          {configs, "", []string{"train"}, nil, "several configurations: write tiny/set:CONFIG:SPLIT with one of en, de, class"},
		"no such":        {configs, "fr", []string{"train"}, nil, "no configuration fr; there are en, de, class"},
		"words":          {words, "", []string{"train"}, []string{"my-training.jsonl"}, ""},
		"words in paths": {words, "", []string{"validation"}, []string{"valid/a.csv"}, ""},
		"third word":     {words, "", []string{"test"}, []string{"eval_1.txt"}, ""},
		"no words": {
			map[string]string{"a.jsonl": "", "b.jsonl": "", "b.csv": ""},
			"",
			[]string{"train"},
			[]string{"a.jsonl", "b.jsonl"},
			"",
		},
		"folder as such":  {map[string]string{"x/a.jsonl": "", "b.jsonl": ""}, "x", []string{"train"}, []string{"x/a.jsonl"}, ""},
		"no folder":       {map[string]string{"x/a.jsonl": ""}, "y", []string{"train"}, nil, "no configuration y"},
		"nothing to read": {map[string]string{"a.zip": ""}, "", []string{"train"}, nil, "none with files of a known format"},
		"damaged card": {
			map[string]string{"README.md": "---\na: [\n---\n", "a.csv": ""},
			"",
			[]string{"train"},
			nil,
			"the head of its README.md",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := newDataHub(t, tc.files)
			hub := hub.Client{Endpoint: server.URL, Cache: t.TempDir()}
			got, err := hub.DataFiles(t.Context(), "tiny/set", tc.config, tc.splits...)
			if tc.err != "" {
				if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("DataFiles = %v, want an input error with %q", err, tc.err)
				}
				return
			}
			must(t, err)
			for i := range got {
				got[i], err = filepath.Rel(filepath.Join(hub.Cache, "datasets--tiny--set", "snapshots", hubCommit), got[i])
				must(t, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHubDataErrors(t *testing.T) {
	t.Parallel()
	server, _ := newDataHub(t, splitHub())
	client := hub.Client{Endpoint: server.URL, Cache: t.TempDir()}
	if _, err := client.DataFiles(t.Context(), "tiny/none", "", "train"); !errors.Is(err, trial.ErrInput) ||
		!strings.Contains(err.Error(), "no data set tiny/none") || !strings.Contains(err.Error(), "HF_TOKEN") {
		t.Errorf("no such data set: %v", err)
	}
	client.Cache = t.TempDir()
	server.Close()
	if _, err := client.DataFiles(t.Context(), "tiny/set", "", "train"); !errors.Is(err, hub.ErrUnavailable) ||
		!strings.Contains(err.Error(), "refused") {
		t.Errorf("hub unreachable: %v", err)
	}
}

// TestPrepareHubData names data sets of the hub in a corpus: train from its split, validation from its test split.
func TestPrepareHubData(t *testing.T) {
	t.Parallel()
	server, _ := newDataHub(t, splitHub())
	hub := hub.Client{Endpoint: server.URL, Cache: t.TempDir()}
	spec := trial.DataSpec{
		Train: []string{"tiny/set"}, Validation: []string{"tiny/set"}, Retain: []string{"tiny/set:train"},
		SequenceLength: 2,
	}
	info, err := trainer.Inspect(t.Context(), tinyModel, trainer.InspectOptions{})
	must(t, err)
	source := corpus.Source{Files: os.DirFS(tinyModel), Model: info, Spec: spec, Hub: hub}
	prepared, err := corpus.Prepare(t.Context(), t.TempDir(), source, nil)
	must(t, err)
	c, err := corpus.Open(prepared.Info.Path)
	must(t, err)
	defer c.Close() //nolint:errcheck // only read
	for what, got := range map[string]struct {
		rows corpus.Rows
		want int32
		n    int
	}{"train": {c.Train(), 1, 2}, "validation": {c.Validation(), 5, 1}, "retain": {c.Retain(), 1, 2}} {
		if got.rows.Len() != got.n || got.rows.Row(0).IDs[0] != got.want {
			t.Errorf("%s has %d rows", what, got.rows.Len())
		}
	}
}
