package weights

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// MaxShard is the size at which save_pretrained begins another file (transformers 4.57, max_shard_size="5GB", decimal).
const MaxShard = 5_000_000_000

// WriteModel writes a model's weights into the folder dir as save_pretrained does: model.safetensors, or, where that would pass
// maxShard bytes, shards and model.safetensors.index.json. order lists the names in the model's order; a tensor larger than
// maxShard gets a file of its own. dtype is the number format of each.
func WriteModel(dir string, order []string, tensors map[string]Array, dtype func(name string) DType, maxShard int64) error {
	shards, total := split(order, tensors, dtype, maxShard)
	if len(shards) == 1 {
		return writeShard(filepath.Join(dir, ModelFile), shards[0], tensors, dtype)
	}
	place := make(map[string]string, len(order))
	for i, names := range shards {
		file := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		if err := writeShard(filepath.Join(dir, file), names, tensors, dtype); err != nil {
			return err
		}
		for _, name := range names {
			place[name] = file
		}
	}
	index, err := json.MarshalIndent(map[string]any{"metadata": map[string]int64{"total_size": total}, "weight_map": place}, "", "  ")
	if err != nil {
		return err
	}
	return writeText(filepath.Join(dir, IndexFile), append(index, '\n'))
}

// split fills one shard after another (huggingface_hub, split_state_dict_into_shards_factory).
func split(order []string, tensors map[string]Array, dtype func(string) DType, maxShard int64) (shards [][]string, total int64) {
	var room int64
	for _, name := range order {
		size := int64(dtype(name).Bytes()) * int64(len(tensors[name].Data))
		if len(shards) == 0 || size > room {
			shards = append(shards, nil)
			room = maxShard
		}
		shards[len(shards)-1] = append(shards[len(shards)-1], name)
		room -= size
		total += size
	}
	return shards, total
}

func writeShard(path string, names []string, tensors map[string]Array, dtype func(string) DType) error {
	part := make(map[string]Array, len(names))
	for _, name := range names {
		part[name] = tensors[name]
	}
	return trial.WriteAtomic(path, func(w io.Writer) error {
		return encodeEach(w, part, dtype, map[string]string{"format": "pt"})
	})
}

// ModelDTypes returns the number format that a model's files hold each tensor in, by the name that save_pretrained gives it.
func ModelDTypes(files fs.FS, want Want) (map[string]DType, error) {
	shards, err := openModel(files, want)
	defer closeAll(shards)
	if err != nil {
		return nil, err
	}
	formats := make(map[string]DType, len(want.Shapes))
	for _, s := range shards {
		for _, e := range s.Tensors {
			formats[want.InFile(want.canonical(e.Name))] = DType(e.DType)
		}
	}
	return formats, nil
}
