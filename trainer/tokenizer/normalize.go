package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// component is one normalizer, pre-tokenizer, post-processor or decoder of a tokenizer.json: the union of their keys.
type component struct {
	Type string `json:"type"`

	Normalizers   []component `json:"normalizers"` // of a Sequence
	Pretokenizers []component `json:"pretokenizers"`
	Processors    []component `json:"processors"`
	Decoders      []component `json:"decoders"`

	Pattern  *splitPattern `json:"pattern"`
	Content  string        `json:"content"`
	Prepend  string        `json:"prepend"`
	Behavior string        `json:"behavior"`
	Invert   bool          `json:"invert"`

	AddPrefixSpace   *bool  `json:"add_prefix_space"`
	UseRegex         *bool  `json:"use_regex"` // absent means true
	IndividualDigits bool   `json:"individual_digits"`
	Replacement      string `json:"replacement"`
	PrependScheme    string `json:"prepend_scheme"`
	Split            *bool  `json:"split"` // absent means true

	Charsmap []byte `json:"precompiled_charsmap"` // base64

	StripLeft  bool `json:"strip_left"`
	StripRight bool `json:"strip_right"`
	Start      int  `json:"start"`
	Stop       int  `json:"stop"`

	Single        []templatePiece `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
	CLS *namedID `json:"cls"`
	SEP *namedID `json:"sep"`
}

// splitPattern is a text or a regular expression.
type splitPattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// normalizer changes a text before it is split, as Hugging Face's tokenizers do.
type normalizer func(string) string

// maxGrowth is how many times longer normalizers and decoders may make a text. Those in use make one byte three; a hostile
// file could double it as often as it likes.
const maxGrowth = 1000

// growth is how many times longer c can make a text, at most about maxGrowth².
func (c *component) growth() int {
	if c == nil {
		return 1
	}
	factor := 1
	switch c.Type {
	case "Prepend":
		factor = 1 + len(c.Prepend) // of a text of one byte
	case "Replace":
		pattern := 1
		if c.Pattern != nil && c.Pattern.String != nil {
			pattern = max(1, len(*c.Pattern.String))
		}
		factor = max(1, (len(c.Content)+pattern-1)/pattern)
	case "Precompiled":
		if m, err := parseCharsmap(c.Charsmap); err == nil {
			factor = max(1, m.longest())
		}
	}
	for _, list := range [][]component{c.Normalizers, c.Decoders} {
		for i := range list {
			factor = min(factor, maxGrowth+1) * min(list[i].growth(), maxGrowth+1)
		}
	}
	return factor
}

// checkGrowth refuses what would make a text too long.
func (c *component) checkGrowth() error {
	if c.growth() > maxGrowth {
		return fmt.Errorf("its %s make a text more than %d times longer", c.Type, maxGrowth)
	}
	return nil
}

// newNormalizer builds what tokenizer.json names; nil does nothing.
func newNormalizer(c *component) (normalizer, error) {
	if c == nil {
		return nil, nil
	}
	switch c.Type {
	case "NFC":
		return norm.NFC.String, nil
	case "NFD":
		return norm.NFD.String, nil
	case "NFKC":
		return norm.NFKC.String, nil
	case "NFKD":
		return norm.NFKD.String, nil
	case "Lowercase":
		return func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "İ", "i̇")) }, nil
	case "Strip":
		return func(s string) string { return strip(s, c.StripLeft, c.StripRight) }, nil
	case "Prepend":
		return func(s string) string {
			if s == "" {
				return ""
			}
			return c.Prepend + s
		}, nil
	case "Replace":
		return newReplace(c)
	case "StripAccents":
		return stripAccents, nil
	case "Precompiled":
		m, err := parseCharsmap(c.Charsmap)
		return m.normalize, err
	case "Sequence":
		return newNormalizers(c.Normalizers)
	}
	return nil, fmt.Errorf("normalizer %q is not supported", c.Type)
}

func newNormalizers(list []component) (normalizer, error) {
	steps := make([]normalizer, 0, len(list))
	for i := range list {
		step, err := newNormalizer(&list[i])
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return func(s string) string {
		for _, step := range steps {
			s = step(s)
		}
		return s
	}, nil
}

// stripAccents removes combining marks.
func stripAccents(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsMark(r) {
			return -1
		}
		return r
	}, s)
}

func strip(s string, left, right bool) string {
	if left {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	}
	if right {
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	return s
}

// newReplace is the normalizer and decoder that replaces a fixed text.
func newReplace(c *component) (normalizer, error) {
	switch {
	case c.Pattern == nil || c.Pattern.String == nil && c.Pattern.Regex == nil:
		return nil, errors.New("a Replace has no pattern")
	case c.Pattern.String == nil:
		return replaceMatches(*c.Pattern.Regex, c.Content)
	case *c.Pattern.String == "":
		return nil, errors.New("the pattern of Replace is empty")
	}
	return func(s string) string { return strings.ReplaceAll(s, *c.Pattern.String, c.Content) }, nil
}
