package weights_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// file builds a safetensors file by hand.
func file(header string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

func TestReadFormats(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dtype string
		shape string
		data  []byte
		want  []float32
	}{
		"float32":  {"F32", "[2]", []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}, []float32{1, -2}},
		"float16":  {"F16", "[2]", []byte{0, 0x3c, 0x01, 0x00}, []float32{1, 0x1p-24}},
		"bfloat16": {"BF16", "[1,2]", []byte{0x80, 0x3f, 0x80, 0x7f}, []float32{1, float32(math.Inf(1))}},
		"float64":  {"F64", "[1]", []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, []float32{1}},
		"empty":    {"F32", "[0,4]", nil, []float32{}},
		"scalar":   {"F32", "[]", []byte{0, 0, 0x80, 0x3f}, []float32{1}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := `{"w":{"dtype":"` + tc.dtype + `","shape":` + tc.shape + `,"data_offsets":[0,` + itoa(len(tc.data)) + `]}}`
			b := file(header, tc.data)
			got, _, err := weights.Decode(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got["w"].Data); diff != "" {
				t.Errorf("Decode: %s", diff)
			}
		})
	}
}

func TestReadRefusesDamage(t *testing.T) {
	t.Parallel()
	one := `{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	four := []byte{0, 0, 0, 0}
	tests := map[string]struct {
		file []byte
		want string
	}{
		"empty":               {nil, "too short"},
		"header longer":       {file(one, four)[:20], "truncated: the header"},
		"absurd header":       {append(bytes.Repeat([]byte{0xff}, 8), four...), "claims a header"},
		"pickle":              {file("PK\x03\x04....", nil), "no JSON object"},
		"not JSON":            {file("{oops", nil), "header"},
		"data cut":            {file(one, four[:2]), "truncated: the tensors need 4 bytes"},
		"data after":          {file(one, append(four, 1)), "1 bytes follow"},
		"shape against bytes": {file(strings.Replace(one, "[1]", "[2]", 1), four), "should have 8 bytes"},
		"negative":            {file(strings.Replace(one, "[1]", "[-1]", 1), four), `tensor "w"`},
		"negative offset":     {file(strings.Replace(one, "[0,4]", "[-4,0]", 1), four), `tensor "w"`},
		"offsets swapped":     {file(strings.Replace(one, "[0,4]", "[4,0]", 1), four), "impossible offsets"},
		"shape overflows":     {file(strings.Replace(one, "[1]", "[2147483647,2147483647,2147483647,4]", 1), four), "impossible shape"},
		"hole": {
			file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, four[:3]),
			"starts at byte 2",
		},
		"overlap": {
			file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, four[:3]),
			"starts at byte 1",
		},
		"integers": {file(strings.Replace(one, "F32", "I32", 1), four), "number format I32"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := weights.Decode(bytes.NewReader(tc.file), int64(len(tc.file)))
			if !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Decode = %v, want ErrFormat with %q", err, tc.want)
			}
		})
	}
}

// TestWriteReadsBack is a property: what is written is read back, exactly in float32, rounded in float16.
func TestWriteReadsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		tensors := rapid.MapOfN(rapid.StringMatching(`[a-z.<"]{1,12}`), rapid.Custom(array), 0, 5).Draw(t, "tensors")
		path := filepath.Join(dir, "t.safetensors")
		if err := weights.WriteFile(path, tensors, weights.F32, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
		got, err := weights.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tensors, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func array(t *rapid.T) weights.Array {
	rows, columns := rapid.IntRange(1, 4).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "columns")
	return weights.Array{
		Shape: []int{rows, columns},
		Data:  rapid.SliceOfN(rapid.Float32(), rows*columns, rows*columns).Draw(t, "data"),
	}
}

// TestFloat16Exact reads every float16 and writes it back: no bit may change. NaNs keep being NaNs.
func TestFloat16Exact(t *testing.T) {
	t.Parallel()
	data := make([]byte, 0, 2<<16)
	for i := range 1 << 16 {
		if i&0x7c00 == 0x7c00 && i&0x3ff != 0 {
			i = 0x7c00 // one infinity instead of each NaN
		}
		data = binary.LittleEndian.AppendUint16(data, uint16(i))
	}
	b := file(`{"w":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}}`, data)
	tensors, _, err := weights.Decode(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := weights.Encode(&out, tensors, weights.F16, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(out.Bytes(), data) {
		t.Error("some float16 did not survive reading and writing")
	}
}

func TestFloat16Rounds(t *testing.T) {
	t.Parallel()
	in := row(1+0x1p-11, 1+0x3p-11, 0x1p-25, 0x3p-25, 65519, 65520, -0x1.ffep-15)
	want := []float32{1, 1 + 0x1p-9, 0, 0x1p-23, 65504, float32(math.Inf(1)), -0x1p-14}
	var b bytes.Buffer
	if err := weights.Encode(&b, map[string]weights.Array{"w": in}, weights.F16, nil); err != nil {
		t.Fatal(err)
	}
	got, _, err := weights.Decode(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got["w"].Data); diff != "" {
		t.Error(diff)
	}
}

func TestWriteFailsWithoutTrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "t.safetensors")
	bad := map[string]weights.Array{"w": {Shape: []int{3}, Data: []float32{1}}}
	if err := weights.WriteFile(path, bad, weights.F32, nil); err == nil || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("WriteFile = %v, want an error naming the tensor", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// FuzzSafetensors: whatever the bytes, reading ends with tensors that lie within the file or with ErrFormat.
func FuzzSafetensors(f *testing.F) {
	f.Add(file(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, []byte{0, 0, 0x80, 0x3f}))
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[0,9],"data_offsets":[0,0]}}`, nil))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tensors, _, err := weights.Decode(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, weights.ErrFormat) {
				t.Fatalf("Decode = %v, want ErrFormat", err)
			}
			return
		}
		total := 0
		for _, a := range tensors {
			total += 2 * len(a.Data)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of weights from a file of %d", total, len(b))
		}
	})
}

func TestReadMissingFile(t *testing.T) {
	t.Parallel()
	if _, err := weights.Read(fstest.MapFS{}, "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read = %v, want ErrNotExist", err)
	}
}
