package hub_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/hub"
)

// replies are what a hub says of a repository and of its files: where linked is not empty, it redirects to them, and names them so.
type replies struct{ description, linked, etag, index, file string }

func (a *replies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := a.file
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		text = a.description
	case strings.HasSuffix(r.URL.Path, ".index.json"):
		text = a.index
	}
	if path, whole := strings.CutPrefix(r.URL.Path, "/moved"); !whole && a.linked != "" && !strings.HasPrefix(path, "/api/") {
		w.Header().Set("X-Linked-Etag", a.linked)
		http.Redirect(w, r, "/moved"+path, http.StatusFound)
		return
	}
	w.Header().Set("ETag", a.etag)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, text)
	}
}

// FuzzReplies reads any reply of a hub: fetching a model or a data set comes to an end, with an error or with files of the cache, which
// are found there again, and nothing is written elsewhere.
func FuzzReplies(f *testing.F) {
	const (
		model   = `{"sha": "abc", "siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors.index.json"}]}`
		dataSet = `{"sha": "abc", "siblings": [{"rfilename": "README.md"}, {"rfilename": "data/train-00000-of-00001.jsonl"}]}`
		index   = `{"weight_map": {"w": "model-00001-of-00002.safetensors", "v": "../../x"}}`
		card    = "---\nconfigs:\n- config_name: default\n  data_files: [{split: train, path: \"data/*\"}]\n---\n"
	)
	for _, seed := range []replies{
		{model, "", `"abc"`, index, "{}"},
		{dataSet, "", `W/"abc"`, index, card},
		{dataSet, "", `"607a30d783dfa663caf39e06633721c8d4cfcd7e"`, index, card},
		{`{"sha": "../../..", "siblings": [{"rfilename": "config.json"}]}`, "", `"abc"`, index, "{}"},
		{`{"sha": "abc", "siblings": [{"rfilename": "../../../x.jsonl"}, {"rfilename": "/etc/x.jsonl"}]}`, "", `"abc"`, index, card},
		{`{"sha": "abc", "siblings": [null, {"rfilename": "config.json"}]}`, "", `"abc"`, index, "{}"},
		{model, "", `"../../abc"`, index, "{}"},
		{model, `"` + sha256OfText + `"`, `"0123456789abcdef-2"`, index, "{}"},
		{dataSet, "../../abc", `"abc"`, index, card},
		{"<html>", "", "", "", ""},
		{"null", "", "", "", ""},
	} {
		f.Add(seed.description, seed.linked, seed.etag, seed.index, seed.file)
	}
	said := &replies{}
	server := httptest.NewServer(said)
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, description, linked, etag, index, file string) {
		*said = replies{description, linked, etag, index, file}
		dir := t.TempDir()
		client := hub.Client{Endpoint: server.URL, Cache: filepath.Join(dir, "cache")}
		const patience = 10 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		fetch := func() (paths []string) {
			paths, err := client.DataFiles(ctx, "tiny/set", "", "train")
			if err == nil && len(paths) == 0 {
				t.Errorf("%+v: neither files nor an error", *said)
			}
			if folder, err := client.Model(ctx, "tiny/gpt2", true); err == nil {
				paths = append(paths, folder, filepath.Join(folder, "config.json"))
			}
			return paths
		}
		paths := fetch()
		client.Offline = true
		if diff := cmp.Diff(paths, fetch()); diff != "" {
			t.Errorf("%+v: in the cache is something else (-fetched +found):\n%s", *said, diff)
		}
		if ctx.Err() != nil {
			t.Errorf("%+v: fetching does not come to an end", *said)
		}
		for _, path := range paths {
			if whole, err := filepath.EvalSymlinks(path); err != nil || !strings.HasPrefix(whole, client.Cache+"/") {
				t.Errorf("%+v: fetched as %s (%s, %v)", *said, path, whole, err)
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%+v: written beside the cache: %v, %v", *said, entries, err)
		}
	})
}
