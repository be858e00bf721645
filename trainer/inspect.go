package trainer

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
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// builtinPrefix marks a model that is part of the program.
const builtinPrefix = "builtin:"

// Files of a model folder in Hugging Face's layout.
const (
	configFile    = "config.json"
	tokenizerFile = "tokenizer.json"
)

// InspectOptions say how far Inspect goes.
type InspectOptions struct {
	Hub Hub // where hub ids are looked up; see HubFromEnv
	// WithoutWeights reads config and tokenizer only: enough to look at data. The fingerprint then covers only those.
	WithoutWeights bool
}

// Inspect resolves a model reference (builtin:<name>, a folder, or a hub id), checks its files against its config.json
// without loading a weight, and fingerprints them. A hub model that is not in the cache is fetched into it.
//
// Errors that a person has to mend in the grid or the files (no such model, an architecture that cannot be trained, a
// truncated file) wrap sweep.ErrInput; a hub that cannot be reached gives ErrHub.
func Inspect(ctx context.Context, ref string, o InspectOptions) (sweep.ModelInfo, error) {
	info, files, err := locate(ctx, ref, o)
	if err != nil {
		return sweep.ModelInfo{}, err
	}
	if err := describe(ctx, &info, files, o); err != nil {
		return sweep.ModelInfo{}, fmt.Errorf("model %s: %w", ref, err)
	}
	return info, nil
}

// Files opens the files of an inspected model.
func Files(m sweep.ModelInfo) (fs.FS, error) {
	if name, ok := strings.CutPrefix(m.Reference, builtinPrefix); ok {
		return weights.Builtin(name)
	}
	return os.DirFS(m.Path), nil
}

// locate finds where a model's files are.
func locate(ctx context.Context, ref string, o InspectOptions) (sweep.ModelInfo, fs.FS, error) {
	info := sweep.ModelInfo{Reference: ref}
	switch {
	case strings.HasPrefix(ref, builtinPrefix):
	case isFolder(ref):
		path, err := filepath.Abs(ref)
		if err != nil {
			return info, nil, fmt.Errorf("model %s: %w", ref, err)
		}
		info.Path = path
	case isHubID(ref):
		path, err := o.Hub.fetch(ctx, ref, !o.WithoutWeights)
		if err != nil {
			return info, nil, err
		}
		info.Path = path
	default:
		return info, nil, noSuchModel(ref)
	}
	files, err := Files(info)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", sweep.ErrInput, err)
	}
	return info, files, err
}

func noSuchModel(ref string) error {
	if info, err := os.Stat(ref); err == nil && !info.IsDir() {
		return fmt.Errorf("%w: model %s is a file; name the folder that holds config.json, model.safetensors and tokenizer.json", sweep.ErrInput, ref)
	}
	return fmt.Errorf("%w: no such model: %s (a model is a folder in Hugging Face layout, a hub id such as openai-community/gpt2, or builtin:gopher)",
		sweep.ErrInput, ref)
}

func isFolder(ref string) bool {
	info, err := os.Stat(ref)
	return err == nil && info.IsDir()
}

// isHubID reports whether ref has a hub id's form: an owner and a name with one slash between.
func isHubID(ref string) bool {
	owner, name, ok := strings.Cut(ref, "/")
	return ok && owner != "" && name != "" && !strings.Contains(name, "/") && !strings.HasPrefix(owner, ".") && !strings.HasPrefix(owner, "~")
}

// describe fills in what the model's files say.
func describe(ctx context.Context, info *sweep.ModelInfo, files fs.FS, o InspectOptions) error {
	config, err := readConfig(files)
	if err != nil {
		return err
	}
	covered := []string{configFile, tokenizerFile}
	if !o.WithoutWeights {
		if err := weights.CheckModel(files, config.Weights()); err != nil {
			return asInput(err)
		}
		names, err := weights.ModelFiles(files)
		if err != nil {
			return err
		}
		covered = append(covered, names...)
	}
	info.Fingerprint, err = fingerprint(ctx, files, covered)
	if err != nil {
		return err
	}
	info.Architecture = config.Architecture
	info.Params = config.Params()
	info.VocabSize = config.VocabSize
	info.MaxPositions = config.Positions
	info.Modules = config.Modules()
	return nil
}

func readConfig(files fs.FS) (model.Config, error) {
	text, err := fs.ReadFile(files, configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return model.Config{}, fmt.Errorf("%w: it has no %s; a model folder holds config.json, model.safetensors and tokenizer.json", sweep.ErrInput, configFile)
	}
	if err != nil {
		return model.Config{}, err
	}
	config, err := model.ParseConfig(text)
	if err != nil {
		return model.Config{}, fmt.Errorf("%w: %w", sweep.ErrInput, err)
	}
	return config, nil
}

// asInput marks errors about a file's content or absence as the person's to mend.
func asInput(err error) error {
	if errors.Is(err, weights.ErrFormat) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", sweep.ErrInput, err)
	}
	return err
}

// fingerprint returns the SHA-256 over the names, sizes and contents of files. A tokenizer may be absent.
func fingerprint(ctx context.Context, files fs.FS, names []string) (string, error) {
	sum := sha256.New()
	for _, name := range names {
		f, err := files.Open(name)
		if errors.Is(err, fs.ErrNotExist) && name == tokenizerFile {
			continue
		}
		if err != nil {
			return "", err
		}
		err = hashFile(ctx, sum, f, name)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func hashFile(ctx context.Context, sum io.Writer, f fs.File, name string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(sum, "%s %d\n", name, info.Size())
	_, err = io.Copy(sum, cancellable{ctx, f})
	return err
}

// cancellable is a reader that stops when its context does.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
