package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/go-huggingface/hub"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ErrHub marks a hub model that is not in the cache and cannot be fetched now: the grid is right, the network is not.
var ErrHub = errors.New("hub model not available")

const (
	weightsFile  = "model.safetensors"
	weightsIndex = "model.safetensors.index.json"
)

// Hub says where hub models come from and where they are kept. The cache is the one that Hugging Face's own tools use.
type Hub struct {
	Endpoint string            // https://host; empty means the public hub
	Cache    string            // folder that holds models--owner--name
	Token    string            // for gated and private models
	Offline  bool              // use only what is in the cache
	Notify   func(text string) // told before a long fetch; may be nil
}

// HubFromEnv reads the variables that Hugging Face's tools read: HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN,
// HF_HUB_OFFLINE.
func HubFromEnv(getenv func(string) string) Hub {
	h := Hub{Endpoint: strings.TrimSuffix(getenv("HF_ENDPOINT"), "/"), Token: getenv("HF_TOKEN"), Cache: getenv("HF_HUB_CACHE")}
	if h.Cache == "" && getenv("HF_HOME") != "" {
		h.Cache = filepath.Join(getenv("HF_HOME"), "hub")
	}
	if h.Cache == "" {
		h.Cache = hub.DefaultCacheDir()
	}
	switch strings.ToUpper(getenv("HF_HUB_OFFLINE")) {
	case "1", "ON", "YES", "TRUE":
		h.Offline = true
	}
	return h
}

// fetch returns the folder of a model's snapshot. What is in the cache is used as it is, so that a sweep resumed later
// trains on the same weights; only a model that is not there is fetched.
func (h Hub) fetch(ctx context.Context, id string, withWeights bool) (string, error) {
	if path, ok := h.cached(id, withWeights); ok {
		return path, nil
	}
	if h.Offline {
		return "", fmt.Errorf("%w: %s is not in the cache %s, and HF_HUB_OFFLINE forbids fetching it. %s", ErrHub, id, h.Cache, h.advice(id))
	}
	if h.Notify != nil {
		h.Notify(fmt.Sprintf("fetching model %s into %s", id, h.Cache))
	}
	path, err := h.download(ctx, id, withWeights)
	if err == nil || ctx.Err() != nil || errors.Is(err, trial.ErrInput) {
		return path, err
	}
	h.removeEmpty(id)
	return "", fmt.Errorf("%w: %s is not in the cache %s, and fetching it failed: %w. %s", ErrHub, id, h.Cache, cause(err), h.advice(id))
}

// cause returns the innermost error: the library wraps it in three sentences that all repeat the address.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// removeEmpty removes the folders that a failed attempt made. One that holds anything stays.
func (h Hub) removeEmpty(id string) {
	for _, dir := range []string{filepath.Join(h.repoFolder(id), "info"), h.repoFolder(id)} {
		if os.Remove(dir) != nil {
			return
		}
	}
}

func (h Hub) repoFolder(id string) string {
	return filepath.Join(h.Cache, "models--"+strings.ReplaceAll(id, "/", "--"))
}

func (h Hub) advice(id string) string {
	return fmt.Sprintf("Fetch it where there is a network (hf download %s), or copy the model's folder here and give its path as model; HF_HOME names the cache's place", id)
}

