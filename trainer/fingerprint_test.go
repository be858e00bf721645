package trainer

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// countedFS counts how often each byte of its files is read. It is for one goroutine.
type countedFS struct {
	fs.FS
	reads map[string][]int // by file and offset
}

func (c countedFS) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if file, ok := f.(*os.File); ok && name != "." {
		return &countedFile{File: file, name: name, fs: c}, nil
	}
	return f, nil
}

// ReadDir lists a folder as the file system below does.
func (c countedFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(c.FS, name) }

type countedFile struct {
	*os.File
	name string
	fs   countedFS
	at   int64
}

func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.count(f.at, n)
	f.at += int64(n)
	return n, err
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.count(off, n)
	return n, err
}

// WriteTo takes the shortcut past Read from io.Copy.
func (f *countedFile) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{f})
}

func (f *countedFile) count(from int64, n int) {
	reads := f.fs.reads[f.name]
	if missing := int(from) + n - len(reads); missing > 0 {
		reads = append(reads, make([]int, missing)...)
	}
	for i := range n {
		reads[int(from)+i]++
	}
	f.fs.reads[f.name] = reads
}

// TestAWorkerReadsItsBaseOnce starts a worker, up to the compiled step, and counts the reads of every byte of the weights.
func TestAWorkerReadsItsBaseOnce(t *testing.T) {
	t.Parallel()
	backendtest.NeedPureGo(t)
	for name, folder := range map[string]string{
		"one file": "tiny-gpt2", "shards": "tiny-llama/sharded",
		"GGUF": "tiny-llama/gguf/model.gguf",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counted := countedFS{reads: map[string][]int{}}
			w := newWorker(t, filepath.Join("model/testdata", folder))
			w.files = func(m trial.ModelInfo) (fs.FS, error) {
				files, err := Files(m)
				counted.FS = files
				return counted, err
			}
			defer w.Close()
			if err := w.prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			names, err := weights.ModelFiles(counted.FS)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				info, err := fs.Stat(counted.FS, name)
				if err != nil {
					t.Fatal(err)
				}
				reads := counted.reads[name]
				if int64(len(reads)) != info.Size() {
					t.Fatalf("%s: read up to byte %d of %d", name, len(reads), info.Size())
				}
				begin := weightsBegin(t, counted.FS, name)
				if i := slices.IndexFunc(reads[begin:], func(n int) bool { return n != 1 }); i >= 0 {
					t.Errorf("%s: byte %d of the weights was read %d times, want once", name, i, reads[begin+i])
				}
			}
		})
	}
}

// newWorker is a trial on a model, before it has read anything.
func newWorker(t *testing.T, folder string) *training {
	t.Helper()
	choice, err := backend.Resolve(t.Context(), backend.PlatformGo)
	if err != nil {
		t.Fatal(err)
	}
	info, err := Inspect(t.Context(), folder, InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(path, []byte(`{"input_ids": [1, 2, 3, 4]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := trial.Spec{
		Data: trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 4},
		LoRA: lora.Spec{Rank: 2, Alpha: 4, TargetModules: lora.Targets{Pattern: lora.AllLinear}, Init: lora.InitKaiming},
		Train: trial.TrainSpec{
			Steps: 1, BatchSize: 1, GradientAccumulationSteps: 1, LearningRate: 1e-3, LRSchedulerType: "cosine",
			EvalSteps: 1, Dtype: "float32",
		},
	}
	files, err := Files(info)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := corpus.Prepare(t.Context(), t.TempDir(), corpus.Source{Files: files, Model: info, Spec: spec.Data}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &training{
		Assignment: trial.Assignment{
			Trial: trial.New(spec, info.Fingerprint, prepared.Info.Fingerprint, choice.Identity), Model: info, Corpus: prepared.Info,
			Platform: choice.Platform,
		},
		Worker: &Worker{}, dir: t.TempDir(), emitEvent: func(trial.Event) error { return nil },
	}
}

// weightsBegin is where a file's header ends, and what may be read ahead with it: a GGUF file's header is read through a buffer, for
// nothing tells how long it is.
func weightsBegin(t *testing.T, files fs.FS, name string) int {
	t.Helper()
	if strings.HasSuffix(name, trial.GGUFSuffix) {
		g, err := weights.ReadGGUF(files, name)
		if err != nil {
			t.Fatal(err)
		}
		return int(g.HeaderBytes()[0]) + 4096
	}
	f, err := files.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	var length [8]byte
	if _, err := io.ReadFull(f, length[:]); err != nil {
		t.Fatal(err)
	}
	return 8 + int(binary.LittleEndian.Uint64(length[:]))
}

// TestReadBaseRefusesAChangedModel: a byte of any file that the fingerprint covers counts.
func TestReadBaseRefusesAChangedModel(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
		dir := t.TempDir()
		for _, name := range []string{"config.json", "model.safetensors"} {
			body, err := os.ReadFile(filepath.Join("model/testdata/tiny-gpt2", name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{} "), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := Inspect(t.Context(), dir, InspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := readBase(t.Context(), os.DirFS(dir), info, info.Fingerprint, ""); err != nil {
			t.Errorf("as it was: %v", err)
		}
		path := filepath.Join(dir, name)
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch last := &body[len(body)-1]; {
		case name == "model.safetensors":
			*last ^= 1 // of a weight
		case *last == '\n':
			*last = ' '
		default:
			*last = '\n'
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readBase(t.Context(), os.DirFS(dir), info, info.Fingerprint, ""); !errors.Is(err, errChanged) {
			t.Errorf("with another %s: %v, want errChanged", name, err)
		}
		if _, _, err := readBase(t.Context(), os.DirFS(dir), info, "", ""); err != nil {
			t.Errorf("any, with another %s: %v", name, err)
		}
	}
}
