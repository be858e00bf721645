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

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// inputKind says how a file is read.
type inputKind string

const (
	kindText    inputKind = "text"
	kindJSONL   inputKind = "jsonl"
	kindCSV     inputKind = "csv"
	kindTSV     inputKind = "tsv"
	kindParquet inputKind = "parquet"
	kindBuiltin inputKind = "builtin" // text of the Go distribution
)

const supportedData = "text files, .jsonl, .csv, .tsv (each also with .gz), .parquet, globs of these, a data set of the hub (owner/name), builtin:go-code and builtin:go-doc"

// input is one file or built-in set of a corpus.
type input struct {
	kind inputKind
	gzip bool
	name string // path, or builtin:<name>
	key  string // what identifies its content: SHA-256 of a file; "" where it was not hashed, and is not checked for changes
	size int64  // bytes in the file, at most, for progress
	set  goCorpus
}

// form is what a document is made of.
type form int

const (
	formText form = iota // text: all of it is scored, and it may be packed
	formPair             // prompt and text: the completion is scored
	formChat             // messages: the assistant's turns are scored
	formIDs              // ids and labels, used as they are
)

// document is one unit of a corpus: a text file, or a row of a table.
type document struct {
	place    string // file, or file:line
	form     form
	text     string // of formText; the completion of formPair
	prompt   string
	messages []Message
	given    int // of formChat: so many messages are a prompt, and what follows is the answer; 0: every assistant turn is one
	ids      []int32
	labels   []int32
	size     int64 // bytes of the input it took
}

// Hub finds the files of a data set of the Hugging Face hub.
type Hub interface {
	// DataFiles returns the local paths of the split's files, in order. split is the wanted split; with it come names of
	// other splits that will do where it is not there. It fails with an error that wraps sweep.ErrInput where there is no such
	// data set or split.
	DataFiles(ctx context.Context, id, config string, splits ...string) ([]string, error)
}

// resolver turns the names of data.train and its like into inputs.
type resolver struct {
	hub    Hub // nil where no data set of the hub can be named
	getenv func(string) string
	known  map[string]input // files that were hashed already, where not nil
}

