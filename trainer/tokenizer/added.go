package tokenizer

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is looked for in the text itself, before it is split.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Single     bool   `json:"single_word"`
	Special    bool   `json:"special"`
	Normalized bool   `json:"normalized"`
}

// addedTokens finds added tokens: the leftmost, and of those at one place the longest.
type addedTokens [256][]addedToken // by their first byte, longest first

func newAddedTokens(list []addedToken) *addedTokens {
	var a addedTokens
	for _, token := range list {
		if token.Content != "" {
			a[token.Content[0]] = append(a[token.Content[0]], token)
		}
	}
	for i := range a {
		slices.SortStableFunc(a[i], func(x, y addedToken) int { return cmp.Compare(len(y.Content), len(x.Content)) })
	}
	return &a
}

// find returns the first added token of s from at on, and where it begins and ends with the white space that it takes; nil without one.
// It agrees with Hugging Face's also in what looks odd: a token that must be a single word hides the ones within it.
func (a *addedTokens) find(s string, at int) (token *addedToken, from, to int) {
	for i := at; i < len(s); {
		t := a.match(s[i:])
		if t == nil {
			i++
			continue
		}
		end := i + len(t.Content)
		if t.Single && (endsInWord(s[:i]) || beginsWithWord(s[end:])) {
			i = end
			continue
		}
		from, to = i, end
		if t.LStrip {
			from = max(at, len(strings.TrimRightFunc(s[:from], unicode.IsSpace)))
		}
		if t.RStrip {
			to = len(s) - len(strings.TrimLeftFunc(s[to:], unicode.IsSpace))
		}
		return t, from, to
	}
	return nil, len(s), len(s)
}

func (a *addedTokens) match(s string) *addedToken {
	list := a[s[0]]
	for i := range list {
		if strings.HasPrefix(s, list[i].Content) {
			return &list[i]
		}
	}
	return nil
}

func endsInWord(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && isWord(r)
}

func beginsWithWord(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && isWord(r)
}

// isWord is \w.
func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || unicode.Is(unicode.Pc, r)
}
