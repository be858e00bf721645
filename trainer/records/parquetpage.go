package records

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// Limits on a parquet file's pages. Writers make pages of about 1 MiB, and at least one value; a page is unpacked as a whole.
const (
	maxPage       = 256 << 20
	maxPageValues = 16 << 20
	maxPageHeader = 1 << 20 // its statistics may hold the smallest and the largest text
)

// column reads one leaf of a row group, an entry at a time: a value, or the level at which one is missing. A page is unpacked when it
// is reached, and decoded as its entries are asked for, so that what a page claims takes no memory.
type column struct {
	*node
	file    io.ReaderAt
	at, end int64 // what is left of the chunk
	codec   format.CompressionCodec
	dict    *dictionary
	left    int  // entries of the page
	repeats runs // of the page: the repetition level of each entry
	defined runs
	values  values
	peeked  bool
	entry   levels // once peeked
}

func newColumn(leaf *node, f io.ReaderAt, size int64, m chunkMeta) (*column, error) {
	start := m.DataOffset
	if m.DictOffset > 0 && m.DictOffset < start {
		start = m.DictOffset
	}
	if start < 0 || m.CompressedSize < 0 || start > size || m.CompressedSize > size-start {
		return nil, fmt.Errorf("%w: a column of %d bytes at byte %d of %d", errThrift, m.CompressedSize, start, size)
	}
	return &column{node: leaf, file: f, at: start, end: start + m.CompressedSize, codec: m.Codec}, nil
}

// peek returns the levels of the next entry, which take consumes. It fails with io.EOF at the end.
func (c *column) peek() (entry levels, err error) {
	if c.peeked {
		return c.entry, nil
	}
	for c.left == 0 {
		if err := c.page(); err != nil {
			return levels{}, err
		}
	}
	c.left--
	for _, level := range []struct {
		from *runs
		most int
		into *int
	}{{&c.repeats, c.repetition, &c.entry.repetition}, {&c.defined, c.definition, &c.entry.definition}} {
		if level.most == 0 {
			continue
		}
		v, err := level.from.next()
		if err != nil || int(v) > level.most {
			return levels{}, errThrift
		}
		*level.into = int(v)
	}
	c.peeked = true
	return c.entry, nil
}

// take returns the next entry, whose repetition level must be the given one.
func (c *column) take(repetition int) (v value, present bool, err error) {
	entry, err := c.peek()
	if errors.Is(err, io.EOF) {
		return value{}, false, fmt.Errorf("%w: fewer rows than it says", errThrift)
	}
	if err != nil {
		return value{}, false, err
	}
	if entry.repetition != repetition {
		return value{}, false, errThrift
	}
	c.peeked = false
	if entry.definition < c.definition {
		return value{}, false, nil
	}
	v, err = c.values.next()
	return v, true, err
}

// page reads the next page.
func (c *column) page() error {
	if c.at == c.end {
		return io.EOF
	}
	h, err := c.header()
	if err != nil {
		return err
	}
	if err := checkSizes(h); err != nil {
		return err
	}
	if int64(h.CompressedPageSize) > c.end-c.at {
		return fmt.Errorf("%w: a page is cut off", errThrift)
	}
	page := make([]byte, h.CompressedPageSize)
	if _, err := c.file.ReadAt(page, c.at); err != nil {
		return err
	}
	c.at += int64(len(page))
	claimed := int(h.UncompressedPageSize)
	switch h.Type {
	case format.DictionaryPage:
		body, err := unpack(page, c.codec, claimed)
		if err != nil {
			return err
		}
		c.dict, err = newDictionary(c.node, body, int(h.DictionaryPageHeader.V.NumValues))
		return err
	case format.DataPage:
		body, err := unpack(page, c.codec, claimed)
		if err != nil {
			return err
		}
		return c.begin(h.DataPageHeader.V, body)
	case format.DataPageV2:
		return c.beginV2(h.DataPageHeaderV2.V, page, claimed)
	default:
		return fmt.Errorf("%w: a page of type %v", errThrift, h.Type)
	}
}

// header reads the next page's header. Most are short.
func (c *column) header() (h format.PageHeader, err error) {
	for room := 4 << 10; ; room *= 16 {
		head := make([]byte, min(int64(room), c.end-c.at))
		if _, err := c.file.ReadAt(head, c.at); err != nil {
			return h, err
		}
		n, err := thriftSize(head)
		if err == nil {
			c.at += int64(n)
			return h, decodeThrift(head[:n], &h)
		}
		if len(head) < room || room >= maxPageHeader {
			return h, err
		}
	}
}

func checkSizes(h format.PageHeader) error {
	packed, unpacked := h.CompressedPageSize, h.UncompressedPageSize
	values := []int32{h.DataPageHeader.V.NumValues, h.DictionaryPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues}
	switch {
	case packed < 0 || unpacked < 0 || slices.Min(values) < 0:
		return errThrift
	case max(packed, unpacked) > maxPage:
		return fmt.Errorf("a page of %d MiB, more than %d MiB: write it with smaller pages", max(packed, unpacked)>>20, maxPage>>20)
	case slices.Max(values) > maxPageValues:
		return fmt.Errorf("a page of %d values, more than %d: write it with smaller pages", slices.Max(values), maxPageValues)
	}
	return nil
}

