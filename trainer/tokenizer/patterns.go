package tokenizer

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

// knownPattern returns the hand-written form of a splitting pattern, or nil.
func knownPattern(pattern string) func(string) int {
	switch pattern {
	case gpt2Pattern:
		return nextPiece
	case llama3Pattern:
		return func(s string) int { return nextWord(s, 3) }
	case qwen2Pattern:
		return func(s string) int { return nextWord(s, 1) }
	}
	return nil
}

// The patterns as tokenizer.json has them. Llama 3's is that of OpenAI's cl100k_base; Qwen2's takes digits one by one.
const (
	gpt2Pattern   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Pattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// nextWord returns the length of the first piece of s under llama3Pattern, with at most this many digits. s is not empty.
func nextWord(s string, digits int) int {
	if n := anyContraction(s); n > 0 {
		return n
	}
	r, size := utf8.DecodeRuneInString(s)
	class := classOf(r)
	switch {
	case class == classLetter:
		return runLength(s, classLetter)
	case class == classNumber:
		return digitRun(s, digits)
	case r != '\r' && r != '\n':
		if n := runLength(s[size:], classLetter); n > 0 {
			return size + n
		}
	}
	start := 0
	if r == ' ' {
		start = 1
	}
	if n := runLength(s[start:], classOther); n > 0 {
		n += start
		return n + len(s[n:]) - len(strings.TrimLeft(s[n:], "\r\n"))
	}
	n := runLength(s, classSpace)
	if end := strings.LastIndexAny(s[:n], "\r\n"); end >= 0 {
		return end + 1
	}
	return spaceLength(s)
}

// anyContraction is contraction whatever the case, and with it the long s, which Unicode folds to s.
func anyContraction(s string) int {
	if s[0] != '\'' || len(s) < 2 {
		return 0
	}
	if strings.HasPrefix(s[1:], "ſ") {
		return 1 + len("ſ")
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) >= 3 {
		switch string([]byte{s[1] | 0x20, s[2] | 0x20}) {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// digitRun returns how many bytes the first digits of s take.
func digitRun(s string, most int) int {
	n := 0
	for range most {
		r, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || classOf(r) != classNumber {
			break
		}
		n += size
	}
	return n
}
