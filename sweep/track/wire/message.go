package wire

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Message is a protocol buffer that grows field by field.
type Message []byte

// Bytes adds bytes, or a message.
func (m Message) Bytes(field protowire.Number, b []byte) Message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

// Text adds a string.
func (m Message) Text(field protowire.Number, s string) Message { return m.Bytes(field, []byte(s)) }

// Integer adds an integer, a bool or a value of an enum.
func (m Message) Integer(field protowire.Number, v uint64) Message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), v)
}

// Double adds a double.
func (m Message) Double(field protowire.Number, v float64) Message {
	return protowire.AppendFixed64(protowire.AppendTag(m, field, protowire.Fixed64Type), math.Float64bits(v))
}

// Float adds a float.
func (m Message) Float(field protowire.Number, v float32) Message {
	return protowire.AppendFixed32(protowire.AppendTag(m, field, protowire.Fixed32Type), math.Float32bits(v))
}
