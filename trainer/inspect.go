package trainer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/hub"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// InspectOptions say how far Inspect goes.
type InspectOptions struct {
	Hub hub.Client // where hub ids are looked up; see hub.FromEnv
	// WithoutWeights reads config and tokenizer only: enough to look at data. The fingerprint then covers only those.
	WithoutWeights bool
}

// Inspect resolves a model reference (builtin:<name>, a folder, a GGUF file, or a hub id), checks its files against its config.json
// without loading a weight, and fingerprints them. A hub model that is not in the cache is fetched into it.
//
// Errors that a person has to fix in the grid or the files (no such model, an architecture that cannot be trained, a
// truncated file) wrap trial.ErrInput; a hub that cannot be reached gives hub.ErrUnavailable.
func Inspect(ctx context.Context, ref string, o InspectOptions) (trial.ModelInfo, error) {
	info, files, err := locate(ctx, ref, o)
	if err != nil {
		return trial.ModelInfo{}, err
	}
	if err := describe(ctx, &info, files, o); err != nil {
		return trial.ModelInfo{}, fmt.Errorf("model %s: %w", ref, err)
	}
	return info, nil
}

// Files opens the files of an inspected model.
func Files(m trial.ModelInfo) (fs.FS, error) {
	if name, ok := strings.CutPrefix(m.Reference, trial.BuiltinPrefix); ok {
		return weights.Builtin(name)
	}
	if strings.HasSuffix(m.Path, trial.GGUFSuffix) && !isFolder(m.Path) {
		return theseFiles{os.DirFS(filepath.Dir(m.Path)), weights.GGUFParts(filepath.Base(m.Path))}, nil
	}
	return os.DirFS(m.Path), nil
}

// CheckWeights compares the headers of a model's weights with its settings: names, shapes and number formats of all tensors. It reads
// no weight. Those of a hub model that is not fetched yet are not there to look at, which the warning says.
func CheckWeights(m trial.ModelInfo) (warning string, err error) {
	files, err := Files(m)
	if err != nil {
		return "", err
	}
	config, err := readConfig(files)
	if err == nil {
		config, _, err = partHead(files, config)
	}
	if err == nil {
		err = asInput(weights.CheckModel(files, config.Weights()))
	}
	if errors.Is(err, fs.ErrNotExist) && trial.IsHubModel(m.Reference) && !isFolder(m.Reference) {
		return fmt.Sprintf("model %s: its weights are not fetched yet, so only its settings were checked", m.Reference), nil
	}
	if err != nil {
		return "", fmt.Errorf("model %s: %w", m.Reference, err)
	}
	return "", nil
}

// CheckText reports whether the model can make ids of the data, as far as the first row of each file tells.
func CheckText(ctx context.Context, m trial.ModelInfo, d trial.DataSpec) error {
	files, err := Files(m)
	if err != nil {
		return err
	}
	_, missing := tokenizer.Load(files)
	if missing == nil {
		return nil
	}
	text, err := records.FirstText(ctx, slices.Concat(d.Train, d.Validation, d.Retain), d.Columns)
	if records.IsRowError(err) {
		return nil // whoever makes ids of the row says what is wrong with it
	}
	if err != nil || text == "" {
		return err
	}
	return fmt.Errorf("model %s cannot read %s: %w", m.Reference, text, missing)
}

// theseFiles shows a GGUF file or all parts of one: that is a whole model, and what lies beside it is not part of it.
type theseFiles struct {
	dir   fs.FS
	names []string
}

