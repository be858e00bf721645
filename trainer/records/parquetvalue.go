package records

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// value is one value of a column: a whole number, the bits of a floating-point number, or bytes that are good until the next one.
type value struct {
	number int64
	bytes  []byte
}

// values decodes what a page holds beside its levels, in order (Encodings.md of Apache Parquet 2.12).
type values interface {
	next() (value, error)
}

func newValues(n *node, encoding format.Encoding, dict *dictionary, body []byte) (values, error) {
	if !canHold(encoding, n.Type.V) {
		return nil, fmt.Errorf("%w: %v in encoding %v", errThrift, n.Type.V, encoding)
	}
	switch encoding {
	case format.Plain:
		return &plainValues{node: n, data: body}, nil
	case format.PlainDictionary, format.RLEDictionary: //nolint:staticcheck // deprecated, and still written by many
		if dict == nil {
			return nil, fmt.Errorf("%w: a page without its dictionary", errThrift)
		}
		if len(body) == 0 {
			return dictValues{dict, new(runs)}, nil
		}
		return dictValues{dict, &runs{data: body[1:], width: int(body[0])}}, nil
	case format.RLE:
		r, _, err := sizedRuns(body, 1)
		return &runValues{r}, err
	case format.DeltaBinaryPacked:
		return newDeltas(body)
	case format.DeltaLengthByteArray:
		return newDeltaTexts(body)
	case format.DeltaByteArray:
		prefixes, err := newDeltas(body)
		if err != nil {
			return nil, err
		}
		rest, err := prefixes.rest()
		if err != nil {
			return nil, err
		}
		suffixes, err := newDeltaTexts(rest)
		return &prefixedTexts{prefixes: prefixes, suffixes: suffixes}, err
	case format.ByteStreamSplit:
		return &splitValues{node: n, data: body}, nil
	default:
		return nil, fmt.Errorf("encoding %v is not supported: write it with plain or dictionary encoding", encoding)
	}
}

// canHold reports whether an encoding is one for values of a type.
func canHold(encoding format.Encoding, kind format.Type) bool {
	switch encoding {
	case format.RLE:
		return kind == format.Boolean
	case format.DeltaBinaryPacked:
		return kind == format.Int32 || kind == format.Int64
	case format.DeltaLengthByteArray:
		return kind == format.ByteArray
	case format.DeltaByteArray:
		return kind == format.ByteArray || kind == format.FixedLenByteArray
	default:
		return true
	}
}

// runs decodes parquet's mix of run lengths and packed bits.
type runs struct {
	data   []byte
	width  int // bits of a value
	left   uint64
	packed bool
	value  uint32
	bits   bitReader
}

// sizedRuns reads runs that follow their size in bytes, and returns what comes after them.
func sizedRuns(body []byte, width int) (r runs, rest []byte, err error) {
	if len(body) < 4 {
		return runs{}, nil, errThrift
	}
	n := uint64(binary.LittleEndian.Uint32(body))
	if body = body[4:]; n > uint64(len(body)) {
		return runs{}, nil, errThrift
	}
	return runs{data: body[:n], width: width}, body[n:], nil
}

func (r *runs) next() (uint32, error) {
	for r.left == 0 {
		if err := r.run(); err != nil {
			return 0, err
		}
	}
	r.left--
	if r.packed {
		v, err := r.bits.next(r.width)
		return uint32(v), err
	}
	return r.value, nil
}

// run begins the next run.
func (r *runs) run() error {
	head, n := binary.Uvarint(r.data)
	if n <= 0 || r.width > 32 {
		return errThrift
	}
	r.data = r.data[n:]
	r.left, r.packed = head>>1, head&1 == 1
	size := uint64(r.width+7) / 8
	if r.packed { // in groups of eight
		size = min(r.left*uint64(r.width), uint64(len(r.data))) // the last group may be cut short
		r.left *= 8
	}
	if size > uint64(len(r.data)) {
		return errThrift
	}
	var part []byte
	part, r.data = r.data[:size], r.data[size:]
	if r.bits = (bitReader{data: part}); !r.packed {
		v, err := r.bits.next(r.width)
		r.value = uint32(v)
		return err
	}
	return nil
}

// bitReader reads whole numbers of some bits each, the lowest bit first.
type bitReader struct {
	data []byte
	at   int // in bits
}

func (b *bitReader) next(width int) (v uint64, err error) {
	if b.at+width > 8*len(b.data) {
		return 0, errThrift
	}
	for got := 0; got < width; {
		low := b.at & 7
		v |= uint64(b.data[b.at>>3]>>low) << got
		n := min(8-low, width-got)
		got, b.at = got+n, b.at+n
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v, nil
}

// runValues are booleans in runs.
type runValues struct{ runs }

func (r *runValues) next() (value, error) {
	v, err := r.runs.next()
	return value{number: int64(v)}, err
}

// plainValues are values one after another.
type plainValues struct {
	*node
	data []byte
	bits bitReader // of booleans
}

func (p *plainValues) next() (v value, err error) {
	size, number := uint64(p.Size), func([]byte) int64 { return 0 }
	switch p.Type.V {
	case format.Boolean:
		p.bits.data = p.data
		n, err := p.bits.next(1)
		return value{number: int64(n)}, err
	case format.Int32, format.Float:
		size, number = 4, func(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) }
	case format.Int64, format.Double:
		size, number = 8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
	case format.Int96:
		size = 12
	case format.ByteArray:
		if len(p.data) < 4 {
			return v, errThrift
		}
		size, p.data = uint64(binary.LittleEndian.Uint32(p.data)), p.data[4:]
	default: // of p.Size
	}
	if size > uint64(len(p.data)) {
		return v, errThrift
	}
	v.bytes, p.data = p.data[:size], p.data[size:]
	v.number = number(v.bytes)
	return v, nil
}

