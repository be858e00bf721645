package weights

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// ReadFile reads every tensor of a safetensors file on disk.
func ReadFile(path string) (map[string]Array, error) {
	return Read(os.DirFS(filepath.Dir(path)), filepath.Base(path))
}

// Read reads every tensor of a safetensors or GGUF file.
func Read(files fs.FS, name string) (map[string]Array, error) {
	s, err := openShard(files, name)
	if err != nil {
		return nil, err
	}
	defer s.file.Close() //nolint:errcheck // read only
	return s.readTo(nil, func(Entry) bool { return true })
}

// readTo reads the tensors that keep wants. Every byte of the file is copied to w on the way, where there is one, in order; those of
// the tensors are read once.
func (s shard) readTo(w io.Writer, keep func(Entry) bool) (map[string]Array, error) {
	return s.readAs(w, keep, nil)
}

// readAs is readTo for tensors of which some are quantised.
func (s shard) readAs(w io.Writer, keep func(Entry) bool, format func(Entry) string) (map[string]Array, error) {
	parts := parts{file: s.file, to: w, finite: true, format: format}
	out, err := s.read(&parts, keep)
	if err == nil {
		err = parts.skipTo(s.size)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.name, err)
	}
	return out, nil
}

// parts reads parts of a file that follow one another. It copies them to a writer, and what lies between them.
type parts struct {
	file io.ReaderAt
	to   io.Writer // nil: nothing is copied
	at   int64
	// finite makes NaN and infinity an error: one of them in a model or an adapter makes every loss NaN.
	finite bool
	// format names the blocks that a tensor's values stay in or get, AsStored for those of the file; nil: all become float32.
	format func(Entry) string
}

// part returns a reader of the bytes from begin to end, all of which must be read.
func (p *parts) part(begin, end int64) (io.Reader, error) {
	section := io.NewSectionReader(p.file, begin, end-begin)
	if p.to == nil {
		return section, nil
	}
	err := p.skipTo(begin)
	p.at = end
	return io.TeeReader(section, p.to), err
}

// skipTo copies what lies before end.
func (p *parts) skipTo(end int64) error {
	if p.to == nil {
		return nil
	}
	_, err := io.Copy(p.to, io.NewSectionReader(p.file, p.at, end-p.at))
	p.at = end
	return err
}

// Decode reads every tensor of a safetensors file that lies in memory or in a part of another file.
func Decode(r io.ReaderAt, size int64) (map[string]Array, map[string]string, error) {
	h, err := parseHeader(r, size)
	if err != nil {
		return nil, nil, err
	}
	out, err := h.read(&parts{file: r}, func(Entry) bool { return true })
	return out, h.Metadata, err
}

// Metadata reads the metadata of a file that Decode reads, whose size is what its header says.
func Metadata(r io.ReaderAt, size int64) (map[string]string, error) {
	h, err := parseHeader(r, size)
	return h.Metadata, err
}

func (h Header) read(file *parts, keep func(Entry) bool) (map[string]Array, error) {
	out := make(map[string]Array, len(h.Tensors))
	buffer := make([]byte, 1<<16)
	for _, e := range h.Tensors {
		if !keep(e) {
			continue
		}
		if e.format.decode == nil {
			return nil, fmt.Errorf("%w: tensor %q has number format %s, which cannot be read", ErrFormat, e.Name, e.DType)
		}
		a, err := e.read(file, h.start, buffer)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", e.Name, err)
		}
		out[e.Name] = a
	}
	return out, nil
}

// read reads a tensor of a file whose data begin at start.
func (e Entry) read(file *parts, start int64, buffer []byte) (Array, error) {
	body, err := file.part(start+e.begin, start+e.end)
	if err != nil {
		return Array{}, err
	}
	format := ""
	if file.format != nil {
		format = file.format(e)
	}
	if format == AsStored {
		return e.readBlocks(body)
	}
	data := make([]float32, e.elements())
	if err := fill(data, body, buffer, e.format, file.finite); err != nil {
		return Array{}, err
	}
	if e.undo != nil {
		e.undo(data)
	}
	a := Array{Shape: e.Shape, Data: data}
	if format == "" {
		return a, nil
	}
	return Quantise(a, format)
}

// fill decodes r into data, one buffer at a time, so that a tensor is never in memory twice.
func fill(data []float32, r io.Reader, buffer []byte, f format, finite bool) error {
	for len(data) > 0 {
		n := min(len(data)/f.values, len(buffer)/f.bytes)
		if _, err := io.ReadFull(r, buffer[:n*f.bytes]); err != nil {
			return err
		}
		for i := range n {
			f.decode(data[i*f.values:], buffer[i*f.bytes:])
		}
		if finite {
			if err := checkFinite(data[:n*f.values]); err != nil {
				return err
			}
		}
		data = data[n*f.values:]
	}
	return nil
}

// checkFinite reports the first NaN or infinity.
func checkFinite(data []float32) error {
	const exponent = 0xff << 23
	for _, v := range data {
		if math.Float32bits(v)&exponent == exponent {
			return fmt.Errorf("%w: it holds %v: the file is damaged, or its training had diverged; fetch it again, or use another", ErrFormat, v)
		}
	}
	return nil
}
