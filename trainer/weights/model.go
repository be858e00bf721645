package weights

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Files of a model folder in Hugging Face's layout.
const (
	ConfigFile = "config.json"
	ModelFile  = "model.safetensors"
	IndexFile  = "model.safetensors.index.json"
)

// ModelFiles lists the files that hold a model's weights: model.safetensors, the shards its index names, or a GGUF file or its parts.
func ModelFiles(files fs.FS) ([]string, error) {
	name, err := GGUFName(files)
	if err != nil {
		return nil, err
	}
	if name != "" {
		return GGUFParts(name), allParts(files, name)
	}
	if _, err := fs.Stat(files, ModelFile); err == nil {
		return []string{ModelFile}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := ReadText(files, IndexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingWeights(files)
	}
	if err != nil {
		return nil, err
	}
	return Shards(text)
}

// Shards lists the files that a model.safetensors.index.json names, sorted.
func Shards(index []byte) ([]string, error) {
	var content struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &content); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", IndexFile, ErrFormat, err)
	}
	if len(content.WeightMap) == 0 {
		return nil, fmt.Errorf("read %s: %w: it names no shard", IndexFile, ErrFormat)
	}
	shards := slices.Compact(slices.Sorted(maps.Values(content.WeightMap)))
	for _, name := range shards {
		if name != path.Base(name) || !fs.ValidPath(name) {
			return nil, fmt.Errorf("read %s: %w: shard %q is not a file beside it", IndexFile, ErrFormat, name)
		}
	}
	return shards, nil
}

func missingWeights(files fs.FS) error {
	for _, name := range []string{"pytorch_model.bin", "tf_model.h5", "pytorch_model.bin.index.json"} {
		if _, err := fs.Stat(files, name); err == nil {
			return fmt.Errorf("%w: %s holds the weights in another format; save the model as safetensors (transformers: save_pretrained)",
				fs.ErrNotExist, name)
		}
	}
	return fmt.Errorf("%w: neither %s nor %s", fs.ErrNotExist, ModelFile, IndexFile)
}

// Want is what an architecture needs from a model's files.
type Want struct {
	Shapes map[string][]int  // by canonical name: transformer.h.0.…, model.layers.0.…
	Prefix string            // of all names but the output head's; files may leave it out
	Stored map[string]string // names that files have for canonical ones: embed_out.weight for lm_head.weight
	Ignore []string          // ends of names of tensors that may be there and carry no weights of their own: buffers, a tied output head
	// TiedHead is the output head's name where it is the token embedding, whose name is Tokens; else "".
	TiedHead, Tokens string
	// Formats are the blocks that tensors stay in or get while they are read, by canonical name: AsStored keeps those of a GGUF file,
	// NF4 and INT8 quantise. The other tensors are float32.
	Formats map[string]string
}

// CheckModel compares the headers of a model's files with what the architecture needs, without reading a weight.
func CheckModel(files fs.FS, want Want) error {
	shards, err := openModel(files, want)
	closeAll(shards)
	return err
}

// ReadModelTo reads the weights that want names, as float32 where it names no blocks, under their canonical names. Files with and
// without the prefix are the same model. A tensor that is missing, unknown or of another shape is an error that names it.
//
// It copies every byte of the files on the way: begin is told each file's name and size, in the order of ModelFiles, and returns what
// to copy it to, or nil. The weights are read once, so that a checksum made of the copy is of what was read.
func ReadModelTo(files fs.FS, want Want, begin func(name string, size int64) io.Writer) (map[string]Array, error) {
	shards, err := openModel(files, want)
	defer closeAll(shards)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Array, len(want.Shapes))
	for _, s := range shards {
		keep := func(e Entry) bool { return want.Shapes[want.canonical(e.Name)] != nil }
		part, err := s.readAs(begin(s.name, s.size), keep, want.format)
		if err != nil {
			return nil, err
		}
		for name, a := range part {
			out[want.canonical(name)] = a
		}
	}
	return out, nil
}

