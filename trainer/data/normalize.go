package data

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

	Pattern *struct {
		String *string `json:"String"`
		Regex  *string `json:"Regex"`
	} `json:"pattern"`
	Content  string `json:"content"`
	Prepend  string `json:"prepend"`
	Behavior string `json:"behavior"`
	Invert   bool   `json:"invert"`

	AddPrefixSpace   *bool  `json:"add_prefix_space"`
	UseRegex         *bool  `json:"use_regex"` // absent means true
	IndividualDigits bool   `json:"individual_digits"`
	Replacement      string `json:"replacement"`
	PrependScheme    string `json:"prepend_scheme"`
	Split            *bool  `json:"split"` // absent means true

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

// normalizer changes a text before it is split, as Hugging Face's tokenizers do.
type normalizer func(string) string

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
