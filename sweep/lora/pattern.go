package lora

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Pattern gives a value to the modules whose names end in something.
type Pattern struct {
	Key   string // a regular expression for a whole name or its end after a dot
	Value float64
}

// Patterns is a rank_pattern or an alpha_pattern: the first key that matches a module decides, so their order matters. In JSON
// it is an object in that order.
type Patterns []Pattern

// Bounds on what a file may ask for, far above what people write: PEFT's own data-driven ranks list every module by name.
const (
	maxPattern  = 1 << 12 // bytes of a regular expression; a module's name has some 40
	maxPatterns = 1 << 12
	maxRank     = 1_000_000_000
)

// Value returns the first value whose key matches, by PEFT's get_pattern_key (peft/utils/other.py, 0.21).
func (p Patterns) Value(module string) (float64, bool) {
	for _, entry := range p {
		if entry.Matches(module) {
			return entry.Value, true
		}
	}
	return 0, false
}

// Matches reports whether the key matches the module's name or its end after a dot. A bad expression, which Validate reports,
// matches nothing.
func (p Pattern) Matches(module string) bool {
	if plainKey.MatchString(p.Key) {
		return matchesEnd(module, p.Key)
	}
	re, err := regexp.Compile(`\A(?:.*\.)?(?:` + p.Key + `)\z`)
	return err == nil && re.MatchString(module)
}

// plainKey is an expression whose only special sign is the dot: nearly every key there is, and worth not compiling.
var plainKey = regexp.MustCompile(`\A[A-Za-z0-9_.-]*\z`)

// matchesEnd matches a plain key, in which a dot stands for any character.
func matchesEnd(module, key string) bool {
	at := len(module) - len(key)
	if at < 0 || at > 0 && module[at-1] != '.' {
		return false
	}
	for i := range len(key) {
		if key[i] != '.' && key[i] != module[at+i] {
			return false
		}
	}
	return true
}

func (p Patterns) check(what string, most float64) error {
	if len(p) > maxPatterns {
		return keyErrorf(what, "%s has %d patterns; write at most %d", what, len(p), maxPatterns)
	}
	var errs []error
	for _, entry := range p {
		errs = append(errs, CheckPattern(what, entry.Key))
		if !(entry.Value > 0 && entry.Value <= most) {
			errs = append(errs, fmt.Errorf("%s: %s: %g is no possible value", what, Shorten(entry.Key), entry.Value))
		}
	}
	return errors.Join(errs...)
}

// CheckPattern reports a text that is no regular expression, or too long for one; what names its key.
func CheckPattern(what, pattern string) error {
	if len(pattern) > maxPattern {
		return fmt.Errorf("%s: a pattern of %d bytes; write at most %d", what, len(pattern), maxPattern)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("%s: %s is not a regular expression in Go's RE2 syntax: %w", what, Shorten(pattern), err)
	}
	return nil
}

// MarshalJSON writes an object in the patterns' order.
func (p Patterns) MarshalJSON() ([]byte, error) {
	parts := make([]string, len(p))
	for i, entry := range p {
		key, err := json.Marshal(entry.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(entry.Value)
		if err != nil {
			return nil, err
		}
		parts[i] = string(key) + ":" + string(value)
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

// UnmarshalJSON keeps the object's order. Of a key that is repeated the first place and the last value count, as in Python.
func (p *Patterns) UnmarshalJSON(text []byte) error {
	*p = nil
	values := map[string]float64{}
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	for d := json.NewDecoder(bytes.NewReader(text)); len(values) > 0; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		if key, ok := token.(string); ok { // values are numbers
			if v, first := values[key]; first {
				*p = append(*p, Pattern{key, v})
				delete(values, key)
			}
		}
	}
	return nil
}

// String writes the patterns as a grid file would; "" for none.
func (p Patterns) String() string {
	if len(p) == 0 {
		return ""
	}
	parts := make([]string, len(p))
	for i, e := range p {
		key := QuoteText(e.Key)
		if strings.Contains(key, ":") && !strings.HasPrefix(key, `"`) {
			key = fmt.Sprintf("%q", e.Key)
		}
		parts[i] = key + ": " + FormatNumber(e.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
