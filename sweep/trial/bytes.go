package trial

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// FormatBytes writes a size in the binary unit that keeps it readable: 512 B, 8 GiB, 1.5 MiB, 12 GiB. A whole number of units below
// ten has no decimal, so that a size stands as a person wrote it.
func FormatBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 && n > -1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for (value >= 1023.5 || value <= -1023.5) && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if value >= 9.95 || value <= -9.95 || value == float64(int64(value)) {
		return fmt.Sprintf("%.0f %ciB", value, units[unit])
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

// Bytes is a size that a person wrote in a settings file: "8GiB".
type Bytes int64

// BytesPattern is how a size is written, as a regular expression: powers of 1024 for KiB, MiB, GiB, TiB, of 1000 for kB, MB, GB, TB.
const BytesPattern = `^([0-9]+(?:\.[0-9]+)?) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$`

// WantBytes says in an error what a size looks like.
const WantBytes = "a size such as 8GiB, 8GB or 512MiB"

// ParseBytes reads a size of at least one byte.
func ParseBytes(text string) (Bytes, error) {
	m := bytesPattern().FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q: want %s", text, WantBytes)
	}
	value, err := strconv.ParseFloat(m[1], 64)
	base := 1000.0
	if strings.HasSuffix(m[2], "iB") {
		base = 1024
	}
	value = math.Round(value * math.Pow(base, float64(strings.IndexByte("BKMGT", strings.ToUpper(m[2])[0]))))
	if err != nil || value < 1 || value >= 1<<62 {
		return 0, fmt.Errorf("%q: want %s", text, WantBytes)
	}
	return Bytes(value), nil
}

//nolint:gochecknoglobals // compiled once, on first use
var bytesPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(BytesPattern) })

// String writes the size in the unit that gives the smallest whole number, so that ParseBytes reads the same.
func (b Bytes) String() string {
	best, name := b, "B"
	for _, unit := range []struct {
		name  string
		bytes Bytes
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if b > 0 && b%unit.bytes == 0 && b/unit.bytes < best {
			best, name = b/unit.bytes, unit.name
		}
	}
	return fmt.Sprintf("%d%s", best, name)
}

// MarshalText writes it as String does.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what ParseBytes reads.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBytes(string(text))
	return err
}
