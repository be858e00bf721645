package trainer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// checksum is the SHA-256 over the names, sizes and contents of a model's files: its fingerprint. A model is the same wherever it lies.
type checksum struct{ sum hash.Hash }

func newChecksum() checksum { return checksum{sha256.New()} }

func (c checksum) String() string { return hex.EncodeToString(c.sum.Sum(nil)) }

// begin notes a file's name and size, and returns what its bytes are to be written to. Writing fails once ctx is done.
func (c checksum) begin(ctx context.Context, name string, size int64) io.Writer {
	if strings.HasSuffix(name, trial.GGUFSuffix) {
		name = trial.GGUFSuffix // the same file by another name is the same model
	}
	fmt.Fprintf(c.sum, "%s %d\n", name, size)
	return writerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return c.sum.Write(p)
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// add reads a file up to a length; 0 means all of it. A tokenizer may be absent.
func (c checksum) add(ctx context.Context, files fs.FS, name string, most int64) error {
	f, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) && name == tokenizer.File {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	size := info.Size()
	if most > 0 {
		size = min(size, most)
	}
	if _, err := io.CopyN(c.begin(ctx, name, size), f, size); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// addSettings reads the files that come before the weights. A GGUF file has all in one.
func (c checksum) addSettings(ctx context.Context, files fs.FS) error {
	if gguf, err := weights.GGUFName(files); gguf != "" || err != nil {
		return asInput(err)
	}
	if err := c.add(ctx, files, weights.ConfigFile, 0); err != nil {
		return err
	}
	return c.add(ctx, files, tokenizer.File, 0)
}

// noteHead makes another model of one whose output head the settings tie and the weights do not: before both were compared it was
// trained without its head, and what was trained then must not be used again.
func (c checksum) noteHead(parted bool) {
	if parted {
		fmt.Fprintln(c.sum, "head of its own")
	}
}

// fingerprint reads all that a model's fingerprint covers. Without weights, a GGUF file counts up to where they begin.
func fingerprint(ctx context.Context, files fs.FS, parted bool, o InspectOptions) (string, error) {
	sum := newChecksum()
	sum.noteHead(parted)
	if err := sum.addSettings(ctx, files); err != nil {
		return "", err
	}
	add := sum.addWeights
	if o.WithoutWeights {
		add = sum.addGGUFHeader
	}
	if err := add(ctx, files); err != nil {
		return "", err
	}
	return sum.String(), nil
}

func (c checksum) addWeights(ctx context.Context, files fs.FS) error {
	names, err := weights.ModelFiles(files)
	if err != nil {
		return asInput(err)
	}
	for _, name := range names {
		if err := c.add(ctx, files, name, 0); err != nil {
			return err
		}
	}
	return nil
}

// addGGUFHeader reads what comes before the weights of a GGUF file, where the model is one.
func (c checksum) addGGUFHeader(ctx context.Context, files fs.FS) error {
	name, err := weights.GGUFName(files)
	if name == "" || err != nil {
		return asInput(err)
	}
	g, err := weights.ReadGGUF(files, name)
	if err != nil {
		return asInput(err)
	}
	for i, part := range weights.GGUFParts(name) {
		if err := c.add(ctx, files, part, g.HeaderBytes()[i]); err != nil {
			return err
		}
	}
	return nil
}

// errChanged marks a model whose files are not those that were fingerprinted.
var errChanged = errors.New("its files have changed since they were fingerprinted")

// readBase reads a model whose files must still be those that were fingerprinted; an empty fingerprint means any. The weights are read
// once: what is hashed is what is loaded. dtype is a trial's.
func readBase(ctx context.Context, files fs.FS, m trial.ModelInfo, want, dtype string) (c model.Config, base tensors, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("model %s: %w", m.Reference, err)
		}
	}()
	config, err := readConfig(files)
	if err != nil {
		return model.Config{}, nil, err
	}
	config, parted, err := partHead(files, config)
	if err != nil {
		return model.Config{}, nil, err
	}
	sum := newChecksum()
	sum.noteHead(parted)
	if err := sum.addSettings(ctx, files); err != nil {
		return model.Config{}, nil, err
	}
	begin := func(name string, size int64) io.Writer { return sum.begin(ctx, name, size) }
	base, err = weights.ReadModelTo(files, config.WeightsFor(dtype), begin)
	if err != nil {
		return model.Config{}, nil, asInput(err)
	}
	if want != "" && sum.String() != want {
		return model.Config{}, nil, errChanged
	}
	return config, base, nil
}
