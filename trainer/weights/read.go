package weights

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadFile reads every tensor of a safetensors file on disk.
func ReadFile(path string) (map[string]Array, error) {
	return Read(os.DirFS(filepath.Dir(path)), filepath.Base(path))
}

// Read reads every tensor of a safetensors or GGUF file.
func Read(files fs.FS, name string) (map[string]Array, error) {
	return readSome(files, name, func(Entry) bool { return true })
}

// readSome reads the tensors that keep wants.
func readSome(files fs.FS, name string, keep func(Entry) bool) (map[string]Array, error) {
	f, h, err := openHeader(files, name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	out, err := h.read(f, keep)
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

func (h Header) read(r io.ReaderAt, keep func(Entry) bool) (map[string]Array, error) {
	out := make(map[string]Array, len(h.Tensors))
	buffer := make([]byte, 1<<16)
	for _, e := range h.Tensors {
		if !keep(e) {
			continue
		}
		if e.format.decode == nil {
			return nil, fmt.Errorf("%w: tensor %q has number format %s, which cannot be read", ErrFormat, e.Name, e.DType)
		}
		data := make([]float32, e.elements())
		section := io.NewSectionReader(r, h.start+e.begin, e.end-e.begin)
		if err := fill(data, section, buffer, e.format); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		if e.heads > 0 {
			unpermute(data, e.Shape[0], e.heads)
		}
		out[e.Name] = Array{Shape: e.Shape, Data: data}
	}
	return out, nil
}

// fill decodes r into data, one buffer at a time, so that a tensor is never in memory twice.
func fill(data []float32, r io.Reader, buffer []byte, f format) error {
	for len(data) > 0 {
		n := min(len(data)/f.values, len(buffer)/f.bytes)
		if _, err := io.ReadFull(r, buffer[:n*f.bytes]); err != nil {
			return err
		}
		for i := range n {
			f.decode(data[i*f.values:], buffer[i*f.bytes:])
		}
		data = data[n*f.values:]
	}
	return nil
}
