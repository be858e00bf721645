package grid

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// codec reads one kind of value, writes it back, and describes it to JSON Schema.
type codec[T any] struct {
	want   string                   // what to write, for messages and the schema's description
	schema schemaObject             // what read accepts
	read   func(ast.Node) (T, bool) // false when the node is no such value
	format func(T) string           // injective: Hash and Diff compare it
}

// value reads a node or reports what is wrong with it.
func (c codec[T]) value(r *reader, path string, n ast.Node) (T, bool) {
	v, ok := c.read(n)
	if !ok {
		r.fail(n, "%s: got %s, want %s", path, describe(n), c.want)
	}
	return v, ok
}

// The spelling of numbers: decimal only. 0x10, 1_000 and 010 mean different things to different YAML readers.
var (
	wholePattern    = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	decimalPattern  = regexp.MustCompile(`^[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
	durationPattern = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?m)?([0-9]+(\.[0-9]+)?s)?$`)
	percentPattern  = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?%$`)
	alphaPattern    = regexp.MustCompile(`^([0-9]*\.?[0-9]*)r$`)
	namePattern     = regexp.MustCompile(`^\.*[A-Za-z0-9_][A-Za-z0-9._-]*$`)
)

// maxName bounds a sweep's name in bytes: trackers call a folder by it, with -scout and a sweep's number of nine more, and file systems
// allow 255.
const maxName = 240

// nameCodec reads a sweep's name.
func nameCodec() codec[string] {
	c := matchingCodec(namePattern, fmt.Sprintf("a name of at most %d letters, digits, '.', '_' and '-', the first not '-'", maxName))
	c.schema["maxLength"] = maxName
	read := c.read
	c.read = func(n ast.Node) (string, bool) {
		s, ok := read(n)
		return s, ok && len(s) <= maxName
	}
	return c
}

// maxWhole bounds every count; it keeps products in an int and is beyond any use.
const maxWhole = 1_000_000_000

// wholeCodec reads integers in [low, high].
func wholeCodec(low, high int64) codec[int64] {
	want := fmt.Sprintf("a whole number of at least %d", low)
	if high != maxWhole {
		want = fmt.Sprintf("a whole number from %d to %d", low, high)
	}
	return codec[int64]{
		want:   want,
		schema: schemaObject{"type": "integer", "minimum": low, "maximum": high},
		read: func(n ast.Node) (int64, bool) {
			text, ok := plain(n)
			if !ok || !wholePattern.MatchString(text) {
				return 0, false
			}
			v, err := strconv.ParseInt(text, 10, 64)
			return v, err == nil && v >= low && v <= high
		},
		format: func(v int64) string { return strconv.FormatInt(v, 10) },
	}
}

// countCodec reads integers of at least low.
func countCodec(low int) codec[int] {
	c := wholeCodec(int64(low), maxWhole)
	return codec[int]{
		want: c.want, schema: c.schema, format: strconv.Itoa,
		read: func(n ast.Node) (int, bool) {
			v, ok := c.read(n)
			return int(v), ok
		},
	}
}

// numberCodec reads a decimal number, of at least low or, with open, above it, and below high.
func numberCodec(low float64, open bool, high float64) codec[float64] {
	want, schema := "a number of at least ", schemaObject{"type": "number", "minimum": low}
	if open {
		want, schema = "a number above ", schemaObject{"type": "number", "exclusiveMinimum": low}
	}
	want += lora.FormatNumber(low)
	if !math.IsInf(high, 1) {
		want += " and below " + lora.FormatNumber(high)
		schema["exclusiveMaximum"] = high
	}
	return codec[float64]{
		want: want, schema: schema, format: lora.FormatNumber,
		read: func(n ast.Node) (float64, bool) {
			v, ok := readNumber(n)
			return v, ok && (v > low || !open && v == low) && v < high
		},
	}
}

// shareCodec reads a number above 0 and at most 1.
func shareCodec() codec[float64] {
	c := numberCodec(0, true, math.Inf(1))
	c.want, c.schema["maximum"] = "a number above 0 and at most 1", 1
	read := c.read
	c.read = func(n ast.Node) (float64, bool) {
		v, ok := read(n)
		return v, ok && v <= 1
	}
	return c
}

// readNumber reads a finite number from an unquoted scalar: 2e-4 is one, whatever the YAML version says.
func readNumber(n ast.Node) (float64, bool) {
	text, ok := plain(n)
	if !ok || !decimalPattern.MatchString(text) {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	if v == 0 {
		v = 0 // not -0, which would be another value to the hash
	}
	return v, err == nil
}

func boolCodec() codec[bool] {
	return codec[bool]{
		want:   "true or false",
		schema: schemaObject{"type": "boolean"},
		read: func(n ast.Node) (bool, bool) {
			b, ok := n.(*ast.BoolNode)
			return ok && b.Value, ok
		},
		format: strconv.FormatBool,
	}
}

// negated reads a boolean into a field of the opposite sense, whose zero value is the default.
func negated(c codec[bool]) codec[bool] {
	read, format := c.read, c.format
	c.read = func(n ast.Node) (bool, bool) {
		v, ok := read(n)
		return !v, ok
	}
	c.format = func(v bool) string { return format(!v) }
	return c
}

// textCodec reads a name or path, quoted or not.
func textCodec(want string) codec[string] {
	return codec[string]{
		want:   want,
		schema: schemaObject{"type": "string", "minLength": 1},
		read: func(n ast.Node) (string, bool) {
			s, ok := n.(*ast.StringNode)
			if !ok || strings.TrimSpace(s.Value) == "" {
				return "", false
			}
			return s.Value, true
		},
		format: lora.QuoteText,
	}
}

// matchingCodec reads text of a pattern.
func matchingCodec(pattern *regexp.Regexp, want string) codec[string] {
	c := textCodec(want)
	c.schema = schemaObject{"type": "string", "pattern": pattern.String()}
	read := c.read
	c.read = func(n ast.Node) (string, bool) {
		s, ok := read(n)
		return s, ok && pattern.MatchString(s)
	}
	return c
}

// choiceCodec reads one of a few words.
func choiceCodec(words ...string) codec[string] {
	c := textCodec(strings.Join(words, " or "))
	if len(words) > 2 {
		c.want = "one of " + strings.Join(words, ", ")
	}
	c.schema = schemaObject{"enum": words}
	read := c.read
	c.read = func(n ast.Node) (string, bool) {
		s, ok := read(n)
		return s, ok && slices.Contains(words, s)
	}
	return c
}

// durationCodec reads a duration with its unit.
func durationCodec() codec[time.Duration] {
	return codec[time.Duration]{
		want:   "a duration such as 2h, 20m, 90s or 1h30m",
		schema: schemaObject{"type": "string", "pattern": durationPattern.String(), "minLength": 2},
		read: func(n ast.Node) (time.Duration, bool) {
			s, ok := n.(*ast.StringNode)
			if !ok || !durationPattern.MatchString(s.Value) {
				return 0, false
			}
			d, err := time.ParseDuration(s.Value)
			return d, err == nil && d > 0
		},
		format: time.Duration.String,
	}
}

// sizeCodec reads a number of bytes with its unit.
func sizeCodec() codec[int64] {
	return codec[int64]{
		want:   trial.WantBytes,
		schema: schemaObject{"type": "string", "pattern": trial.BytesPattern},
		read: func(n ast.Node) (int64, bool) {
			s, ok := n.(*ast.StringNode)
			if !ok {
				return 0, false
			}
			b, err := trial.ParseBytes(s.Value)
			return int64(b), err == nil
		},
		format: func(n int64) string { return trial.Bytes(n).String() },
	}
}

func mapSlice[T, U any](values []T, f func(T) U) []U {
	mapped := make([]U, len(values))
	for i, v := range values {
		mapped[i] = f(v)
	}
	return mapped
}
