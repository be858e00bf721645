package weights

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
)

// GGUF is what comes before the weights in a GGUF file, checked against the file's size.
type GGUF struct {
	// Metadata holds numbers as Go's types of the same width, texts, and slices of these ([]string, []float32, []int32, …).
	Metadata map[string]any
	header   Header
	rope     map[string][]float32 // what the tensors in ropeTensors hold, which are no weights but settings
	listed   int                  // tensors in the file, these included
	starts   []int64              // where the weights begin
}

// GGUFMetadata reads the metadata of a GGUF file: the model's shape and its tokenizer.
func GGUFMetadata(files fs.FS, name string) (map[string]any, error) {
	g, err := ReadGGUF(files, name)
	return g.Metadata, err
}

// HeaderBytes is the length of all that comes before the weights, of each of the model's parts.
func (g GGUF) HeaderBytes() []int64 { return g.starts }

// Limits of a header. Lengths in it are checked against the file, so that its memory is a small multiple of the file's size;
// these refuse what no model has.
const (
	maxGGUFPairs   = 1 << 16
	maxGGUFTensors = 1 << 18
	maxGGUFAxes    = 4 // GGML_MAX_DIMS
)

// parseGGUF reads a file of this size: magic, version, counts, metadata, tensors, with their names in the file
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3).
func parseGGUF(r io.ReaderAt, size int64) (GGUF, error) {
	in := &ggufReader{r: bufio.NewReader(io.NewSectionReader(r, 0, size)), left: size}
	g := GGUF{Metadata: map[string]any{}}
	if magic, err := in.bytes(4); err != nil || string(magic) != "GGUF" {
		return g, fmt.Errorf("%w: not a GGUF file", ErrFormat)
	}
	version, err := one[uint32](in)
	if err != nil {
		return g, err
	}
	if version != 2 && version != 3 {
		return g, fmt.Errorf("%w: GGUF version %d; versions 2 and 3 can be read (little-endian)", ErrFormat, version)
	}
	counts, err := numbers[uint64](in, 2)
	if err != nil {
		return g, err
	}
	if counts[0] > maxGGUFTensors || counts[1] > maxGGUFPairs {
		return g, fmt.Errorf("%w: it claims %d tensors and %d settings", ErrFormat, counts[0], counts[1])
	}
	for range counts[1] {
		if err := g.readPair(in); err != nil {
			return g, err
		}
	}
	for range counts[0] {
		if err := g.readTensor(in); err != nil {
			return g, err
		}
	}
	g.listed = len(g.header.Tensors)
	err = g.place(size-in.left, size)
	g.starts = []int64{g.header.start}
	return g, err
}

func (g *GGUF) readPair(in *ggufReader) error {
	key, err := in.text()
	if err != nil {
		return err
	}
	kind, err := one[uint32](in)
	if err != nil {
		return err
	}
	if _, ok := g.Metadata[key]; ok {
		return fmt.Errorf("%w: metadata %q is there twice", ErrFormat, key)
	}
	if g.Metadata[key], err = in.value(kind); err != nil {
		return fmt.Errorf("metadata %q: %w", key, err)
	}
	return nil
}

// readTensor reads what the file says of one tensor. Its offset is checked by place, when the data's beginning is known.
func (g *GGUF) readTensor(in *ggufReader) error {
	name, err := in.text()
	if err != nil {
		return err
	}
	axes, err := one[uint32](in)
	if err != nil {
		return err
	}
	if axes > maxGGUFAxes {
		return fmt.Errorf("%w: tensor %q has %d axes", ErrFormat, name, axes)
	}
	dims, err := numbers[uint64](in, uint64(axes))
	if err != nil {
		return err
	}
	number, err := one[uint32](in)
	if err != nil {
		return err
	}
	offset, err := one[uint64](in)
	if err != nil {
		return err
	}
	e := Entry{Name: name}
	elements, err := e.setDims(dims)
	if err != nil {
		return err
	}
	e.DType, e.format = ggufFormat(number)
	if offset > math.MaxInt64/2 {
		return fmt.Errorf("%w: tensor %q starts at the impossible offset %d", ErrFormat, name, offset)
	}
	e.begin, e.end = int64(offset), int64(offset)
	if n := uint64(e.format.values); n > 0 {
		if elements%n != 0 || len(dims) > 0 && dims[0]%n != 0 {
			return fmt.Errorf("%w: tensor %q of shape %v is not made of %s blocks of %d", ErrFormat, name, e.Shape, e.DType, n)
		}
		e.end += int64(elements / n * uint64(e.format.bytes))
	}
	g.header.Tensors = append(g.header.Tensors, e)
	return nil
}

// setDims sets the shape from ggml's dims, which come innermost first.
func (e *Entry) setDims(dims []uint64) (elements uint64, err error) {
	elements = 1
	for _, d := range dims {
		if d > math.MaxInt32 || d != 0 && elements > math.MaxInt64/16/d {
			return 0, fmt.Errorf("%w: tensor %q has the impossible shape %v", ErrFormat, e.Name, dims)
		}
		elements *= d
		e.Shape = append(e.Shape, int(d))
	}
	slices.Reverse(e.Shape)
	return elements, nil
}

