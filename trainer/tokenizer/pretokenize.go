package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cutter cuts a text into the pieces that are encoded separately. first says that s begins the whole text; emit gets
// the pieces in order, none of them empty.
type cutter func(s string, first bool, emit func(piece string, first bool))

// preTokenizer is a cutter and whether its pieces are spelled in bytes.
type preTokenizer struct {
	split     cutter
	byteLevel bool
}

func newPreTokenizer(c *component) (preTokenizer, error) {
	if c == nil {
		return preTokenizer{split: whole}, nil
	}
	if c.Type == "Sequence" {
		return newPreTokenizers(c.Pretokenizers)
	}
	split, err := newOneSplitter(c)
	return preTokenizer{split: split, byteLevel: c.Type == "ByteLevel"}, err
}

func whole(s string, first bool, emit func(string, bool)) {
	if s != "" {
		emit(s, first)
	}
}

// newPreTokenizers is a Sequence: each cuts the pieces of the one before.
func newPreTokenizers(list []component) (preTokenizer, error) {
	out := preTokenizer{split: whole}
	for i := range list {
		if out.byteLevel {
			return out, fmt.Errorf("pre-tokenizer %q after ByteLevel is not supported", list[i].Type)
		}
		next, err := newPreTokenizer(&list[i])
		if err != nil {
			return out, err
		}
		if i == 0 {
			out = next
			continue
		}
		before := out.split
		out.byteLevel = next.byteLevel
		out.split = func(s string, first bool, emit func(string, bool)) {
			before(s, first, func(piece string, first bool) { next.split(piece, first, emit) })
		}
	}
	return out, nil
}

func newOneSplitter(c *component) (cutter, error) {
	switch c.Type {
	case "ByteLevel":
		return byteLevelSplitter(c), nil
	case "Split":
		return newSplit(c)
	case "Digits":
		if c.IndividualDigits {
			return splitAt(isNumeric, isolated), nil
		}
		return splitAt(isNumeric, contiguous), nil
	case "Punctuation":
		behavior := c.Behavior
		if behavior == "" {
			behavior = isolated
		}
		return splitAt(isPunctuation, behavior), checkBehavior(behavior)
	case "WhitespaceSplit":
		return splitAt(unicode.IsSpace, removed), nil
	case "Metaspace":
		return newMetaspace(c)
	}
	return nil, fmt.Errorf("pre-tokenizer %q is not supported", c.Type)
}

// byteLevelSplitter is GPT-2's rule, or with use_regex false no rule.
func byteLevelSplitter(c *component) cutter {
	rule := whole
	if c.UseRegex == nil || *c.UseRegex {
		rule = cutBy(nextPiece)
	}
	if c.AddPrefixSpace == nil || !*c.AddPrefixSpace {
		return rule
	}
	return func(s string, first bool, emit func(string, bool)) {
		if !strings.HasPrefix(s, " ") {
			s = " " + s
		}
		rule(s, first, emit)
	}
}

// cutBy cuts by a function that returns the length of the first piece.
func cutBy(next func(string) int) cutter {
	return func(s string, first bool, emit func(string, bool)) {
		for s != "" {
			n := next(s)
			emit(s[:n], first)
			s, first = s[n:], false
		}
	}
}

// newSplit is Split: by a pattern that is written out here, or by any other.
func newSplit(c *component) (cutter, error) {
	if err := checkBehavior(c.Behavior); err != nil {
		return nil, err
	}
	if c.Pattern == nil || c.Pattern.String == nil && c.Pattern.Regex == nil {
		return nil, errors.New("a Split has no pattern")
	}
	if c.Pattern.Regex == nil {
		return splitText(*c.Pattern.String, c.Behavior, c.Invert)
	}
	if next := knownPattern(*c.Pattern.Regex); next != nil && c.Behavior == isolated {
		return cutBy(next), nil // they match everything, so that invert changes nothing
	}
	re, err := compile(*c.Pattern.Regex)
	if err != nil {
		return nil, err
	}
	return splitStretches(func(s string) []stretch {
		var list []stretch
		end := 0
		mustMatch(re, s, func(from, to int) {
			list = appendBetween(list, end, from)
			list = append(list, stretch{from, to, true})
			end = to
		})
		return appendBetween(list, end, len(s))
	}, c.Behavior, c.Invert), nil
}

func appendBetween(list []stretch, from, to int) []stretch {
	if from == to {
		return list
	}
	return append(list, stretch{from, to, false})
}

func splitStretches(find func(string) []stretch, behavior string, invert bool) cutter {
	return func(s string, first bool, emit func(string, bool)) {
		list := find(s)
		for i := range list {
			list[i].match = list[i].match != invert
		}
		for _, p := range applyBehavior(list, behavior) {
			emit(s[p.from:p.to], first && p.from == 0)
		}
	}
}

// splitText splits at a fixed text.
func splitText(text, behavior string, invert bool) (cutter, error) {
	if text == "" {
		return nil, errors.New("the pattern of Split is empty")
	}
	return splitStretches(func(s string) []stretch {
		var list []stretch
		for at := 0; ; {
			n := strings.Index(s[at:], text)
			if n < 0 {
				return appendBetween(list, at, len(s))
			}
			list = appendBetween(list, at, at+n)
			list = append(list, stretch{at + n, at + n + len(text), true})
			at += n + len(text)
		}
	}, behavior, invert), nil
}

// splitAt splits at every character of a kind.
func splitAt(is func(rune) bool, behavior string) cutter {
	return splitStretches(func(s string) []stretch {
		var list []stretch
		end := 0
		for i := 0; i < len(s); {
			r, size := utf8.DecodeRuneInString(s[i:])
			if is(r) {
				list = appendBetween(list, end, i)
				list = append(list, stretch{i, i + size, true})
				end = i + size
			}
			i += size
		}
		return appendBetween(list, end, len(s))
	}, behavior, false)
}

// newMetaspace is SentencePiece's way: a space becomes a character that begins the next word.
func newMetaspace(c *component) (cutter, error) {
	mark := c.Replacement
	scheme := c.prependScheme()
	if utf8.RuneCountInString(mark) != 1 || scheme != "always" && scheme != "first" && scheme != "never" {
		return nil, fmt.Errorf("a Metaspace with replacement %q and prepend_scheme %q is not supported", mark, scheme)
	}
	rule := whole
	if c.Split == nil || *c.Split {
		var err error
		if rule, err = splitText(mark, mergedWithNext, false); err != nil {
			return nil, err
		}
	}
	return func(s string, first bool, emit func(string, bool)) {
		s = strings.ReplaceAll(s, " ", mark)
		if scheme != "never" && (first || scheme == "always") && !strings.HasPrefix(s, mark) {
			s = mark + s
		}
		rule(s, first, emit)
	}, nil
}

// prependScheme is when a Metaspace puts a mark before a text.
func (c *component) prependScheme() string {
	switch {
	case c.PrependScheme != "":
		return c.PrependScheme
	case c.AddPrefixSpace != nil && !*c.AddPrefixSpace: // before tokenizers 0.15
		return "never"
	}
	return "always"
}
