package weights_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// FuzzModelFolder: whatever an index and its shards hold, reading a model ends with the tensors that were asked for or with an
// error that a person can fix, and reads nothing beside the folder.
func FuzzModelFolder(f *testing.F) {
	index := `{"metadata":{"total_size":4},"weight_map":{"w":"a.safetensors"}}`
	shard := file(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, []byte{0, 0, 0x80, 0x3f})
	f.Add([]byte(index), shard, shard)
	f.Add([]byte(`{"weight_map":{"w":"../a.safetensors"}}`), shard, shard)
	f.Add([]byte(`{"weight_map":{"w":"a.safetensors","v":"b.safetensors"}}`), shard, shard)
	f.Add([]byte(`{"weight_map":{"w":".","v":"/etc/passwd","u":""}}`), shard, shard)
	f.Add([]byte(`{"weight_map":[[[[`), shard, []byte{})
	f.Add([]byte(`{"weight_map":{"w":7}}`), shard[:9], []byte("{}"))
	want := weights.Want{Shapes: map[string][]int{"model.w": {1}}, Prefix: "model."}
	f.Fuzz(func(t *testing.T, index, a, b []byte) {
		files := fstest.MapFS{
			"model/model.safetensors.index.json": {Data: index}, "model/a.safetensors": {Data: a}, "model/b.safetensors": {Data: b},
			"secret.safetensors": {Data: shard},
		}
		folder, err := fs.Sub(files, "model")
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := weights.ReadModel(folder, want)
		if err != nil {
			if !errors.Is(err, weights.ErrFormat) && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("ReadModel = %v, want ErrFormat or ErrNotExist", err)
			}
			return
		}
		if len(tensors) != 1 || len(tensors["model.w"].Data) != 1 {
			t.Fatalf("ReadModel = %v, want the one tensor asked for", tensors)
		}
	})
}