// Open opens a file.
func (f theseFiles) Open(name string) (fs.File, error) {
	if !slices.Contains(f.names, name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.dir.Open(name)
}

// ReadDir lists the files that are there.
func (f theseFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	var entries []fs.DirEntry
	for _, name := range f.names {
		info, err := fs.Stat(f.dir, name)
		if errors.Is(err, fs.ErrNotExist) { // package weights names the part
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	return entries, nil
}

// locate finds where a model's files are.
func locate(ctx context.Context, ref string, o InspectOptions) (trial.ModelInfo, fs.FS, error) {
	info := trial.ModelInfo{Reference: ref}
	switch {
	case strings.HasPrefix(ref, trial.BuiltinPrefix):
	case isFolder(ref), isGGUF(ref):
		path, err := filepath.Abs(ref)
		if err != nil {
			return info, nil, fmt.Errorf("model %s: %w", ref, err)
		}
		info.Path = path
	case trial.IsHubModel(ref):
		path, err := fetch(ctx, ref, o)
		if err != nil {
			return info, nil, err
		}
		info.Path = path
	default:
		return info, nil, noSuchModel(ref)
	}
	files, err := Files(info)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", trial.ErrInput, err)
	}
	return info, files, err
}

// fetch returns where a hub model is. Its weights are fetched only once its settings are known to be those of a model that can be
// trained.
func fetch(ctx context.Context, ref string, o InspectOptions) (string, error) {
	small := o.Hub
	if !o.WithoutWeights {
		small.Notify = nil // the fetch of the weights says it
	}
	path, err := small.Model(ctx, ref, false)
	if err != nil || o.WithoutWeights {
		return path, err
	}
	if _, err := readConfig(os.DirFS(path)); err != nil {
		return "", fmt.Errorf("model %s: %w", ref, err)
	}
	return o.Hub.Model(ctx, ref, true)
}

func noSuchModel(ref string) error {
	if info, err := os.Stat(ref); err == nil && !info.IsDir() {
		return fmt.Errorf("%w: model %s is a file; name a .gguf file, or the folder that holds config.json, model.safetensors and "+
			"tokenizer.json", trial.ErrInput, ref)
	}
	return fmt.Errorf("%w: no such model: %s (a model is a folder in Hugging Face layout, a .gguf file, a hub id such as "+
		"openai-community/gpt2, or builtin:gopher)",
		trial.ErrInput, ref)
}

// isGGUF reports whether ref is a GGUF file that is there.
func isGGUF(ref string) bool {
	info, err := os.Stat(ref)
	return err == nil && info.Mode().IsRegular() && strings.HasSuffix(ref, trial.GGUFSuffix)
}

func isFolder(ref string) bool {
	info, err := os.Stat(ref)
	return err == nil && info.IsDir()
}

// describe fills in what the model's files say.
func describe(ctx context.Context, info *trial.ModelInfo, files fs.FS, o InspectOptions) error {
	config, err := readConfig(files)
	if err != nil {
		return err
	}
	config, parted, err := partHead(files, config)
	if err != nil && !o.WithoutWeights {
		return err
	}
	if !o.WithoutWeights {
		if err := weights.CheckModel(files, config.Weights()); err != nil {
			return asInput(err)
		}
	}
	if info.Fingerprint, err = fingerprint(ctx, files, parted, o); err != nil {
		return err
	}
	if info.Quantised, err = weights.QuantisedFormats(files); err != nil {
		return asInput(err)
	}
	info.Architecture = config.Architecture
	info.Params = config.Params()
	info.VocabSize = config.VocabSize
	info.MaxPositions, info.BeyondThem = config.Positions, config.Beyond()
	info.Modules = config.Modules()
	info.Tensors = config.TensorInfo()
	return nil
}

// readConfig reads a model's configuration: config.json, or what stands for it in a GGUF file.
func readConfig(files fs.FS) (model.Config, error) {
	text, err := configText(files)
	if err != nil {
		return model.Config{}, asInput(err)
	}
	config, err := model.ParseConfig(text)
	if err == nil {
		return config, nil
	}
	if name, _ := weights.GGUFName(files); name != "" { // configText has read it
		err = fmt.Errorf("the settings in %s: %w", name, errors.Unwrap(err)) // without "config.json", which it has not
	}
	return model.Config{}, fmt.Errorf("%w: %w", trial.ErrInput, err)
}

// partHead unties the output head of a model whose files hold one of their own, and says whether it did (weights.HasOwnHead).
func partHead(files fs.FS, c model.Config) (model.Config, bool, error) {
	own, err := weights.HasOwnHead(files, c.Weights())
	if err != nil {
		return c, false, asInput(err)
	}
	c.TieHead = c.TieHead && !own
	return c, own, nil
}

func configText(files fs.FS) ([]byte, error) {
	name, err := weights.GGUFName(files)
	if err != nil {
		return nil, err
	}
	if name != "" {
		g, err := weights.ReadGGUF(files, name)
		if err != nil {
			return nil, err
		}
		return g.Config()
	}
	text, err := weights.ReadText(files, weights.ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has no %s; a model folder holds config.json, model.safetensors and tokenizer.json, or one .gguf "+
			"file", trial.ErrInput, weights.ConfigFile)
	}
	return text, err
}

// asInput marks errors about a file's content or absence as the person's to fix.
func asInput(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, weights.ErrFormat) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", trial.ErrInput, err)
	}
	return err
}
