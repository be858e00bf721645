package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	hf "github.com/gomlx/go-huggingface/hub"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Model returns the folder of a model's snapshot. What is in the cache is used as it is, so that a sweep resumed later
// trains on the same weights; only a model that is not there is fetched.
func (h Client) Model(ctx context.Context, id string, withWeights bool) (string, error) {
	if path, ok := h.cached(id, withWeights); ok {
		return path, nil
	}
	if h.Offline {
		return "", fmt.Errorf("%w: %s is not in the cache %s, and HF_HUB_OFFLINE forbids fetching it. %s", ErrUnavailable, id, h.Cache,
			h.advice(id))
	}
	if h.Notify != nil {
		h.Notify(fmt.Sprintf("fetching model %s into %s", id, h.Cache))
	}
	path, err := h.download(ctx, id, withWeights)
	if err == nil || ctx.Err() != nil || errors.Is(err, trial.ErrInput) {
		return path, err
	}
	h.removeEmpty(id)
	return "", fmt.Errorf("%w: %s is not in the cache %s, and fetching it failed: %w. %s", ErrUnavailable, id, h.Cache, cause(err),
		h.advice(id))
}

func (h Client) advice(id string) string {
	return fmt.Sprintf("Fetch it where there is a network (hf download %s), or copy the model's folder here and give its path as "+
		"model; HF_HOME names the cache's place", id)
}

// cached returns the first complete snapshot in the cache: the one that Hugging Face's tools call main, the one that was
// main when this program asked, else any, by name.
func (h Client) cached(id string, withWeights bool) (string, bool) {
	folder := h.repoFolder(id)
	described := readDescription(folder)
	for _, name := range snapshotNames(folder, described.Commit) {
		path := filepath.Join(folder, "snapshots", filepath.Base(name))
		if complete(path, name != described.Commit || described.lists(tokenizer.File), withWeights) {
			return path, true
		}
	}
	return "", false
}

// complete reports whether a snapshot has the files that training needs: the tokenizer only where the model has one, for
// pre-tokenised data needs none. The library gives a file its name only once it is whole; the weights themselves are
// checked by trainer.Inspect.
func complete(path string, withTokenizer, withWeights bool) bool {
	if _, err := os.Stat(filepath.Join(path, weights.ConfigFile)); err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(path, tokenizer.File)); withTokenizer && err != nil {
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

// download fetches what training needs, and says which snapshot is now complete.
func (h Client) download(ctx context.Context, id string, withWeights bool) (string, error) {
	if err := os.MkdirAll(h.Cache, 0o755); err != nil {
		return "", fmt.Errorf("cache of hub models: %w", err)
	}
	repo := h.repo(id)
	if err := h.describe(repo); err != nil {
		return "", hubError(id, err)
	}
	names, err := h.wanted(ctx, repo, withWeights)
	if err != nil {
		return "", hubError(id, err)
	}
	var path string
	for _, name := range names { // one at a time: the library counts several without a lock
		if path, err = h.fetch(ctx, repo, name); err != nil {
			return "", hubError(id, err)
		}
	}
	return filepath.Dir(path), nil
}

// wanted lists the files to fetch.
func (h Client) wanted(ctx context.Context, repo *hf.Repo, withWeights bool) ([]string, error) {
	if !repo.HasFile(weights.ConfigFile) {
		return nil, fmt.Errorf("%w: hub model %s has no %s (of a model in GGUF, fetch the file you want and give its path)",
			trial.ErrInput, repo.ID, weights.ConfigFile)
	}
	var names []string
	if repo.HasFile(chat.ToolUseFile) { // first, for the folder of the last is the snapshot
		names = append(names, chat.ToolUseFile)
	}
	names = append(names, weights.ConfigFile)
	small := []string{tokenizer.File, tokenizer.ConfigFile, chat.TemplateFile, tokenizer.SpecialTokensFile, tokenizer.AddedTokensFile}
	if !repo.HasFile(tokenizer.File) {
		small = append(small, tokenizer.VocabFile, tokenizer.MergesFile)
	}
	if withWeights { // for an export of the whole model
		small = append(small, "generation_config.json")
	}
	for _, name := range small {
		if repo.HasFile(name) {
			names = append(names, name)
		}
	}
	switch {
	case !withWeights:
		return names, nil
	case repo.HasFile(weights.ModelFile):
		return append(names, weights.ModelFile), nil
	case !repo.HasFile(weights.IndexFile):
		return nil, fmt.Errorf("%w: hub model %s has no %s: save it as safetensors first", trial.ErrInput, repo.ID, weights.ModelFile)
	}
	path, err := h.fetch(ctx, repo, weights.IndexFile)
	if err != nil {
		return nil, err
	}
	index, err := trial.ReadInput(path, trial.MostJSON)
	if err != nil {
		return nil, err
	}
	shards, err := weights.Shards(index)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trial.ErrInput, err)
	}
	return append(append(names, weights.IndexFile), shards...), nil
}

// hubError tells a model that does not exist from a hub that does not answer.
func hubError(id string, err error) error {
	if isRefused(err) {
		return fmt.Errorf("%w: the hub has no model %s that it would show you (if it is private or gated, set HF_TOKEN): %w",
			trial.ErrInput, id, err)
	}
	return err
}
