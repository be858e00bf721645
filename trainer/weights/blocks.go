package weights

import (
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/gomlx/compute/dtypes"
)

// Blocks are a tensor's values as quantisation has them: blocks of equal size, one after another over the rows.
type Blocks struct {
	Format string // Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K of GGUF, NF4 or INT8
	Bytes  []byte
}

// AsStored asks for the blocks that a GGUF file has (Want.Formats).
const AsStored = "as stored"

// Plane is what one part of every block holds: N numbers of one kind.
type Plane struct {
	Kind  dtypes.DType
	N, at int // at: the first byte in a block
}

// Planes lists the parts of a format's blocks, and how many values a block stands for. What they mean is said by the functions that
// decode a block.
func Planes(format string) (planes []Plane, values int) {
	f, _ := blockFormat(format)
	return f.planes, f.values
}

// Plane returns what all blocks have in a plane: a slice of its kind.
func (b Blocks) Plane(p Plane) any {
	f, _ := blockFormat(b.Format)
	size := p.N * p.Kind.Size()
	flat := dtypes.MakeAnySlice(p.Kind, len(b.Bytes)/f.bytes*p.N)
	plane := dtypes.UnsafeByteSliceFromAny(flat)[:0]
	for block := range slices.Chunk(b.Bytes, f.bytes) {
		plane = append(plane, block[p.at:p.at+size]...)
	}
	return flat
}

// decode returns the first n values.
func (b Blocks) decode(n int) []float32 {
	f, _ := blockFormat(b.Format)
	data := make([]float32, len(b.Bytes)/f.bytes*f.values)
	at := 0
	for block := range slices.Chunk(b.Bytes, f.bytes) {
		f.decode(data[at:], block)
		at += f.values
	}
	return data[:n]
}

// readBlocks reads a tensor that stays in the blocks of its file, and checks that each stands for finite numbers.
func (e Entry) readBlocks(r io.Reader) (Array, error) {
	f, ok := blockFormat(e.DType)
	if !ok {
		return Array{}, fmt.Errorf("%w: values in %s cannot stay in their blocks", ErrFormat, e.DType)
	}
	data := make([]byte, e.end-e.begin)
	if _, err := io.ReadFull(r, data); err != nil {
		return Array{}, err
	}
	values := make([]float32, f.values)
	for block := range slices.Chunk(data, f.bytes) {
		f.decode(values, block)
		if err := checkFinite(values); err != nil {
			return Array{}, err
		}
	}
	if e.undoBlocks != nil {
		e.undoBlocks(data)
	}
	return Array{Shape: e.Shape, Blocks: &Blocks{e.DType, data}}, nil
}

// QuantisedFormats lists the number formats that a model's GGUF file quantises weights to, sorted; none for other files.
func QuantisedFormats(files fs.FS) ([]string, error) {
	name, err := GGUFName(files)
	if name == "" || err != nil {
		return nil, err
	}
	g, err := ReadGGUF(files, name)
	if err != nil {
		return nil, err
	}
	var formats []string
	for _, e := range g.header.Tensors {
		if e.format.values > 1 {
			formats = append(formats, e.DType)
		}
	}
	slices.Sort(formats)
	return slices.Compact(formats), nil
}

// blocked is a format with the planes of its blocks.
type blocked struct {
	format
	planes []Plane
}

// blockFormat returns a format whose values can stay in their blocks.
func blockFormat(name string) (f blocked, ok bool) {
	scale, low := Plane{dtypes.Float16, 1, 0}, Plane{dtypes.Float16, 1, 2}
	codes := func(n, at int) Plane { return Plane{dtypes.Uint8, n, at} }
	gguf := func(number uint32, planes ...Plane) (blocked, bool) {
		_, f := ggufFormat(number)
		return blocked{f, planes}, true
	}
	switch name {
	case "Q4_0":
		return gguf(2, scale, codes(16, 2))
	case "Q4_1":
		return gguf(3, scale, low, codes(16, 4))
	case "Q5_0":
		return gguf(6, scale, codes(4, 2), codes(16, 6))
	case "Q5_1":
		return gguf(7, scale, low, codes(4, 4), codes(16, 8))
	case "Q8_0":
		return gguf(8, scale, Plane{dtypes.Int8, 32, 2})
	case "Q4_K":
		return gguf(12, scale, low, codes(12, 4), codes(128, 16))
	case "Q5_K":
		return gguf(13, scale, low, codes(12, 4), codes(32, 16), codes(128, 48))
	case "Q6_K":
		return gguf(14, codes(128, 0), codes(64, 128), Plane{dtypes.Int8, 16, 192}, Plane{dtypes.Float16, 1, 208})
	case NF4:
		return blocked{nf4Format(), []Plane{{dtypes.Float32, 1, 0}, codes(quantisedValues/2, 4)}}, true
	case INT8:
		return blocked{int8Format(), []Plane{{dtypes.Float32, 1, 0}, {dtypes.Int8, quantisedValues, 4}}}, true
	}
	return blocked{}, false
}
