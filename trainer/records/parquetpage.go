package records

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits on a parquet file. Writers make pages of about 1 MiB, and at least one value; a page is decoded as a whole.
const (
	maxFooter     = 16 << 20
	maxPage       = 256 << 20
	maxPageValues = 16 << 20
	maxPageHeader = 1 << 20 // its statistics may hold the smallest and the largest text
)

// checkFooter refuses metadata that claims more than it holds, before the library makes room for it.
func checkFooter(f *os.File, size int64) error {
	var tail [8]byte
	if size < 12 {
		return errors.New("not a parquet file: too short")
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	if string(tail[4:]) != "PAR1" {
		return errors.New("not a parquet file, or one that is encrypted or cut off: it does not end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-12 || n > maxFooter {
		return fmt.Errorf("%w: a footer of %d bytes in a file of %d", errThrift, n, size)
	}
	footer := make([]byte, n)
	if _, err := f.ReadAt(footer, size-8-n); err != nil {
		return err
	}
	if _, err := thriftSize(footer); err != nil {
		return err
	}
	return checkSchema(footer)
}

// levels are the largest repetition and definition levels of a column.
type levels struct{ repetition, definition int }

// checkChunk looks at every page of a column chunk: it must unpack to what its header says, to no more values than it says,
// and both must be within the limits.
func checkChunk(f io.ReaderAt, size int64, m *format.ColumnMetaData, l levels) error {
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		start = m.DictionaryPageOffset
	}
	if start < 0 || m.TotalCompressedSize < 0 || start > size || m.TotalCompressedSize > size-start {
		return fmt.Errorf("%w: a column of %d bytes at byte %d of %d", errThrift, m.TotalCompressedSize, start, size)
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, start, m.TotalCompressedSize), maxPageHeader)
	var page bytes.Buffer
	for {
		head, err := r.Peek(maxPageHeader)
		if len(head) == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		n, err := thriftSize(head)
		if err != nil {
			return err
		}
		var header format.PageHeader
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), bytes.Clone(head[:n]), &header); err != nil {
			return err
		}
		if _, err := r.Discard(n); err != nil {
			return err
		}
		if err := checkSizes(header); err != nil {
			return err
		}
		page.Reset()
		if got, err := page.ReadFrom(io.LimitReader(r, int64(header.CompressedPageSize))); err != nil || got < int64(header.CompressedPageSize) {
			return errors.Join(fmt.Errorf("%w: a page is cut off", errThrift), err)
		}
		if err := checkPage(page.Bytes(), header, m.Codec, l); err != nil {
			return err
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

// checkPage unpacks a page and counts the values that its runs claim.
func checkPage(page []byte, h format.PageHeader, codec format.CompressionCodec, l levels) error {
	claimed := int(h.UncompressedPageSize)
	switch h.Type {
	case format.DictionaryPage:
		_, err := unpack(page, codec, claimed)
		return err
	case format.DataPage:
		v := h.DataPageHeader.V
		body, err := unpack(page, codec, claimed)
		for _, level := range []struct {
			most     int
			encoding format.Encoding
		}{{l.repetition, v.RepetitionLevelEncoding}, {l.definition, v.DefinitionLevelEncoding}} {
			if err == nil && level.most > 0 {
				body, err = checkLevels(body, level.most, level.encoding, int(v.NumValues))
			}
		}
		if err != nil {
			return err
		}
		return checkValues(body, v.Encoding, int(v.NumValues))
	case format.DataPageV2:
		v := h.DataPageHeaderV2.V
		r, d := int(v.RepetitionLevelsByteLength), int(v.DefinitionLevelsByteLength)
		if r < 0 || d < 0 || r+d > min(len(page), claimed) {
			return errThrift
		}
		if v.IsCompressed.Valid && !v.IsCompressed.V {
			codec = format.Uncompressed
		}
		body, err := unpack(page[r+d:], codec, claimed-r-d)
		return errors.Join(err,
			checkRuns(page[:r], bits.Len(uint(l.repetition)), int(v.NumValues)),
			checkRuns(page[r:r+d], bits.Len(uint(l.definition)), int(v.NumValues)),
			checkValues(body, v.Encoding, int(v.NumValues)))
	default:
		return fmt.Errorf("%w: a page of type %v", errThrift, h.Type)
	}
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

// decompress stops one byte after what is claimed.
func decompress(page []byte, codec format.CompressionCodec, claimed int) ([]byte, error) {
	switch codec {
	case format.Uncompressed:
		return page, nil
	case format.Snappy:
		if n, err := snappy.DecodedLen(page); err != nil || n != claimed {
			return nil, err
		}
		return snappy.Decode(nil, page)
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(page))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(r, int64(claimed)+1))
	case format.Zstd:
		r, err := zstd.NewReader(bytes.NewReader(page), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(max(8<<20, claimed))))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(io.LimitReader(r, int64(claimed)+1))
	default:
		return nil, fmt.Errorf("compression %v is not supported: write it with snappy, gzip, zstd or none", codec)
	}
}

// checkLevels checks the levels that a page of the first version begins with and returns what follows them.
func checkLevels(body []byte, most int, encoding format.Encoding, values int) ([]byte, error) {
	if encoding != format.RLE {
		return nil, fmt.Errorf("levels with encoding %v are not supported: write it with a newer program", encoding)
	}
	if len(body) < 4 {
		return nil, errThrift
	}
	n := uint64(binary.LittleEndian.Uint32(body))
	if body = body[4:]; n > uint64(len(body)) {
		return nil, errThrift
	}
	return body[n:], checkRuns(body[:n], bits.Len(uint(most)), values)
}

// checkValues looks at the encodings in which a few bytes can claim many values.
func checkValues(body []byte, encoding format.Encoding, values int) error {
	switch encoding {
	case format.Plain:
		return nil
	case format.PlainDictionary, format.RLEDictionary: //nolint:staticcheck // deprecated, and still written by many
		if len(body) == 0 {
			return nil
		}
		return checkRuns(body[1:], int(body[0]), values)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		var head [4]uint64 // block size, parts of a block, values, first value
		for i := range head {
			v, n := binary.Uvarint(body)
			if n <= 0 {
				return errThrift
			}
			head[i], body = v, body[n:]
		}
		if head[2] > uint64(values) {
			return errThrift
		}
		return nil
	default:
		return fmt.Errorf("encoding %v is not supported: write it with plain or dictionary encoding", encoding)
	}
}

// checkRuns counts the values of runs (parquet's mix of run lengths and packed bits). The last run may be filled up.
func checkRuns(data []byte, width, values int) error {
	const filling = 512
	total := uint64(0)
	for len(data) > 0 {
		head, n := binary.Uvarint(data)
		if n <= 0 || width > 32 || head > 16*maxPageValues {
			return errThrift
		}
		count, size := head>>1, uint64(width+7)/8
		if head&1 == 1 {
			count, size = count*8, count*uint64(width)
		}
		if total += count; total > uint64(values)+filling {
			return fmt.Errorf("%w: a page of %d values has more", errThrift, values)
		}
		data = data[n:]
		data = data[min(size, uint64(len(data))):]
	}
	return nil
}
