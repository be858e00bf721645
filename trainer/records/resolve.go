package records

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Hub finds the files of a data set of the Hugging Face hub.
type Hub interface {
	// DataFiles returns the local paths of the split's files, in order. split is the wanted split; with it come names of
	// other splits that will do where it is not there. It fails with an error that wraps trial.ErrInput where there is no such
	// data set or split.
	DataFiles(ctx context.Context, id, config string, splits ...string) ([]string, error)
}

// Resolver turns the names of data.train and its like into inputs.
type Resolver struct {
	hub    Hub // nil where no data set of the hub can be named
	getenv func(string) string
	known  map[string]Input // files that were hashed already
}

// NewResolver returns a Resolver that asks hub for its data sets; without one (nil) none can be named.
func NewResolver(hub Hub) Resolver {
	return Resolver{hub: hub, getenv: os.Getenv, known: map[string]Input{}}
}

// Resolve expands names in their order, and hashes what they name. splits are those to take of a hub data set whose name does
// not say one: the first that is there.
func (r Resolver) Resolve(ctx context.Context, names []string, splits ...string) ([]Input, error) {
	var inputs []Input
	for _, name := range names {
		if set, ok := strings.CutPrefix(name, trial.BuiltinPrefix); ok {
			in, err := resolveBuiltin(set, r.getenv)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, in)
			continue
		}
		paths, err := r.expand(ctx, name, splits)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			in, err := r.file(ctx, path)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, in)
		}
	}
	return inputs, nil
}

func (r Resolver) expand(ctx context.Context, name string, splits []string) ([]string, error) {
	if r.hub == nil || !trial.IsHubData(name) {
		return expand(name)
	}
	id, config, split := splitHubName(name)
	if split != "" {
		splits = []string{split}
	}
	return r.hub.DataFiles(ctx, id, config, splits...)
}

// splitHubName takes owner/name, owner/name:split and owner/name:config:split apart.
func splitHubName(name string) (id, config, split string) {
	id, rest, _ := strings.Cut(name, ":")
	if config, split, found := strings.Cut(rest, ":"); found {
		return id, config, split
	}
	return id, "", rest
}

// file hashes a file once, however many of the corpus's parts name it.
func (r Resolver) file(ctx context.Context, path string) (Input, error) {
	if in, ok := r.known[path]; ok {
		return in, nil
	}
	in, err := resolveFile(ctx, path)
	if err == nil {
		r.known[path] = in
	}
	return in, err
}

func resolveBuiltin(set string, getenv func(string) string) (Input, error) {
	if set != goCode && set != goDoc {
		return Input{}, fmt.Errorf("%w: no built-in data set %q: there are %s%s and %s%s", trial.ErrInput, set, trial.BuiltinPrefix, goCode,
			trial.BuiltinPrefix, goDoc)
	}
	root, err := goRoot(getenv)
	if err != nil {
		return Input{}, fmt.Errorf("%s%s: %w", trial.BuiltinPrefix, set, err)
	}
	corpus, err := openGoCorpus(set, root)
	if err != nil {
		return Input{}, err
	}
	return Input{Kind: KindBuiltin, Name: trial.BuiltinPrefix + set, Key: corpus.key, Size: corpus.size, set: corpus}, nil
}

// expand returns the files that a name stands for: itself where it exists, else the matches of the glob, by name. A glob is
// what the standard library takes for one: with ** or {a,b} a grid that has run would name other files.
func expand(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("%w: data file %s is a folder: name its files, for instance %s", trial.ErrInput, name,
			filepath.Join(name, "*.txt"))
	}
	if err == nil && !info.Mode().IsRegular() { // a pipe could be read once, and data are read more often
		return nil, fmt.Errorf("%w: data file %s is a pipe or a device: write what it gives to a file", trial.ErrInput, name)
	}
	if err == nil {
		return []string{name}, nil
	}
	if !strings.ContainsAny(name, "*?[") {
		return nil, missing(name, err)
	}
	matches, err := filepath.Glob(name)
	if err != nil {
		return nil, fmt.Errorf("%w: data glob %s: %w", trial.ErrInput, name, err)
	}
	matches = slices.DeleteFunc(matches, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && !info.Mode().IsRegular()
	})
	if len(matches) == 0 {
		return nil, fmt.Errorf("%w: data glob %s matches no file", trial.ErrInput, name)
	}
	return matches, nil
}

func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: no such data file: %s (data can be %s)", trial.ErrInput, name, supportedData)
	}
	return fmt.Errorf("%w: data file: %w", trial.ErrInput, err)
}

func resolveFile(ctx context.Context, path string) (Input, error) {
	in := Input{Name: path}
	var err error
	if in.Kind, in.packed, err = kindOf(path); err != nil {
		return Input{}, err
	}
	in.Key, in.Size, err = hashFile(ctx, path)
	return in, err
}

// hashFile returns the SHA-256 of a file's bytes, in hexadecimal, and their number.
func hashFile(ctx context.Context, path string) (string, int64, error) {
	f, err := trial.OpenInput(path)
	if err != nil {
		return "", 0, missing(path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	size, err := io.Copy(h, stopping(ctx, f))
	if err != nil {
		return "", 0, fmt.Errorf("read data file %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