// place finds where the data begins, and checks that every tensor lies within it and on no other one.
func (g *GGUF) place(headerEnd, size int64) error {
	align := int64(32)
	if v, ok := g.Metadata["general.alignment"]; ok {
		a, ok := v.(uint32)
		if !ok || a == 0 || a%8 != 0 || a > 1<<20 {
			return fmt.Errorf("%w: general.alignment is %v", ErrFormat, v)
		}
		align = int64(a)
	}
	g.header.start = (headerEnd + align - 1) / align * align
	slices.SortStableFunc(g.header.Tensors, compareEntries)
	at := int64(0)
	for _, e := range g.header.Tensors {
		if e.begin < at || e.begin%align != 0 {
			return fmt.Errorf("%w: tensor %q starts at byte %d of the data, the tensor before it ends at %d, and starts are multiples of %d",
				ErrFormat, e.Name, e.begin, at, align)
		}
		at = e.end
	}
	if g.header.start+at > size && len(g.header.Tensors) > 0 {
		return fmt.Errorf("%w: truncated: the tensors end at byte %d, the file has %d; fetch it again", ErrFormat, g.header.start+at, size)
	}
	return nil
}

// ggufReader reads a header from front to back, and never more than the file has.
type ggufReader struct {
	r    io.Reader
	left int64
}

var errGGUFEnd = fmt.Errorf("%w: truncated: the file ends within its header, or a length in it is wrong", ErrFormat)

// bytes reads n bytes, if the file can hold that many.
func (in *ggufReader) bytes(n uint64) ([]byte, error) {
	if n > uint64(in.left) {
		return nil, errGGUFEnd
	}
	in.left -= int64(n)
	b := make([]byte, n)
	if _, err := io.ReadFull(in.r, b); err != nil {
		return nil, fmt.Errorf("%w: %w", errGGUFEnd, err)
	}
	return b, nil
}

func (in *ggufReader) text() (string, error) {
	n, err := one[uint64](in)
	if err != nil {
		return "", err
	}
	b, err := in.bytes(n)
	return string(b), err
}

// numbers reads n numbers of one type.
func numbers[T any](in *ggufReader, n uint64) ([]T, error) {
	width := uint64(binary.Size(*new(T)))
	if n > uint64(in.left)/width {
		return nil, errGGUFEnd
	}
	b, err := in.bytes(n * width)
	if err != nil {
		return nil, err
	}
	out := make([]T, n)
	_, err = binary.Decode(b, binary.LittleEndian, out)
	return out, err
}

func one[T any](in *ggufReader) (T, error) {
	all, err := numbers[T](in, 1)
	if err != nil {
		return *new(T), err
	}
	return all[0], nil
}

// Kinds of metadata that are not plain numbers.
const (
	ggufText  = 8
	ggufArray = 9
)

// value reads one value of a kind.
func (in *ggufReader) value(kind uint32) (any, error) {
	switch kind {
	case 0:
		return one[uint8](in)
	case 1:
		return one[int8](in)
	case 2:
		return one[uint16](in)
	case 3:
		return one[int16](in)
	case 4:
		return one[uint32](in)
	case 5:
		return one[int32](in)
	case 6:
		return one[float32](in)
	case 7:
		return one[bool](in)
	case ggufText:
		return in.text()
	case ggufArray:
		return in.array()
	case 10:
		return one[uint64](in)
	case 11:
		return one[int64](in)
	case 12:
		return one[float64](in)
	}
	return nil, fmt.Errorf("%w: a value of unknown kind %d", ErrFormat, kind)
}

// array reads a list. Lists of lists are allowed by the format, written by nobody, and refused.
func (in *ggufReader) array() (any, error) {
	kind, err := one[uint32](in)
	if err != nil {
		return nil, err
	}
	n, err := one[uint64](in)
	if err != nil {
		return nil, err
	}
	switch kind {
	case 0:
		return numbers[uint8](in, n)
	case 1:
		return numbers[int8](in, n)
	case 2:
		return numbers[uint16](in, n)
	case 3:
		return numbers[int16](in, n)
	case 4:
		return numbers[uint32](in, n)
	case 5:
		return numbers[int32](in, n)
	case 6:
		return numbers[float32](in, n)
	case 7:
		return numbers[bool](in, n)
	case ggufText:
		return in.texts(n)
	case 10:
		return numbers[uint64](in, n)
	case 11:
		return numbers[int64](in, n)
	case 12:
		return numbers[float64](in, n)
	}
	return nil, fmt.Errorf("%w: a list of unknown or nested kind %d", ErrFormat, kind)
}

func (in *ggufReader) texts(n uint64) ([]string, error) {
	if n > uint64(in.left)/8 { // each has a length of eight bytes
		return nil, errGGUFEnd
	}
	out := make([]string, n)
	for i := range out {
		var err error
		if out[i], err = in.text(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
