package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

const (
	singleFile = "model.safetensors"
	indexFile  = "model.safetensors.index.json"
	prefix     = "transformer."
)

// ModelFiles lists the files that hold a model's weights: model.safetensors, or the shards its index names.
func ModelFiles(files fs.FS) ([]string, error) {
	if _, err := fs.Stat(files, singleFile); err == nil {
		return []string{singleFile}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := fs.ReadFile(files, indexFile)
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
		return nil, fmt.Errorf("read %s: %w: %w", indexFile, ErrFormat, err)
	}
	if len(content.WeightMap) == 0 {
		return nil, fmt.Errorf("read %s: %w: it names no shard", indexFile, ErrFormat)
	}
	shards := slices.Compact(slices.Sorted(maps.Values(content.WeightMap)))
	for _, name := range shards {
		if name != path.Base(name) || !fs.ValidPath(name) {
			return nil, fmt.Errorf("read %s: %w: shard %q is not a file beside it", indexFile, ErrFormat, name)
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
	return fmt.Errorf("%w: neither %s nor %s", fs.ErrNotExist, singleFile, indexFile)
}

// CheckModel compares the headers of a model's files with what the architecture needs, without reading a weight. want
// holds canonical names ("transformer.h.0.…") and shapes.
func CheckModel(files fs.FS, want map[string][]int) error {
	_, err := locate(files, want)
	return err
}

// ReadModel reads the weights that want names, as float32, under their canonical names. Files with and without the
// "transformer." prefix are the same model; causal-mask buffers and a tied lm_head are passed over. A tensor that is
// missing, unknown or of another shape is an error that names it.
func ReadModel(files fs.FS, want map[string][]int) (map[string]Array, error) {
	shards, err := locate(files, want)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Array, len(want))
	for name, header := range shards {
		part, err := readSome(files, name, func(e Entry) bool { return want[canonical(e.Name, want)] != nil })
		if err != nil {
			return nil, err
		}
		for _, e := range header.Tensors {
			if a, ok := part[e.Name]; ok {
				out[canonical(e.Name, want)] = a
			}
		}
	}
	return out, nil
}

// locate reads the headers of a model's files and checks them against want.
func locate(files fs.FS, want map[string][]int) (map[string]Header, error) {
	names, err := ModelFiles(files)
	if err != nil {
		return nil, err
	}
	shards := make(map[string]Header, len(names))
	seen := make(map[string]bool, len(want))
	var problems []error
	for _, name := range names {
		header, err := readHeader(files, name)
		if err != nil {
			return nil, err
		}
		shards[name] = header
		for _, e := range header.Tensors {
			problems = append(problems, checkEntry(e, want, seen))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !seen[name] {
			problems = append(problems, fmt.Errorf("tensor %s is missing", name))
		}
	}
	if err := summary(problems); err != nil {
		return nil, fmt.Errorf("%s do not fit config.json: %w: %w", strings.Join(names, ", "), ErrFormat, err)
	}
	return shards, nil
}

func checkEntry(e Entry, want map[string][]int, seen map[string]bool) error {
	name := canonical(e.Name, want)
	shape, ok := want[name]
	switch {
	case !ok && ignored(name):
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
	if decode, _ := decoder(e.DType); decode == nil {
		return fmt.Errorf("tensor %s has number format %s, which cannot be read", e.Name, e.DType)
	}
	return nil
}

// canonical returns the name a tensor has in want: many files on the hub leave the prefix out.
func canonical(name string, want map[string][]int) string {
	if _, ok := want[name]; !ok && !strings.HasPrefix(name, prefix) && name != "lm_head.weight" {
		return prefix + name
	}
	return name
}

// ignored reports tensors that carry no weights of their own: the causal mask that old files store, and the output head
// of a model that ties it to its embedding.
func ignored(name string) bool {
	return strings.HasSuffix(name, ".attn.bias") || strings.HasSuffix(name, ".attn.masked_bias") || name == "lm_head.weight"
}

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