// dictionary is the values that a column's pages refer to by number.
type dictionary struct {
	*node
	data   []byte
	starts []uint32 // of each value in data
}

func newDictionary(n *node, body []byte, count int) (*dictionary, error) {
	if n.Type.V == format.Boolean || n.Type.V == format.FixedLenByteArray && n.Size < 1 {
		return nil, errThrift
	}
	d := &dictionary{node: n, data: body}
	all := plainValues{node: n, data: body}
	for range count {
		d.starts = append(d.starts, uint32(len(body)-len(all.data)))
		if _, err := all.next(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

type dictValues struct {
	*dictionary
	numbers *runs
}

func (d dictValues) next() (value, error) {
	i, err := d.numbers.next()
	if err != nil || uint64(i) >= uint64(len(d.starts)) {
		return value{}, errThrift
	}
	one := plainValues{node: d.node, data: d.data[d.starts[i]:]}
	return one.next()
}

// deltas are whole numbers of which each is stored as its difference to the one before.
type deltas struct {
	data   []byte
	part   int // values that are packed alike
	parts  int // of a block
	left   int
	begun  bool
	last   int64
	least  int64  // difference of the block
	widths []byte // of the parts to come
	inPart int    // values left in this one
	width  int
	bits   bitReader
}

func newDeltas(data []byte) (*deltas, error) {
	var head [4]uint64 // values of a block, its parts, values altogether, first value
	for i := range head {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			return nil, errThrift
		}
		head[i], data = v, data[n:]
	}
	block, parts, count := head[0], head[1], head[2]
	if count > maxPageValues || block > maxPageValues || parts == 0 || parts > block || block/parts%8 != 0 {
		return nil, errThrift
	}
	return &deltas{data: data, part: int(block / parts), parts: int(parts), left: int(count), last: unzigzag(head[3])}, nil
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func (d *deltas) next() (value, error) {
	if d.left == 0 {
		return value{}, errThrift
	}
	d.left--
	if !d.begun {
		d.begun = true
		return value{number: d.last}, nil
	}
	if d.inPart == 0 {
		if err := d.nextPart(); err != nil {
			return value{}, err
		}
	}
	d.inPart--
	delta, err := d.bits.next(d.width)
	d.last += d.least + int64(delta)
	return value{number: d.last}, err
}

func (d *deltas) nextPart() error {
	if len(d.widths) == 0 {
		v, n := binary.Uvarint(d.data)
		if n <= 0 || d.parts > len(d.data)-n {
			return errThrift
		}
		d.least = unzigzag(v)
		d.widths, d.data = d.data[n:n+d.parts], d.data[n+d.parts:]
	}
	d.width, d.widths, d.inPart = int(d.widths[0]), d.widths[1:], d.part
	if d.width > 64 {
		return errThrift
	}
	size := min(d.part/8*d.width, len(d.data))
	d.bits, d.data = bitReader{data: d.data[:size]}, d.data[size:]
	return nil
}

// rest returns what follows the numbers.
func (d *deltas) rest() ([]byte, error) {
	end := *d
	for end.left > 0 {
		if _, err := end.next(); err != nil {
			return nil, err
		}
	}
	return end.data, nil
}

// deltaTexts are texts one after another, after their lengths.
type deltaTexts struct {
	lengths *deltas
	data    []byte
}

func newDeltaTexts(body []byte) (*deltaTexts, error) {
	lengths, err := newDeltas(body)
	if err != nil {
		return nil, err
	}
	data, err := lengths.rest()
	return &deltaTexts{lengths, data}, err
}

func (d *deltaTexts) next() (v value, err error) {
	n, err := d.lengths.next()
	if err != nil || n.number < 0 || n.number > int64(len(d.data)) {
		return v, errThrift
	}
	v.bytes, d.data = d.data[:n.number], d.data[n.number:]
	return v, nil
}

// prefixedTexts are texts that each begin as the one before does.
type prefixedTexts struct {
	prefixes *deltas
	suffixes *deltaTexts
	text     []byte
}

func (p *prefixedTexts) next() (value, error) {
	n, err := p.prefixes.next()
	suffix, err2 := p.suffixes.next()
	if errors.Join(err, err2) != nil || n.number < 0 || n.number > int64(len(p.text)) {
		return value{}, errThrift
	}
	if p.text = append(p.text[:n.number], suffix.bytes...); len(p.text) > maxRecord {
		return value{}, errLong
	}
	return value{bytes: p.text}, nil
}

// splitValues are the first bytes of all values, then the second, and so on.
type splitValues struct {
	*node
	data []byte
	at   int
}

func (s *splitValues) next() (value, error) {
	size := map[format.Type]int{
		format.Int32: 4, format.Float: 4, format.Int64: 8, format.Double: 8, format.FixedLenByteArray: int(s.Size),
	}[s.Type.V]
	if size < 1 || s.at >= len(s.data)/size {
		return value{}, errThrift
	}
	one := make([]byte, size)
	for i := range one {
		one[i] = s.data[i*(len(s.data)/size)+s.at]
	}
	s.at++
	p := plainValues{node: s.node, data: one}
	return p.next()
}