// resolve expands names in their order, and hashes what they name. splits are those to take of a hub data set whose name does
// not say one: the first that is there.
func (r resolver) resolve(ctx context.Context, names []string, splits ...string) ([]input, error) {
	var inputs []input
	for _, name := range names {
		if set, ok := strings.CutPrefix(name, builtinPrefix); ok {
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

func (r resolver) expand(ctx context.Context, name string, splits []string) ([]string, error) {
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
func (r resolver) file(ctx context.Context, path string) (input, error) {
	if in, ok := r.known[path]; ok {
		return in, nil
	}
	in, err := resolveFile(ctx, path)
	if err == nil && r.known != nil {
		r.known[path] = in
	}
	return in, err
}

func resolveBuiltin(set string, getenv func(string) string) (input, error) {
	if set != goCode && set != goDoc {
		return input{}, fmt.Errorf("%w: no built-in data set %q: there are %s%s and %s%s", trial.ErrInput, set, builtinPrefix, goCode, builtinPrefix, goDoc)
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

// expand returns the files that a name stands for: itself where it exists, else the matches of the glob, by name. A glob is
// what the standard library takes for one: with ** or {a,b} a grid that has run would name other files.
func expand(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		return nil, fmt.Errorf("%w: data file %s is a folder: name its files, for instance %s", trial.ErrInput, name, filepath.Join(name, "*.txt"))
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
		return err == nil && info.IsDir()
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

func resolveFile(ctx context.Context, path string) (input, error) {
	in := input{name: path}
	var err error
	if in.kind, in.gzip, err = kindOf(path); err != nil {
		return input{}, err
	}
	in.key, in.size, err = hashFile(ctx, path)
	return in, err
}

// hashFile returns the SHA-256 of a file's bytes, in hexadecimal, and their number.
func hashFile(ctx context.Context, path string) (string, int64, error) {
	f, err := os.Open(path)
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

// kindOf goes by the file's ending. What is known to be no format of ours is refused, not read as text.
func kindOf(path string) (kind inputKind, compressed bool, err error) {
	name, compressed := strings.CutSuffix(strings.ToLower(path), ".gz")
	ending := filepath.Ext(name)
	unsupported := func(why string) (inputKind, bool, error) {
		return "", false, fmt.Errorf("%w: data file %s: %s; data can be %s", trial.ErrInput, path, why, supportedData)
	}
	switch ending {
	case ".jsonl", ".ndjson":
		return kindJSONL, compressed, nil
	case ".csv":
		return kindCSV, compressed, nil
	case ".tsv":
		return kindTSV, compressed, nil
	case ".parquet":
		if compressed {
			return unsupported("parquet compresses its own pages: unpack the .gz")
		}
		return kindParquet, false, nil
	case ".json":
		return unsupported(".json files are not supported: write one object a line and call it .jsonl")
	case ".arrow", ".zst", ".bz2", ".xz", ".zip", ".tar", ".tgz", ".npy", ".npz", ".bin", ".pdf", ".safetensors", ".gguf", ".xlsx":
		return unsupported(ending + " files are not supported")
	}
	return kindText, compressed, nil
}

// IsDataFile reports whether a name ends like a table of this package, or like text by its usual endings.
func IsDataFile(name string) bool {
	kind, _, err := kindOf(name)
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".txt", ".text", ".md":
		return true
	}
	return err == nil && kind != kindText
}

// documents yields what the input holds, in order, and checks that it still is what was hashed.
func (in input) documents(ctx context.Context) iter.Seq2[document, error] {
	switch in.kind {
	case kindBuiltin:
		return in.set.documents(ctx)
	case kindJSONL:
		return in.jsonl(ctx)
	case kindCSV, kindTSV:
		return in.table(ctx)
	case kindParquet:
		return in.parquet(ctx)
	case kindText:
		return func(yield func(document, error) bool) { yield(in.readText(ctx)) }
	}
	panic("unknown kind of input: " + in.kind)
}

// byteOrderMark may stand before UTF-8 text and is no part of it.
const byteOrderMark = "\ufeff"

// maxUnpacked bounds a compressed text file, which is read whole.
const maxUnpacked = 1 << 30

// readText reads a whole file: a document is a file, and the tokenizer needs all of it at once.
func (in input) readText(ctx context.Context) (document, error) {
	c, err := in.open(ctx)
	if err != nil {
		return document{}, err
	}
	defer c.close()
	var body strings.Builder
	most := in.size
	if in.gzip {
		most = maxUnpacked
	} else {
		body.Grow(int(in.size))
	}
	read, err := io.Copy(&body, io.LimitReader(c, most+1))
	if err != nil {
		return document{}, fmt.Errorf("read data file %s: %w", in.name, err)
	}
	if in.gzip && read > most {
		return document{}, fmt.Errorf("%w: data file %s: more than %d MiB of text when unpacked: unpack it and split it", trial.ErrInput, in.name, most>>20)
	}
	if err := c.verify(); err != nil {
		return document{}, err
	}
	text := body.String()
	if !utf8.ValidString(text) {
		at := invalidAt(text)
		return document{}, fmt.Errorf("%w: data file %s:%d: not UTF-8 text (byte %d of the file)", trial.ErrInput, in.name, 1+strings.Count(text[:at], "\n"), at)
	}
	return document{place: in.name, text: strings.TrimPrefix(text, byteOrderMark), size: in.size}, nil
}

func (in input) changed() error {
	return fmt.Errorf("%w: data file %s changed while it was read: run again when it is complete", trial.ErrInput, in.name)
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

// Texts yields the texts of what data.train could name, in order: what a tokenizer is trained on. Rows of another form than
// text are an error.
func Texts(ctx context.Context, names []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		inputs, err := resolver{getenv: os.Getenv}.resolve(ctx, names, "train")
		if err != nil {
			yield("", err)
			return
		}
		for _, in := range inputs {
			for doc, err := range in.documents(ctx) {
				if err == nil && doc.form != formText {
					err = fmt.Errorf("%w: %s is not plain text", trial.ErrInput, doc.place)
				}
				if !yield(doc.text, err) || err != nil {
					return
				}
			}
		}
	}
}
