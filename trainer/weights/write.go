package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// DType is a number format of a file that can be written.
type DType string

// The number formats that can be written.
const (
	F32  DType = "F32"
	F16  DType = "F16"  // rounded to nearest, ties to even
	BF16 DType = "BF16" // likewise
)

// Bytes is the size of one value; 0 for a format that cannot be written.
func (d DType) Bytes() int {
	_, width, err := encoder(d)
	if err != nil {
		return 0
	}
	return width
}

// WriteFile writes tensors as a safetensors file, atomically, laid out as the safetensors library does: sorted by name,
// the header padded to 8 bytes. Metadata is nil or Hugging Face's {"format": "pt"}.
func WriteFile(path string, tensors map[string]Array, dtype DType, metadata map[string]string) error {
	return trial.WriteAtomic(path, func(w io.Writer) error { return Encode(w, tensors, dtype, metadata) })
}

// Encode writes tensors in safetensors format to w.
func Encode(w io.Writer, tensors map[string]Array, dtype DType, metadata map[string]string) error {
	return encodeEach(w, tensors, func(string) DType { return dtype }, metadata)
}

// encodeEach is Encode with a number format for each tensor.
func encodeEach(w io.Writer, tensors map[string]Array, dtype func(name string) DType, metadata map[string]string) error {
	names := slices.SortedFunc(maps.Keys(tensors), func(a, b string) int {
		return cmp.Or(alignment(dtype(b))-alignment(dtype(a)), cmp.Compare(a, b))
	})
	header, err := encodeHeader(names, tensors, dtype, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	buffer := make([]byte, 1<<16)
	for _, name := range names {
		encode, width, err := encoder(dtype(name))
		if err != nil {
			return err
		}
		if err := drain(w, tensors[name].Data, buffer, encode, width); err != nil {
			return err
		}
	}
	return nil
}

// alignment is a format's place in the order of the safetensors library, which puts the tensors of later formats first.
func alignment(d DType) int { return slices.Index([]DType{F16, BF16, F32}, d) }

// encodeHeader returns the length prefix and the JSON, its keys in the order the safetensors library writes them.
func encodeHeader(names []string, tensors map[string]Array, dtype func(name string) DType, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `"__metadata__":%s`, text)
	}
	at := 0
	for _, name := range names {
		_, width, err := encoder(dtype(name))
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		end := at + width*len(tensors[name].Data)
		if err := writeEntry(&b, name, tensors[name], dtype(name), at, end); err != nil {
			return nil, err
		}
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	header := b.Bytes()
	binary.LittleEndian.PutUint64(header, uint64(len(header)-8))
	return header, nil
}

func writeEntry(b *bytes.Buffer, name string, a Array, dtype DType, begin, end int) error {
	elements := 1
	for _, d := range a.Shape {
		elements *= d
	}
	if elements != len(a.Data) {
		return fmt.Errorf("tensor %q: shape %v does not hold %d values", name, a.Shape, len(a.Data))
	}
	entry := struct {
		DType   DType  `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}{dtype, append([]int{}, a.Shape...), [2]int{begin, end}}
	text, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	key, err := json.Marshal(name)
	if err != nil {
		return err
	}
	if b.Len() > 9 {
		b.WriteByte(',')
	}
	fmt.Fprintf(b, "%s:%s", key, text)
	return nil
}

func drain(w io.Writer, data []float32, buffer []byte, encode func([]byte, float32), width int) error {
	for len(data) > 0 {
		n := min(len(data), len(buffer)/width)
		for i, v := range data[:n] {
			encode(buffer[i*width:], v)
		}
		if _, err := w.Write(buffer[:n*width]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func encoder(dtype DType) (func([]byte, float32), int, error) {
	switch dtype {
	case F32:
		return func(b []byte, v float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(v)) }, 4, nil
	case F16:
		return func(b []byte, v float32) { binary.LittleEndian.PutUint16(b, float16Bits(v)) }, 2, nil
	case BF16:
		return func(b []byte, v float32) { binary.LittleEndian.PutUint16(b, bfloat16Bits(v)) }, 2, nil
	}
	return nil, 0, fmt.Errorf("number format %q cannot be written", dtype)
}

// float16Bits rounds v to the nearest float16, ties to even. (compute v0.1.6 rounds float16 subnormals wrongly.)
func float16Bits(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, magnitude := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000: // NaN
		return sign | 0x7e00
	case magnitude >= 0x477ff000: // 65520 and more round to infinity
		return sign | 0x7c00
	case magnitude < 0x38800000: // below 2^-14: 0.5 is so large that adding it rounds to multiples of 2^-24
		return sign | uint16(math.Float32bits(math.Float32frombits(magnitude)+0.5)-math.Float32bits(0.5))
	}
	magnitude += 0xfff + magnitude>>13&1
	return sign | uint16((magnitude-112<<23)>>13)
}

// bfloat16Bits rounds v to the nearest bfloat16, ties to even.
func bfloat16Bits(v float32) uint16 {
	bits := math.Float32bits(v)
	if bits&0x7fffffff > 0x7f800000 { // NaN
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
