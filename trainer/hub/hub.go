package hub

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	hf "github.com/gomlx/go-huggingface/hub"
)

// ErrUnavailable marks a model or data set of the hub that is not in the cache and cannot be fetched now: the grid is right, the
// network is not.
var ErrUnavailable = errors.New("hub model not available")

// Client says where models and data sets of the hub come from and where they are kept. The cache is the one that Hugging Face's own
// tools use.
type Client struct {
	Endpoint string            // https://host; empty means the public hub
	Cache    string            // folder that holds models--owner--name and datasets--owner--name
	Token    string            // for what is gated or private
	Offline  bool              // use only what is in the cache
	Notify   func(text string) // told before a long fetch, and of what cannot be verified; may be nil
}

// FromEnv reads the variables that Hugging Face's tools read: HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN,
// HF_HUB_OFFLINE.
func FromEnv(getenv func(string) string) Client {
	h := Client{Endpoint: strings.TrimSuffix(getenv("HF_ENDPOINT"), "/"), Token: getenv("HF_TOKEN"), Cache: getenv("HF_HUB_CACHE")}
	if h.Cache == "" && getenv("HF_HOME") != "" {
		h.Cache = filepath.Join(getenv("HF_HOME"), "hub")
	}
	if h.Cache == "" {
		h.Cache = hf.DefaultCacheDir()
	}
	switch strings.ToUpper(getenv("HF_HUB_OFFLINE")) {
	case "1", "ON", "YES", "TRUE":
		h.Offline = true
	}
	return h
}

// cause returns the innermost error: the library wraps it in three sentences that all repeat the address.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// removeEmpty removes the folders that a failed attempt made. One that holds anything stays.
func (h Client) removeEmpty(id string) {
	for _, dir := range []string{filepath.Join(h.repoFolder(id), "info"), h.repoFolder(id)} {
		if os.Remove(dir) != nil {
			return
		}
	}
}

func (h Client) repoFolder(id string) string {
	return filepath.Join(h.Cache, "models--"+strings.ReplaceAll(id, "/", "--"))
}

func (h Client) repo(id string) *hf.Repo {
	repo := hf.New(id).WithCacheDir(h.Cache).WithAuth(h.Token).WithProgressBar(false)
	if h.Endpoint != "" {
		repo = repo.WithEndpoint(h.Endpoint)
	}
	repo.Verbosity = 0
	return repo
}

// isRefused reports whether the hub said no: the library knows only texts.
func isRefused(err error) bool {
	text := err.Error()
	return slices.ContainsFunc([]string{"status code 401", "status code 403", "status code 404"},
		func(code string) bool { return strings.Contains(text, code) })
}
