package records

import (
	"encoding/binary"
	"errors"
)

// errThrift marks metadata that claims more than its bytes can hold.
var errThrift = errors.New("its metadata is damaged")

// Limits on the metadata of a parquet file. The library makes room for what a list or a text claims before it reads it, at
// up to some hundred bytes for an entry of one byte, so what is claimed is checked first.
const (
	thriftDepth = 32
	thriftItems = 1 << 20 // entries of all lists together: thousands of row groups
)

// thriftSize checks a structure in Thrift's compact protocol and returns how many bytes of b it takes: every list and text
// must lie within b, and nothing may be nested deeper or listed more often than the limits say.
func thriftSize(b []byte) (int, error) {
	w := thriftWalk{b: b}
	err := w.structure(0)
	return w.at, err
}

// thriftWalk goes through Thrift's compact protocol (thrift-compact-protocol.md of Apache Thrift 0.22).
type thriftWalk struct {
	b     []byte
	at    int
	items int
}

func (w *thriftWalk) byte() (byte, error) {
	if w.at >= len(w.b) {
		return 0, errThrift
	}
	w.at++
	return w.b[w.at-1], nil
}

func (w *thriftWalk) varint() (uint64, error) {
	v, n := binary.Uvarint(w.b[w.at:])
	if n <= 0 {
		return 0, errThrift
	}
	w.at += n
	return v, nil
}

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.b)-w.at) {
		return errThrift
	}
	w.at += int(n)
	return nil
}

func (w *thriftWalk) structure(depth int) error {
	if depth > thriftDepth {
		return errThrift
	}
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the field's number follows on its own
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind > 2 { // 1 and 2 are true and false, which have no value
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) error {
	switch kind {
	case 1, 2, 3: // a boolean in a list, a byte
		return w.skip(1)
	case 4, 5, 6: // integers
		_, err := w.varint()
		return err
	case 7: // double
		return w.skip(8)
	case 8: // text
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case 9, 10: // list, set
		return w.list(depth)
	case 12:
		return w.structure(depth + 1)
	}
	return errThrift // parquet has no map
}

func (w *thriftWalk) list(depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = w.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(w.b)-w.at) || w.items+int(n) > thriftItems {
		return errThrift
	}
	w.items += int(n)
	if depth >= thriftDepth {
		return errThrift
	}
	for range n {
		if err := w.value(head&15, depth+1); err != nil {
			return err
		}
	}
	return nil
}