// openModel opens a model's files and checks their headers against want. The caller closes the files, also after an error.
func openModel(files fs.FS, want Want) ([]shard, error) {
	names, err := ModelFiles(files)
	if err != nil {
		return nil, err
	}
	var shards []shard
	for _, name := range names {
		s, err := openShard(files, name)
		if err != nil {
			return shards, err
		}
		shards = append(shards, s)
	}
	want.takeHead(shards)
	seen := make(map[string]bool, len(want.Shapes))
	var problems []error
	for _, s := range shards {
		for _, e := range s.Tensors {
			if quantised(e.Name) && want.Shapes[want.canonical(e.Name)] == nil {
				return shards, fmt.Errorf("%s: %w: its tensor %s belongs to a quantised weight, which cannot be trained; use the unquantised "+
					"model that it was made from", s.name, ErrFormat, e.Name)
			}
			problems = append(problems, want.check(e, seen))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Shapes)) {
		if !seen[name] {
			problems = append(problems, fmt.Errorf("tensor %s is missing", name))
		}
	}
	if err := summary(problems); err != nil {
		return shards, fmt.Errorf("%s do not fit %s: %w: %w", strings.Join(names, ", "), settingsOf(names), ErrFormat, err)
	}
	return shards, nil
}

func closeAll(shards []shard) {
	for _, s := range shards {
		s.file.Close() //nolint:errcheck,gosec // read only
	}
}

// format returns what a tensor stays in or becomes: of a GGUF file's plain numbers none stays as it is.
func (w Want) format(e Entry) string {
	format := w.Formats[w.canonical(e.Name)]
	if format == AsStored && e.format.values == 1 {
		return ""
	}
	return format
}

func (w Want) check(e Entry, seen map[string]bool) error {
	name := w.canonical(e.Name)
	shape, ok := w.Shapes[name]
	switch {
	case !ok && slices.ContainsFunc(w.Ignore, func(end string) bool { return strings.HasSuffix(name, end) }):
		return nil
	case !ok:
		return fmt.Errorf("tensor %s is not part of the architecture", e.Name)
	case seen[name]:
		return fmt.Errorf("tensor %s is there twice", name)
	}
	seen[name] = true
	if !slices.Equal(e.Shape, shape) {
		return fmt.Errorf("tensor %s has shape %v, not %v", e.Name, e.Shape, shape)
	}
	if e.format.decode == nil {
		return fmt.Errorf("tensor %s has number format %s, which cannot be read", e.Name, e.DType)
	}
	if _, stays := blockFormat(e.DType); w.format(e) == AsStored && !stays {
		return fmt.Errorf("tensor %s has number format %s, which cannot stay quantised while training", e.Name, e.DType)
	}
	return nil
}

// quantised reports whether a tensor is one that quantisation makes of a weight or puts beside it: GPTQ, AWQ, bitsandbytes, fp8 and
// compressed-tensors, MLX. config.json says so too, but not that of every old file.
func quantised(name string) bool {
	return slices.ContainsFunc([]string{
		".qweight", ".qzeros", ".scales", ".g_idx", ".weight.absmax", ".weight.quant_map", ".SCB", ".weight_scale", ".weight_scale_inv",
		".weight_packed", ".biases",
	}, func(end string) bool { return strings.HasSuffix(name, end) })
}

// canonical returns the name a tensor has in Shapes: many files on the hub leave the prefix out, or have an older name.
func (w Want) canonical(name string) string {
	for canonical, stored := range w.Stored {
		if name == stored {
			return canonical
		}
	}
	if w.Shapes[name] == nil && w.Shapes[w.Prefix+name] != nil {
		return w.Prefix + name
	}
	return name
}

// InFile returns the name that save_pretrained gives a tensor.
func (w Want) InFile(canonical string) string { return cmp.Or(w.Stored[canonical], canonical) }

// summary joins the first few of many problems.
func summary(problems []error) error {
	const shown = 4
	problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, 0, shown+1)
	for i, err := range problems {
		if i == shown {
			texts = append(texts, fmt.Sprintf("and %d more", len(problems)-shown))
			break
		}
		texts = append(texts, err.Error())
	}
	return errors.New(strings.Join(texts, "; "))
}
