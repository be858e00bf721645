package report

import (
	"bytes"
	"encoding/json"

	"github.com/ranksweep/ranksweep/sweep"
)

// Cell is a sweep.Cell whose JSON is one object with the settings in their order. Numbers and booleans are written as such.
type Cell sweep.Cell

// MarshalJSON writes {"name": value, ...}.
func (c Cell) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, s := range c {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(s.Name)
		if err != nil {
			return nil, err
		}
		value, err := cellValue(s.Value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func cellValue(s string) ([]byte, error) {
	var number json.Number
	if s == "true" || s == "false" || json.Unmarshal([]byte(s), &number) == nil && number.String() == s {
		return []byte(s), nil
	}
	return json.Marshal(s)
}

// Axes returns the settings that differ between the ladders as "alpha=16 dropout=0.1", or "" where nothing does.
func (c Cell) Axes() string { return sweep.Cell(c).Axes().String() }

func (c Cell) value(name string) string {
	for _, s := range c {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}
