package weights

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteModel(t *testing.T) {
	t.Parallel()
	filled := func(shape []int, first float32) Array {
		a := Array{Shape: shape, Data: make([]float32, shape[0]*shape[1])}
		for i := range a.Data {
			a.Data[i] = first + float32(i)
		}
		return a
	}
	order := []string{"z", "large", "b", "a"}
	tensors := map[string]Array{
		"z": filled([]int{2, 2}, 0), "large": filled([]int{8, 8}, 10), "b": filled([]int{2, 2}, 100), "a": filled([]int{2, 4}, 200),
	}
	formats := map[string]DType{"z": F32, "large": BF16, "b": F16, "a": F32}
	format := func(name string) DType { return formats[name] }
	want := Want{Shapes: map[string][]int{"z": {2, 2}, "large": {8, 8}, "b": {2, 2}, "a": {2, 4}}}
	for name, tc := range map[string]struct {
		max   int64
		files []string
	}{
		"single": {1 << 20, []string{"model.safetensors"}},
		// z has 16 bytes; large 128, more than a shard; b 8 and a 32 fit together.
		"sharded": {64, []string{
			"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors",
			"model.safetensors.index.json",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := WriteModel(dir, order, tensors, format, tc.max); err != nil {
				t.Fatal(err)
			}
			found, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for i := range found {
				found[i] = filepath.Base(found[i])
			}
			if diff := cmp.Diff(tc.files, found); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			got, err := ReadModel(os.DirFS(dir), want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tensors, got); diff != "" {
				t.Errorf("tensors (-want +got):\n%s", diff)
			}
			kept, err := ModelDTypes(os.DirFS(dir), want)
			if diff := cmp.Diff(formats, kept); diff != "" || err != nil {
				t.Errorf("formats %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestBfloat16RoundsToNearestEven(t *testing.T) {
	t.Parallel()
	for v, want := range map[float32]uint16{
		0: 0, 1: 0x3f80, -1: 0xbf80, 1.00390625: 0x3f80, 1.01171875: 0x3f82, 1.0040: 0x3f81, // the first two lie halfway
		math.MaxFloat32: 0x7f80, float32(math.Inf(-1)): 0xff80,
	} {
		if got := bfloat16Bits(v); got != want {
			t.Errorf("bfloat16(%v) = %#x, want %#x", v, got, want)
		}
	}
	if got := bfloat16Bits(float32(math.NaN())); got&0x7f80 != 0x7f80 || got&0x7f == 0 {
		t.Errorf("bfloat16(NaN) = %#x, which is none", got)
	}
}
