package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ErrFormat marks a file that is not what its name says: truncated, damaged, or another format.
var ErrFormat = errors.New("bad file")

// maxHeader is the longest header the safetensors library itself accepts (safetensors 0.8.0, MAX_HEADER_SIZE).
const maxHeader = 100_000_000

// Header is the table of contents of a safetensors file, checked against the file's size.
type Header struct {
	Tensors  []Entry // in the order of their data
	Metadata map[string]string
	start    int64 // offset of the data
}

// Entry is one tensor in a file.
type Entry struct {
	Name       string
	DType      string
	Shape      []int
	begin, end int64 // within the data
	format     format
	undo       func(data []float32) // turns what a GGUF file holds into transformers' values; nil where they are the same
	undoBlocks func(data []byte)    // the same for rows of blocks
}

// elements returns the number of values in the tensor.
func (e Entry) elements() int64 {
	n := int64(1)
	for _, d := range e.Shape {
		n *= int64(d)
	}
	return n
}

// shard is an open safetensors or GGUF file with its header, which was read and checked.
type shard struct {
	Header
	name string
	file source
	size int64
}

// openShard opens a file and reads its header, but no tensor.
func openShard(files fs.FS, name string) (shard, error) {
	f, size, err := open(files, name)
	if err != nil {
		return shard{}, err
	}
	parse := parseHeader
	if strings.HasSuffix(name, trial.GGUFSuffix) {
		parse = func(io.ReaderAt, int64) (Header, error) { return parseGGUFShard(files, name, f, size) }
	}
	err = pointerAt(name, f)
	var h Header
	if err == nil {
		h, err = parse(f, size)
	}
	if err != nil {
		return shard{}, errors.Join(fmt.Errorf("read %s: %w", name, err), f.Close())
	}
	return shard{Header: h, name: name, file: f, size: size}, nil
}

// source is an open file whose parts can be read in any order.
type source interface {
	io.ReaderAt
	io.Closer
}

func open(files fs.FS, name string) (source, int64, error) {
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for a writer
		return nil, 0, fmt.Errorf("read %s: %w: not a regular file", name, ErrFormat)
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, 0, err
	}
	s, ok := f.(source)
	if !ok {
		return nil, 0, errors.Join(fmt.Errorf("read %s: %w: it cannot be read in any order", name, ErrFormat), f.Close())
	}
	return s, info.Size(), nil
}

// rawEntry is an entry as the header's JSON has it. Unsigned, so that a negative number is an error of the decoder.
type rawEntry struct {
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
}

// parseHeader reads the header of a file of this size. It allocates no more than a small multiple of the header, which
// must lie within the file.
func parseHeader(r io.ReaderAt, size int64) (Header, error) {
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return Header{}, fmt.Errorf("%w: %d bytes are too short for a safetensors file", ErrFormat, size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return Header{}, err
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return Header{}, fmt.Errorf("%w: not a safetensors file, or damaged: it claims a header of %d bytes", ErrFormat, length)
	}
	if int64(length) > size-8 {
		return Header{}, fmt.Errorf("%w: truncated: the header has %d bytes, the whole file %d", ErrFormat, length, size)
	}
	body := make([]byte, length)
	if _, err := r.ReadAt(body, 8); err != nil && !errors.Is(err, io.EOF) {
		return Header{}, err
	}
	h := Header{start: 8 + int64(length)}
	if err := h.decode(body); err != nil {
		return Header{}, err
	}
	return h, h.check(size - h.start)
}

func (h *Header) decode(body []byte) error {
	if !bytes.HasPrefix(body, []byte("{")) {
		return fmt.Errorf("%w: not a safetensors file: the header is no JSON object", ErrFormat)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return fmt.Errorf("%w: the safetensors header: %w", ErrFormat, err)
	}
	for name, value := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(value, &h.Metadata); err != nil {
				return fmt.Errorf("%w: the safetensors metadata: %w", ErrFormat, err)
			}
			continue
		}
		var e rawEntry
		if err := json.Unmarshal(value, &e); err != nil {
			return fmt.Errorf("%w: header of tensor %q: %w", ErrFormat, name, err)
		}
		entry, err := e.entry(name)
		if err != nil {
			return err
		}
		h.Tensors = append(h.Tensors, entry)
	}
	slices.SortFunc(h.Tensors, compareEntries)
	return nil
}

// compareEntries orders tensors as their data are in the file.
func compareEntries(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), strings.Compare(a.Name, b.Name))
}

func (e rawEntry) entry(name string) (Entry, error) {
	if len(e.Offsets) != 2 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > math.MaxInt64 {
		return Entry{}, fmt.Errorf("%w: tensor %q has the impossible offsets %v", ErrFormat, name, e.Offsets)
	}
	out := Entry{Name: name, DType: e.DType, begin: int64(e.Offsets[0]), end: int64(e.Offsets[1])}
	elements := uint64(1)
	for _, d := range e.Shape {
		if d > math.MaxInt32 || d != 0 && elements > math.MaxInt64/8/d {
			return Entry{}, fmt.Errorf("%w: tensor %q has the impossible shape %v", ErrFormat, name, e.Shape)
		}
		elements *= d
		out.Shape = append(out.Shape, int(d))
	}
	f, known := safetensorsFormat(e.DType)
	if bytes := elements * uint64(f.bytes); known && bytes != e.Offsets[1]-e.Offsets[0] {
		return Entry{}, fmt.Errorf("%w: tensor %q (%s %v) should have %d bytes, its offsets say %d",
			ErrFormat, name, e.DType, e.Shape, bytes, e.Offsets[1]-e.Offsets[0])
	}
	out.format = f
	return out, nil
}

// check verifies that the tensors tile the data exactly, as the safetensors library demands: no gap, no overlap.
func (h *Header) check(data int64) error {
	at := int64(0)
	for _, e := range h.Tensors {
		if e.begin != at {
			return fmt.Errorf("%w: tensor %q starts at byte %d of the data, the tensor before it ends at %d", ErrFormat, e.Name, e.begin, at)
		}
		at = e.end
	}
	if at > data {
		return fmt.Errorf("%w: truncated: the tensors need %d bytes, the file has %d of them; fetch it again", ErrFormat, at, data)
	}
	if at < data {
		return fmt.Errorf("%w: %d bytes follow the last tensor", ErrFormat, data-at)
	}
	return nil
}
