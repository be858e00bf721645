package data

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// runeClass is how GPT-2's splitting rule sees a character.
type runeClass uint8

const (
	classOther runeClass = iota
	classSpace
	classLetter
	classNumber
)

func classOf(r rune) runeClass {
	switch {
	case r < utf8.RuneSelf:
		return classOfASCII(byte(r))
	case unicode.IsLetter(r):
		return classLetter
	case unicode.IsNumber(r):
		return classNumber
	case unicode.IsSpace(r):
		return classSpace
	default:
		return classOther
	}
}

func classOfASCII(c byte) runeClass {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return classLetter
	case '0' <= c && c <= '9':
		return classNumber
	case c == ' ', '\t' <= c && c <= '\r':
		return classSpace
	default:
		return classOther
	}
}

// nextPiece returns the length of the first piece of s under GPT-2's rule (Radford et al. 2019, encoder.py):
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// It is written out because Go's regexp has no lookahead and a corpus has millions of pieces. s is not empty.
func nextPiece(s string) int {
	if n := contraction(s); n > 0 {
		return n
	}
	start := 0
	if s[0] == ' ' {
		start = 1
	}
	if start < len(s) {
		r, _ := utf8.DecodeRuneInString(s[start:])
		if class := classOf(r); class != classSpace {
			return start + runLength(s[start:], class)
		}
	}
	return spaceLength(s)
}

// contraction returns the length of the English ending that s begins with, or 0.
func contraction(s string) int {
	if s[0] != '\'' {
		return 0
	}
	for _, ending := range [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
		if strings.HasPrefix(s, ending) {
			return len(ending)
		}
	}
	return 0
}

// runLength returns how many bytes at the start of s are characters of one class.
func runLength(s string, class runeClass) int {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if classOf(r) != class {
			return i
		}
		i += size
	}
	return len(s)
}

// spaceLength is the rule's `\s+(?!\S)|\s+`: a run of white space leaves its last character to the word that follows.
func spaceLength(s string) int {
	n := runLength(s, classSpace)
	if n == len(s) {
		return n
	}
	_, last := utf8.DecodeLastRuneInString(s[:n])
	if n > last {
		return n - last
	}
	return n
}
