package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ranksweep/ranksweep/sweep"
)

// inputKind says how a file is read.
type inputKind string

const (
	kindText    inputKind = "text"
	kindRows    inputKind = "rows"    // pre-tokenised jsonl
	kindBuiltin inputKind = "builtin" // text of the Go distribution
)

const supportedData = "text files, pre-tokenised .jsonl (input_ids, optional labels), globs of these, builtin:go-code and builtin:go-doc"

// input is one file or built-in set of a corpus.
type input struct {
	kind inputKind
	name string // path, or builtin:<name>
	key  string // what identifies its content: SHA-256 of a file
	size int64  // bytes of text, at most, for progress
	set  goCorpus
}

// document is one unit of a corpus: a text or a pre-tokenised row.
type document struct {
	place  string // file, or file:line
	text   string
	ids    []int32
	labels []int32
	size   int64 // bytes of the input it took
}

// resolve expands the names of data.train or data.validation in their order, and hashes what they name.
func resolve(ctx context.Context, names []string, getenv func(string) string) ([]input, error) {
	var inputs []input
	for _, name := range names {
		if set, ok := strings.CutPrefix(name, builtinPrefix); ok {
			in, err := resolveBuiltin(set, getenv)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, in)
			continue
		}
		paths, err := expand(name)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			in, err := resolveFile(ctx, path)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, in)
		}
	}
	return inputs, nil
}

func resolveBuiltin(set string, getenv func(string) string) (input, error) {
	if set != goCode && set != goDoc {
		return input{}, fmt.Errorf("%w: no built-in data set %q: there are %s%s and %s%s", sweep.ErrInput, set, builtinPrefix, goCode, builtinPrefix, goDoc)
	}
	root, err := goRoot(getenv)
	if err != nil {
		return input{}, fmt.Errorf("%s%s: %w", builtinPrefix, set, err)
	}
	corpus, err := openGoCorpus(set, root)
	if err != nil {
		return input{}, err
	}
	return input{kind: kindBuiltin, name: builtinPrefix + set, key: corpus.key, size: corpus.size, set: corpus}, nil
}

// expand returns the files that a name stands for: itself where it exists, else the matches of the glob, by name.
func expand(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("%w: data file %s is a folder: name its files, for instance %s", sweep.ErrInput, name, filepath.Join(name, "*.txt"))
	}
	if err == nil {
		return []string{name}, nil
	}
	if !strings.ContainsAny(name, "*?[") {
		return nil, missing(name, err)
	}
	matches, err := filepath.Glob(name)
	if err != nil {
		return nil, fmt.Errorf("%w: data glob %s: %w", sweep.ErrInput, name, err)
	}
	matches = slices.DeleteFunc(matches, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	})
	if len(matches) == 0 {
		return nil, fmt.Errorf("%w: data glob %s matches no file", sweep.ErrInput, name)
	}
	return matches, nil
}

func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: no such data file: %s (data can be %s)", sweep.ErrInput, name, supportedData)
	}
	return fmt.Errorf("%w: data file: %w", sweep.ErrInput, err)
}

func resolveFile(ctx context.Context, path string) (input, error) {
	kind, err := kindOf(path)
	if err != nil {
		return input{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return input{}, missing(path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	size, err := io.Copy(h, stopping(ctx, f))
	if err != nil {
		return input{}, fmt.Errorf("read data file %s: %w", path, err)
	}
	return input{kind: kind, name: path, key: hex.EncodeToString(h.Sum(nil)), size: size}, nil
}

// kindOf goes by the file's ending. What is known to be neither text nor jsonl is refused, not read as text.
func kindOf(path string) (inputKind, error) {
	ending := strings.ToLower(filepath.Ext(path))
	switch ending {
	case ".jsonl", ".ndjson":
		return kindRows, nil
	case ".json", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ".bz2", ".xz", ".zip", ".tar", ".npy", ".bin", ".pdf":
		return "", fmt.Errorf("%w: data file %s: %s files are not supported; data can be %s", sweep.ErrInput, path, ending, supportedData)
	}
	return kindText, nil
}

// documents yields what the input holds, in order, and checks that it still is what was hashed.
func (in input) documents(ctx context.Context) iter.Seq2[document, error] {
	switch in.kind {
	case kindBuiltin:
		return in.set.documents(ctx)
	case kindRows:
		return in.rows(ctx)
	case kindText:
		return func(yield func(document, error) bool) { yield(in.readText(ctx)) }
	}
	panic("unknown kind of input: " + in.kind)
}

// readText reads a whole file: a document is a file, and the tokenizer needs all of it at once.
func (in input) readText(ctx context.Context) (document, error) {
	f, err := os.Open(in.name)
	if err != nil {
		return document{}, missing(in.name, err)
	}
	defer f.Close() //nolint:errcheck // only read
	var body strings.Builder
	h := sha256.New()
	body.Grow(int(in.size))
	if _, err := io.Copy(io.MultiWriter(&body, h), stopping(ctx, f)); err != nil {
		return document{}, fmt.Errorf("read data file %s: %w", in.name, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != in.key {
		return document{}, in.changed()
	}
	text := body.String()
	if !utf8.ValidString(text) {
		at := invalidAt(text)
		return document{}, fmt.Errorf("%w: data file %s:%d: not UTF-8 text (byte %d of the file)", sweep.ErrInput, in.name, 1+strings.Count(text[:at], "\n"), at)
	}
	return document{place: in.name, text: text, size: in.size}, nil
}

func (in input) changed() error {
	return fmt.Errorf("%w: data file %s changed while it was read: run again when it is complete", sweep.ErrInput, in.name)
}

// invalidAt returns where text stops being UTF-8.
func invalidAt(text string) int {
	for at, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[at:]); size == 1 {
			return at
		}
	}
	return len(text)
}

// stopping returns a reader of r that fails once ctx is done.
func stopping(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Texts yields the texts of what data.train could name, in order: what a tokenizer is trained on. Pre-tokenised rows are
// an error.
func Texts(ctx context.Context, names []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		inputs, err := resolve(ctx, names, os.Getenv)
		if err != nil {
			yield("", err)
			return
		}
		for _, in := range inputs {
			if in.kind == kindRows {
				yield("", fmt.Errorf("%w: %s is pre-tokenised, not text", sweep.ErrInput, in.name))
				return
			}
			for doc, err := range in.documents(ctx) {
				if !yield(doc.text, err) {
					return
				}
			}
		}
	}
}