// cached returns the first complete snapshot in the cache: the one that Hugging Face's tools call main, the one that was
// main when this program asked, else any, by name.
func (h Hub) cached(id string, withWeights bool) (string, bool) {
	folder := filepath.Join(h.repoFolder(id), "snapshots")
	var names []string
	if commit, err := os.ReadFile(filepath.Join(h.repoFolder(id), "refs", "main")); err == nil {
		names = append(names, strings.TrimSpace(string(commit)))
	}
	var info hub.RepoInfo
	if text, err := os.ReadFile(filepath.Join(h.repoFolder(id), "info", "main")); err == nil && json.Unmarshal(text, &info) == nil {
		names = append(names, info.CommitHash)
	}
	if entries, err := os.ReadDir(folder); err == nil {
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	for _, name := range names {
		path := filepath.Join(folder, filepath.Base(name))
		if name != "" && complete(path, name != info.CommitHash || lists(info, tokenizerFile), withWeights) {
			return path, true
		}
	}
	return "", false
}

// lists reports whether the hub's description of a snapshot names the file.
func lists(info hub.RepoInfo, name string) bool {
	return slices.ContainsFunc(info.Siblings, func(f *hub.FileInfo) bool { return f != nil && f.Name == name })
}

// complete reports whether a snapshot has the files that training needs: the tokenizer only where the model has one, for
// pre-tokenised data needs none. The library gives a file its name only once it is whole; the weights themselves are
// checked by describe.
func complete(path string, withTokenizer, withWeights bool) bool {
	if _, err := os.Stat(filepath.Join(path, configFile)); err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(path, tokenizerFile)); withTokenizer && err != nil {
		return false
	}
	if !withWeights {
		return true
	}
	names, err := weights.ModelFiles(os.DirFS(path))
	if err != nil {
		return false
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(path, name)); err != nil {
			return false
		}
	}
	return true
}

func (h Hub) repo(id string) *hub.Repo {
	repo := hub.New(id).WithCacheDir(h.Cache).WithAuth(h.Token).WithProgressBar(false)
	if h.Endpoint != "" {
		repo = repo.WithEndpoint(h.Endpoint)
	}
	repo.Verbosity = 0
	return repo
}

// download fetches what training needs, and says which snapshot is now complete.
func (h Hub) download(ctx context.Context, id string, withWeights bool) (string, error) {
	if err := os.MkdirAll(h.Cache, 0o755); err != nil {
		return "", fmt.Errorf("cache of hub models: %w", err)
	}
	repo := h.repo(id)
	if err := repo.DownloadInfo(true); err != nil {
		return "", hubError(id, err)
	}
	names, err := wanted(ctx, repo, withWeights)
	if err != nil {
		return "", hubError(id, err)
	}
	var path string
	for _, name := range names { // one at a time: the library counts several without a lock
		if path, err = repo.DownloadFileCtx(ctx, name); err != nil {
			return "", hubError(id, err)
		}
	}
	return filepath.Dir(path), nil
}

// wanted lists the files to fetch.
func wanted(ctx context.Context, repo *hub.Repo, withWeights bool) ([]string, error) {
	if !repo.HasFile(configFile) {
		return nil, fmt.Errorf("%w: hub model %s has no %s (of a model in GGUF, fetch the file you want and give its path)", trial.ErrInput, repo.ID, configFile)
	}
	names := []string{configFile}
	small := []string{tokenizerFile, "tokenizer_config.json", "chat_template.jinja"}
	if withWeights { // for an export of the whole model
		small = append(small, "special_tokens_map.json", "generation_config.json")
	}
	for _, name := range small {
		if repo.HasFile(name) {
			names = append(names, name)
		}
	}
	switch {
	case !withWeights:
		return names, nil
	case repo.HasFile(weightsFile):
		return append(names, weightsFile), nil
	case !repo.HasFile(weightsIndex):
		return nil, fmt.Errorf("%w: hub model %s has no %s: save it as safetensors first", trial.ErrInput, repo.ID, weightsFile)
	}
	path, err := repo.DownloadFileCtx(ctx, weightsIndex)
	if err != nil {
		return nil, err
	}
	index, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	shards, err := weights.Shards(index)
	if err != nil {
		return nil, asInput(err)
	}
	return append(append(names, weightsIndex), shards...), nil
}

// hubError tells a model that does not exist from a hub that does not answer: the library knows only texts.
func hubError(id string, err error) error {
	text := err.Error()
	for _, code := range []string{"status code 401", "status code 403", "status code 404"} {
		if strings.Contains(text, code) {
			return fmt.Errorf("%w: the hub has no model %s that it would show you (if it is private or gated, set HF_TOKEN): %s", trial.ErrInput, id, text)
		}
	}
	return err
}
