package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
)

// ReadFile reads every tensor of a safetensors file on disk.
func ReadFile(path string) (map[string]Array, error) {
	return Read(os.DirFS(filepath.Dir(path)), filepath.Base(path))
}

// Read reads every tensor of a safetensors file.
func Read(files fs.FS, name string) (map[string]Array, error) {
	return readSome(files, name, func(Entry) bool { return true })
}

// readSome reads the tensors that keep wants.
func readSome(files fs.FS, name string, keep func(Entry) bool) (map[string]Array, error) {
	f, size, err := open(files, name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	out, err := readFrom(f, size, keep)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return out, nil
}

// Decode reads every tensor of a safetensors file that lies in memory or in a part of another file.
func Decode(r io.ReaderAt, size int64) (map[string]Array, map[string]string, error) {
	h, err := parseHeader(r, size)
	if err != nil {
		return nil, nil, err
	}
	out, err := h.read(r, func(Entry) bool { return true })
	return out, h.Metadata, err
}

func readFrom(r io.ReaderAt, size int64, keep func(Entry) bool) (map[string]Array, error) {
	h, err := parseHeader(r, size)
	if err != nil {
		return nil, err
	}
	return h.read(r, keep)
}

func (h Header) read(r io.ReaderAt, keep func(Entry) bool) (map[string]Array, error) {
	out := make(map[string]Array, len(h.Tensors))
	buffer := make([]byte, 1<<16)
	for _, e := range h.Tensors {
		if !keep(e) {
			continue
		}
		decode, width := decoder(e.DType)
		if decode == nil {
			return nil, fmt.Errorf("%w: tensor %q has number format %s; only F64, F32, F16 and BF16 weights can be read", ErrFormat, e.Name, e.DType)
		}
		data := make([]float32, e.elements())
		section := io.NewSectionReader(r, h.start+e.begin, e.end-e.begin)
		if err := fill(data, section, buffer, decode, width); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		out[e.Name] = Array{Shape: e.Shape, Data: data}
	}
	return out, nil
}

// fill decodes r into data, one buffer at a time, so that a tensor is never in memory twice.
func fill(data []float32, r io.Reader, buffer []byte, decode func([]byte) float32, width int) error {
	for len(data) > 0 {
		n := min(len(data), len(buffer)/width)
		if _, err := io.ReadFull(r, buffer[:n*width]); err != nil {
			return err
		}
		for i := range n {
			data[i] = decode(buffer[i*width:])
		}
		data = data[n:]
	}
	return nil
}

// decoder returns how a value of this number format becomes a float32, and its bytes; nil where there is no way.
func decoder(dtype string) (func([]byte) float32, int) {
	switch dtype {
	case "F64":
		return func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }, 8
	case "F32":
		return func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }, 4
	case "F16":
		return func(b []byte) float32 { return float16.FromBits(binary.LittleEndian.Uint16(b)).Float32() }, 2
	case "BF16":
		return func(b []byte) float32 { return bfloat16.FromBits(binary.LittleEndian.Uint16(b)).Float32() }, 2
	}
	return nil, 0
}
