package weightstest

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"testing"
)

// WriteGGUF writes a GGUF file, version 3, without tensors.
func WriteGGUF(t testing.TB, metadata map[string]any) []byte {
	t.Helper()
	const kindUint32, kindInt32, kindFloat32, kindBool, kindString, kindArray = 4, 5, 6, 7, 8, 9
	var b bytes.Buffer
	write := func(values ...any) {
		for _, v := range values {
			if s, ok := v.(string); ok {
				v = append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
			}
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.WriteString("GGUF")
	write(uint32(3), uint64(0), uint64(len(metadata)))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		write(key)
		switch v := metadata[key].(type) {
		case string:
			write(uint32(kindString), v)
		case bool:
			write(uint32(kindBool), v)
		case uint32:
			write(uint32(kindUint32), v)
		case []int32:
			write(uint32(kindArray), uint32(kindInt32), uint64(len(v)), v)
		case []float32:
			write(uint32(kindArray), uint32(kindFloat32), uint64(len(v)), v)
		case []string:
			write(uint32(kindArray), uint32(kindString), uint64(len(v)))
			for _, s := range v {
				write(s)
			}
		default:
			t.Fatalf("%s is a %T", key, v)
		}
	}
	return b.Bytes()
}