// begin starts a page of the first version, which begins with its levels.
func (c *column) begin(h format.DataPageHeader, body []byte) (err error) {
	for _, level := range []struct {
		most     int
		encoding format.Encoding
		into     *runs
	}{{c.repetition, h.RepetitionLevelEncoding, &c.repeats}, {c.definition, h.DefinitionLevelEncoding, &c.defined}} {
		if level.most == 0 {
			continue
		}
		if level.encoding != format.RLE {
			return fmt.Errorf("levels with encoding %v are not supported: write it with a newer program", level.encoding)
		}
		if *level.into, body, err = sizedRuns(body, bits.Len(uint(level.most))); err != nil {
			return err
		}
	}
	c.left = int(h.NumValues)
	c.values, err = newValues(c.node, h.Encoding, c.dict, body)
	return err
}

// beginV2 starts a page of the second version, whose levels are not packed.
func (c *column) beginV2(h format.DataPageHeaderV2, page []byte, claimed int) error {
	r, d := int(h.RepetitionLevelsByteLength), int(h.DefinitionLevelsByteLength)
	if r < 0 || d < 0 || r+d > min(len(page), claimed) {
		return errThrift
	}
	codec := c.codec
	if h.IsCompressed.Valid && !h.IsCompressed.V {
		codec = format.Uncompressed
	}
	body, err := unpack(page[r+d:], codec, claimed-r-d)
	if err != nil {
		return err
	}
	c.repeats = runs{data: page[:r], width: bits.Len(uint(c.repetition))}
	c.defined = runs{data: page[r : r+d], width: bits.Len(uint(c.definition))}
	c.left = int(h.NumValues)
	c.values, err = newValues(c.node, h.Encoding, c.dict, body)
	return err
}

// unpack returns what a page holds, which must be as many bytes as it claims.
func unpack(page []byte, codec format.CompressionCodec, claimed int) ([]byte, error) {
	if len(page) == 0 && claimed == 0 {
		return nil, nil
	}
	body, err := decompress(page, codec, claimed)
	if err != nil {
		return nil, fmt.Errorf("unpack a page: %w", err)
	}
	if len(body) != claimed {
		return nil, fmt.Errorf("a page does not unpack to the %d bytes that it claims", claimed)
	}
	return body, nil
}

// mostGrown is beyond how many times its size a block of snappy or LZ4 can unpack to: 64 bytes for three, 255 for one.
const mostGrown = 256

// decompress stops one byte after what is claimed.
func decompress(page []byte, codec format.CompressionCodec, claimed int) ([]byte, error) {
	stream := func(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, int64(claimed)+1)) }
	switch codec {
	case format.Uncompressed:
		return page, nil
	case format.Snappy:
		if n, err := snappy.DecodedLen(page); err != nil || n != claimed || n/mostGrown > len(page) {
			return nil, err
		}
		return snappy.Decode(nil, page)
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(page))
		if err != nil {
			return nil, err
		}
		return stream(r)
	case format.Zstd:
		r, err := zstd.NewReader(bytes.NewReader(page), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(max(8<<20, claimed))))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return stream(r)
	case format.Brotli:
		return stream(brotli.NewReader(bytes.NewReader(page)))
	case format.Lz4Raw:
		return lz4Block(page, claimed)
	case format.Lz4:
		if body := lz4Hadoop(page, claimed); len(body) == claimed {
			return body, nil
		}
		return lz4Block(page, claimed)
	default:
		return nil, fmt.Errorf("compression %v is not supported: write it with snappy, gzip, zstd, brotli, lz4 or none", codec)
	}
}

// lz4Block unpacks one block.
func lz4Block(block []byte, claimed int) ([]byte, error) {
	if claimed/mostGrown > len(block) {
		return nil, nil
	}
	body := make([]byte, claimed)
	n, err := lz4.UncompressBlock(block, body)
	if err != nil {
		return nil, err
	}
	return body[:n], nil
}

// lz4Hadoop unpacks what Hadoop's codec writes: the unpacked size, then blocks that each follow their packed size, and so on; nil where
// it is not that. The codec LZ4 of parquet never said which of the two it means (Compression.md of Apache Parquet 2.12).
func lz4Hadoop(page []byte, claimed int) []byte {
	if claimed/mostGrown > len(page) {
		return nil
	}
	number := func() (n int) {
		if len(page) < 4 {
			return -1
		}
		n, page = int(binary.BigEndian.Uint32(page)), page[4:]
		return n
	}
	body := make([]byte, claimed)
	at, end := 0, 0
	for len(page) > 0 {
		if at == end {
			end += number()
		}
		packed := number()
		if packed < 0 || packed > len(page) || end <= at || end > claimed {
			return nil
		}
		n, err := lz4.UncompressBlock(page[:packed], body[at:end])
		if err != nil {
			return nil
		}
		at, page = at+n, page[packed:]
	}
	return body[:at]
}
