package weights

import (
	"encoding/binary"
	"math"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
)

// format is how a file stores numbers: in blocks of some bytes that hold some values. A plain number is a block of one.
type format struct {
	bytes, values int
	decode        func(dst []float32, src []byte) // one block; nil where the values cannot be read
}

// safetensorsFormat returns a format of the safetensors library by its name. Integers have a size and no decoder.
func safetensorsFormat(name string) (f format, known bool) {
	switch name {
	case "F64":
		return format{8, 1, decodeF64}, true
	case "F32":
		return format{4, 1, decodeF32}, true
	case "F16":
		return format{2, 1, decodeF16}, true
	case "BF16":
		return format{2, 1, decodeBF16}, true
	case "I64", "U64", "C64":
		return format{8, 1, nil}, true
	case "I32", "U32":
		return format{4, 1, nil}, true
	case "I16", "U16":
		return format{2, 1, nil}, true
	case "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2":
		return format{1, 1, nil}, true
	}
	return format{}, false
}

func decodeF64(dst []float32, src []byte) {
	dst[0] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src)))
}

func decodeF32(dst []float32, src []byte) {
	dst[0] = math.Float32frombits(binary.LittleEndian.Uint32(src))
}

func decodeF16(dst []float32, src []byte) { dst[0] = f16(src) }

func decodeBF16(dst []float32, src []byte) {
	dst[0] = bfloat16.FromBits(binary.LittleEndian.Uint16(src)).Float32()
}

func f16(src []byte) float32 { return float16.FromBits(binary.LittleEndian.Uint16(src)).Float32() }
