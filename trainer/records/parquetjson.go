package records

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go/format"
)

// json is a value as JSON.
func (n *node) json(v value) ([]byte, error) {
	if spell := n.spelling(); spell != nil {
		return spell(v)
	}
	switch n.Type.V {
	case format.Boolean:
		return strconv.AppendBool(nil, v.number != 0), nil
	case format.Int32, format.Int64:
		if n.unsigned() {
			return strconv.AppendUint(nil, uint64(n.whole(v)), 10), nil
		}
		return strconv.AppendInt(nil, n.whole(v), 10), nil
	case format.Float:
		return floatJSON(float64(math.Float32frombits(uint32(v.number)))), nil
	case format.Double:
		return floatJSON(math.Float64frombits(uint64(v.number))), nil
	case format.Int96: // nanoseconds of a Julian day, as Spark writes times
		days := int64(binary.LittleEndian.Uint32(v.bytes[8:])) - 2440588
		at := time.Unix(days*86400, int64(binary.LittleEndian.Uint64(v.bytes)))
		return moment(at, "2006-01-02 15:04:05")
	default:
		if len(v.bytes) > maxRecord {
			return nil, errLong
		}
		if err := checkText(v.bytes); err != nil {
			return nil, err
		}
		return json.Marshal(string(v.bytes))
	}
}

// whole is a whole number as its column's type has it.
func (n *node) whole(v value) int64 {
	switch {
	case n.Type.V != format.Int32:
		return v.number
	case n.unsigned():
		return int64(uint32(v.number))
	}
	return int64(int32(v.number))
}

// floatJSON writes a number that stays one with a fraction. Not a number is what pandas writes for null.
func floatJSON(f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null")
	}
	b := strconv.AppendFloat(nil, f, 'g', -1, 64)
	if !strings.ContainsAny(string(b), ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// spelling returns what writes values that JSON has no type for, times and decimals, as Python's str does; nil for other columns.
func (n *node) spelling() func(value) ([]byte, error) {
	switch t := n.LogicalType.Value.(type) {
	case *format.TimestampType:
		layout := "2006-01-02 15:04:05"
		if t.IsAdjustedToUTC {
			layout += "+00:00"
		}
		return n.moments(layout, t.Unit)
	case *format.TimeType:
		return n.moments("15:04:05", t.Unit)
	case *format.DateType:
		return func(v value) ([]byte, error) { return moment(time.Unix(n.whole(v)*86400, 0), "2006-01-02") }
	case *format.DecimalType:
		return n.decimal
	}
	return nil
}

// moments writes times that are counted in a unit.
func (n *node) moments(layout string, unit format.TimeUnit) func(value) ([]byte, error) {
	if unit.Value == nil {
		return nil
	}
	length := int64(unit.Value.Duration())
	perSecond := int64(time.Second) / length
	return func(v value) ([]byte, error) {
		count := n.whole(v)
		return moment(time.Unix(count/perSecond, count%perSecond*length), layout)
	}
}

// moment writes a time with the parts of its second where it has any.
func moment(at time.Time, layout string) ([]byte, error) {
	if at.Nanosecond() != 0 {
		layout = strings.Replace(layout, "05", "05.000000", 1)
	}
	return json.Marshal(at.UTC().Format(layout))
}

// decimal writes a whole number with a point in it.
func (n *node) decimal(v value) ([]byte, error) {
	whole := big.NewInt(n.whole(v))
	if n.Type.V == format.FixedLenByteArray || n.Type.V == format.ByteArray { // two's complement, the highest byte first
		if len(v.bytes) > 32 {
			return nil, errors.New("a decimal number of more than 32 bytes")
		}
		if whole.SetBytes(v.bytes); len(v.bytes) > 0 && v.bytes[0] >= 0x80 {
			whole.Sub(whole, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v.bytes))))
		}
	}
	if n.Scale < 0 || n.Scale > 100 {
		return nil, errThrift
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.Scale)), nil)
	return json.Marshal(new(big.Rat).SetFrac(whole, power).FloatString(int(n.Scale)))
}
