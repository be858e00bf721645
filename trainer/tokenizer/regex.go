package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

const (
	maxRegex = 4096 // bytes of a pattern; the longest in use have some hundred

	// A pattern that comes with a model may take a time that is exponential in the text. It is tried on texts of probeLength
	// before it is used: what is not exponential takes milliseconds for them, what is would not end. So the times are far
	// beyond what a machine with other work may stall.
	probeLength = 200
	probeTime   = 10 * time.Second // for one text
	probesTime  = time.Minute      // for all
)

// compile reads a pattern with look-ahead, which Go's own package does not have, and refuses one that is slow.
func compile(pattern string) (*regexp2.Regexp, error) {
	if len(pattern) > maxRegex {
		return nil, fmt.Errorf("a regular expression of %d bytes is not supported, at most %d", len(pattern), maxRegex)
	}
	// As in Oniguruma's Ruby syntax, which Hugging Face's uses, ^ and $ match at every line. The stack grows with the text.
	re, err := regexp2.Compile(pattern, regexp2.Multiline, regexp2.OptionMaxBacktrackingStackSize(-1))
	if err != nil {
		return nil, fmt.Errorf("regular expression %q is not supported: %w", pattern, err)
	}
	if !quick(re) {
		return nil, fmt.Errorf("regular expression %q is too slow: more than %v for a text of %d characters", pattern, probeTime, probeLength)
	}
	re.MatchTimeout = regexp2.DefaultMatchTimeout // none
	return re, nil
}

// quick tries a pattern on what repeats, and where a match fails at the end.
func quick(re *regexp2.Regexp) bool {
	start := time.Now()
	re.MatchTimeout = probeTime
	for _, unit := range []string{"a", "A", " ", "\n", "1", ".", "é", " a", "a1", "'s", "\n "} {
		for _, end := range []string{"", "!", "a", "\x00"} {
			err := matchAll(re, strings.Repeat(unit, probeLength/len(unit))+end, func(from, to int) {})
			if err != nil || time.Since(start) > probesTime {
				return false
			}
		}
	}
	return true
}

// matchAll calls found with the bytes of every match. Empty matches split nothing and are left out.
func matchAll(re *regexp2.Regexp, s string, found func(from, to int)) error {
	at, runes := 0, 0 // the library counts runes
	advance := func(to int) int {
		for ; runes < to; runes++ {
			_, size := utf8.DecodeRuneInString(s[at:])
			at += size
		}
		return at
	}
	return re.FindRunesMatches([]rune(s), 0, func(m regexp2.MatchView) bool {
		if index, length, ok := m.GroupRange(0); ok && length > 0 {
			from := advance(index)
			found(from, advance(index+length))
		}
		return true
	})
}

// replaceMatches is the normalizer Replace with a regular expression. content stands for itself.
func replaceMatches(pattern, content string) (normalizer, error) {
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	return func(s string) string {
		var b strings.Builder
		end := 0
		mustMatch(re, s, func(from, to int) {
			b.WriteString(s[end:from])
			b.WriteString(content)
			end = to
		})
		return b.String() + s[end:]
	}, nil
}

// mustMatch is matchAll for a pattern without a time limit, which cannot fail.
func mustMatch(re *regexp2.Regexp, s string, found func(from, to int)) {
	if err := matchAll(re, s, found); err != nil {
		panic(fmt.Sprintf("a pattern without time limit failed: %v", err))
	}
}

// behaviours of a splitting pattern, as in Hugging Face's SplitDelimiterBehavior.
const (
	isolated           = "Isolated"
	removed            = "Removed"
	contiguous         = "Contiguous"
	mergedWithPrevious = "MergedWithPrevious"
	mergedWithNext     = "MergedWithNext"
)

// stretch is a part of a text: a match of the splitting pattern or what lies between two.
type stretch struct {
	from, to int
	match    bool
}

// applyBehavior joins and drops stretches.
func applyBehavior(list []stretch, behavior string) []stretch {
	var out []stretch
	switch behavior {
	case removed:
		for _, p := range list {
			if !p.match {
				out = append(out, p)
			}
		}
	case contiguous:
		for _, p := range list {
			if n := len(out); n > 0 && out[n-1].match == p.match {
				out[n-1].to = p.to
			} else {
				out = append(out, p)
			}
		}
	case mergedWithPrevious:
		for i, p := range list {
			if n := len(out); p.match && n > 0 && !list[i-1].match {
				out[n-1].to = p.to
			} else {
				out = append(out, p)
			}
		}
	case mergedWithNext:
		for i, p := range list {
			if n := len(out); n > 0 && !p.match && list[i-1].match {
				out[n-1].to = p.to
			} else {
				out = append(out, p)
			}
		}
	default:
		return list
	}
	return out
}

// checkBehavior refuses what applyBehavior does not know.
func checkBehavior(behavior string) error {
	switch behavior {
	case isolated, removed, contiguous, mergedWithPrevious, mergedWithNext:
		return nil
	case "":
		return errors.New("a splitting pattern has no behavior")
	}
	return fmt.Errorf("behavior %q is not supported", behavior)
}

func isNumeric(r rune) bool { return unicode.IsNumber(r) }
func isPunctuation(r rune) bool {
	return unicode.IsPunct(r) || r < utf8.RuneSelf && unicode.IsSymbol(r)
}
