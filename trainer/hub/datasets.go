package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	hf "github.com/gomlx/go-huggingface/hub"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// cardFile describes a data set; its head may say which files make which split.
const cardFile = "README.md"

// DataFiles returns the local paths of a hub data set's split, fetched where they are not in the cache. What is in the cache is
// used as it is, as for models. The first of splits that there is counts.
func (h Client) DataFiles(ctx context.Context, id, config string, splits ...string) ([]string, error) {
	if paths, err := h.cachedData(id, config, splits); paths != nil || err != nil {
		return paths, err
	}
	if h.Offline {
		return nil, fmt.Errorf("%w: data set %s is not in the cache %s, and HF_HUB_OFFLINE forbids fetching it. %s", ErrUnavailable, id,
			h.Cache, dataAdvice(id))
	}
	if h.Notify != nil {
		h.Notify(fmt.Sprintf("fetching data set %s into %s", id, h.Cache))
	}
	paths, err := h.downloadData(ctx, id, config, splits)
	if err == nil || ctx.Err() != nil || errors.Is(err, trial.ErrInput) {
		return paths, err
	}
	return nil, fmt.Errorf("%w: data set %s is not in the cache %s, and fetching it failed: %w. %s", ErrUnavailable, id, h.Cache,
		cause(err), dataAdvice(id))
}

func dataAdvice(id string) string {
	return fmt.Sprintf("Fetch it where there is a network (hf download --repo-type dataset %s), or copy its files here and name "+
		"them; HF_HOME names the cache's place", id)
}

// cachedData looks the split up in the snapshots of the cache, as for models. nil means that none has it whole.
func (h Client) cachedData(id, config string, splits []string) ([]string, error) {
	folder := filepath.Join(h.Cache, "datasets--"+strings.ReplaceAll(id, "/", "--"))
	listed, commit := listedFiles(folder)
	for _, name := range snapshotNames(folder, commit) {
		root := filepath.Join(folder, "snapshots", name)
		names := listed
		if name != commit {
			names = filesBelow(root)
		}
		if len(names) == 0 {
			continue
		}
		card, err := trial.ReadInput(filepath.Join(root, cardFile), trial.MostJSON)
		if err != nil && slices.Contains(names, cardFile) {
			continue // the fetch of it was interrupted
		}
		wanted, err := splitFiles(id, card, names, config, splits)
		if err != nil {
			if name == commit {
				return nil, err
			}
			continue // another split was fetched
		}
		if paths := wholeFiles(root, wanted); paths != nil {
			return paths, nil
		}
	}
	return nil, nil
}

// snapshotNames lists the commits in a repository's cache: what Hugging Face's tools call main first, then what was main when
// this program asked, then the others by name.
func snapshotNames(folder, commit string) []string {
	var names []string
	if main, err := trial.ReadInput(filepath.Join(folder, "refs", "main"), trial.MostJSON); err == nil {
		if name := strings.TrimSpace(string(main)); name != "" {
			names = append(names, filepath.Base(name))
		}
	}
	if commit != "" {
		names = append(names, commit)
	}
	entries, err := os.ReadDir(filepath.Join(folder, "snapshots"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// listedFiles reads the hub's description of a snapshot that the library keeps.
func listedFiles(folder string) (names []string, commit string) {
	d := readDescription(folder)
	if d.Commit == "" {
		return nil, ""
	}
	for _, f := range d.Files {
		if filepath.IsLocal(filepath.FromSlash(f.Name)) {
			names = append(names, f.Name)
		}
	}
	return names, filepath.Base(d.Commit)
}

// filesBelow lists what a snapshot holds, which Hugging Face's tools link from elsewhere.
func filesBelow(root string) []string {
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil
	}
	return names
}

// wholeFiles returns where the files are, or nil where one is missing, be it one that only the others' names tell of.
func wholeFiles(root string, names []string) []string {
	var paths []string
	for _, name := range names {
		path := filepath.Join(root, filepath.FromSlash(name))
		if _, err := os.Stat(path); err != nil {
			return nil
		}
		paths = append(paths, path)
	}
	if m := shardName.FindStringSubmatch(filepath.Base(names[0])); m != nil {
		if parts, err := strconv.Atoi(m[3]); err != nil || len(names) < parts {
			return nil
		}
	}
	return paths
}

func (h Client) downloadData(ctx context.Context, id, config string, splits []string) ([]string, error) {
	if err := os.MkdirAll(h.Cache, 0o755); err != nil {
		return nil, fmt.Errorf("cache of hub data sets: %w", err)
	}
	repo := h.repo(id).WithType(hf.RepoTypeDataset)
	if err := h.describe(repo); err != nil {
		return nil, dataError(id, err)
	}
	var names []string
	for name, err := range repo.IterFileNames() {
		if err != nil {
			return nil, dataError(id, err)
		}
		names = append(names, name)
	}
	var card []byte
	if slices.Contains(names, cardFile) {
		local, err := h.fetch(ctx, repo, cardFile)
		if err != nil {
			return nil, dataError(id, err)
		}
		if card, err = trial.ReadInput(local, trial.MostJSON); err != nil {
			return nil, err
		}
	}
	wanted, err := splitFiles(id, card, names, config, splits)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(wanted))
	for i, name := range wanted { // one at a time: the library counts several without a lock
		if paths[i], err = h.fetch(ctx, repo, name); err != nil {
			return nil, dataError(id, err)
		}
	}
	return paths, nil
}

// dataError tells a data set that does not exist from a hub that does not answer.
func dataError(id string, err error) error {
	if isRefused(err) {
		return fmt.Errorf("%w: there is no file %s, and the hub has no data set %s that it would show you (if it is private or gated, "+
			"set HF_TOKEN): %w", trial.ErrInput, id, id, cause(err))
	}
	return err
}
