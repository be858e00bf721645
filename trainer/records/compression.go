package records

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"io"

	"github.com/klauspost/compress/zstd"
)

// compression is how a whole file is packed, named by its usual ending; "" where it is not.
type compression string

// packer is one way to pack a file.
type packer struct {
	name  compression
	magic []byte // RFC 1952, RFC 8878, and bzip2's format: what the files begin with
	open  func(r io.Reader) (io.ReadCloser, error)
}

// zstdWindow bounds what zstd keeps of what it has unpacked: 128 MiB is what zstd -d allows itself.
const zstdWindow = 128 << 20

func compressions() []packer {
	return []packer{
		{".gz", []byte{0x1f, 0x8b}, func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }},
		{".zst", []byte{0x28, 0xb5, 0x2f, 0xfd}, func(r io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		}},
		{".bz2", []byte("BZh"), func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }},
	}
}

// compressionOf tells by a file's first bytes.
func compressionOf(raw []byte) compression {
	for _, c := range compressions() {
		if bytes.HasPrefix(raw, c.magic) && (c.name != ".bz2" || isBzip2(raw)) {
			return c.name
		}
	}
	return ""
}

// isBzip2 looks beyond BZh, with which a text may begin too: the size of the blocks, and the magic number of a block or of the end.
func isBzip2(raw []byte) bool {
	block, end := []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}, []byte{0x17, 0x72, 0x45, 0x38, 0x50, 0x90}
	return len(raw) >= 10 && '1' <= raw[3] && raw[3] <= '9' && (bytes.HasPrefix(raw[4:], block) || bytes.HasPrefix(raw[4:], end))
}

// unpack returns a reader of what r holds.
func (c compression) unpack(r io.Reader) (io.ReadCloser, error) {
	for _, p := range compressions() {
		if p.name == c {
			return p.open(r)
		}
	}
	return io.NopCloser(r), nil
}
