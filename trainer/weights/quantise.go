package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Formats that weights are quantised to on the way in.
const (
	NF4  = "NF4"
	INT8 = "INT8"
)

// quantisedValues is the size of a block in both: that of QLoRA (Dettmers et al. 2023, arXiv:2305.14314, section 3).
const quantisedValues = 64

// NF4Levels are the 16 values of NormalFloat4, as bitsandbytes has them (functional.py, get_4bit_type; QLoRA, appendix E).
func NF4Levels() [16]float32 {
	return [16]float32{
		-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
		-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
		0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
		0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
	}
}

// nf4Format: the largest magnitude, then 64 nibbles: the low ones are the first half. value = magnitude·level.
func nf4Format() format {
	return format{4 + quantisedValues/2, quantisedValues, func(dst []float32, src []byte) {
		levels, largest := NF4Levels(), f32(src)
		for i, b := range src[4 : 4+quantisedValues/2] {
			dst[i] = largest * levels[b&15]
			dst[i+quantisedValues/2] = largest * levels[b>>4]
		}
	}}
}

// int8Format: scale, then 64 signed bytes. value = scale·byte.
func int8Format() format {
	return format{4 + quantisedValues, quantisedValues, func(dst []float32, src []byte) {
		scale := f32(src)
		for i, b := range src[4 : 4+quantisedValues] {
			dst[i] = scale * float32(int8(b))
		}
	}}
}

func f32(src []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(src)) }

// Quantise returns an array with its values in blocks of NF4 or INT8. Blocks run along the values in their order; the last one is
// filled up with zeros.
func Quantise(a Array, format string) (Array, error) {
	f, _ := blockFormat(format)
	encode, ok := map[string]func(block []byte, values []float32){NF4: encodeNF4, INT8: encodeINT8}[format]
	if !ok {
		return Array{}, fmt.Errorf("weights cannot be quantised to %s: want %s or %s", format, NF4, INT8)
	}
	blocks := make([]byte, (len(a.Data)+f.values-1)/f.values*f.bytes)
	for i := range len(blocks) / f.bytes {
		encode(blocks[i*f.bytes:(i+1)*f.bytes], a.Data[i*f.values:min((i+1)*f.values, len(a.Data))])
	}
	return Array{Shape: a.Shape, Blocks: &Blocks{format, blocks}}, nil
}

// encodeNF4 takes for each value the level that is nearest to its share of the block's largest magnitude.
func encodeNF4(block []byte, values []float32) {
	largest := magnitude(values)
	binary.LittleEndian.PutUint32(block, math.Float32bits(largest))
	inverse := 1 / largest
	if largest == 0 {
		inverse = 0
	}
	const half = quantisedValues / 2
	bounds := nf4Bounds()
	for i, v := range values {
		block[4+i%half] |= level(&bounds, v*inverse) << (4 * (i / half))
	}
}

// nf4Bounds are the numbers half-way between the levels.
func nf4Bounds() [15]float32 {
	var bounds [15]float32
	levels := NF4Levels()
	for i := range bounds {
		bounds[i] = (levels[i] + levels[i+1]) / 2
	}
	return bounds
}

// level returns the number of the level next to v, the lower one in a tie.
func level(bounds *[15]float32, v float32) byte {
	code := byte(0)
	for code < 15 && v > bounds[code] {
		code++
	}
	return code
}

// encodeINT8 divides the range of the block's largest magnitude into 127 equal steps on each side of zero.
func encodeINT8(block []byte, values []float32) {
	scale := magnitude(values) / math.MaxInt8
	binary.LittleEndian.PutUint32(block, math.Float32bits(scale))
	if scale == 0 {
		return
	}
	for i, v := range values {
		block[4+i] = byte(int8(math.RoundToEven(float64(v / scale))))
	}
}

func magnitude(values []float32) float32 {
	var most float32
	for _, v := range values {
		most = max(most, v, -v)
	}
	return most
}
