package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// charsmap is a SentencePiece normalizer: texts, and what replaces them. It is a double-array trie (Darts-clone, include/darts.h) whose
// values are offsets of zero-ended texts (SentencePiece, normalizer.cc).
type charsmap struct {
	units []uint32
	texts string
}

func parseCharsmap(blob []byte) (charsmap, error) {
	if len(blob) < 4 {
		return charsmap{}, errors.New("a precompiled_charsmap is empty")
	}
	size := binary.LittleEndian.Uint32(blob)
	blob = blob[4:]
	if size == 0 || size%4 != 0 || uint64(size) > uint64(len(blob)) {
		return charsmap{}, fmt.Errorf("a precompiled_charsmap of %d bytes claims a table of %d", len(blob), size)
	}
	c := charsmap{units: make([]uint32, size/4), texts: string(blob[size:])}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(blob[4*i:])
	}
	if !utf8.ValidString(c.texts) {
		return charsmap{}, errors.New("a precompiled_charsmap holds what is not text")
	}
	return c, nil
}

// longest is the length of the longest replacement.
func (c charsmap) longest() int {
	n := 0
	for text := range strings.SplitSeq(c.texts, "\x00") {
		n = max(n, len(text))
	}
	return n
}

// replacement returns what replaces the shortest text of the map that s begins with. That it is the shortest, and replaces all of s, is
// Hugging Face's (tokenizers, normalizers/precompiled.rs), which its models rely on.
func (c charsmap) replacement(s string) (string, bool) {
	const leaf = 1 << 8
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	at := offset(c.units[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		at ^= uint32(s[i])
		if int(at) >= len(c.units) || c.units[at]&(1<<31|0xff) != uint32(s[i]) {
			return "", false
		}
		unit := c.units[at]
		at ^= offset(unit)
		if unit&leaf == 0 {
			continue
		}
		if int(at) >= len(c.units) {
			return "", false
		}
		value := int(c.units[at] & (1<<31 - 1))
		if value > len(c.texts) {
			return "", false
		}
		text, _, _ := strings.Cut(c.texts[value:], "\x00")
		if !utf8.ValidString(text) { // the offset is within a character
			return "", false
		}
		return text, true
	}
	return "", false
}

// longestGrapheme is the longest that is looked up whole, in bytes; characters of longer ones are looked up one by one.
const longestGrapheme = 5

func (c charsmap) normalize(s string) string {
	var out strings.Builder
	write := func(part string) bool {
		text, ok := c.replacement(part)
		out.WriteString(text)
		return ok
	}
	for all := graphemes.FromString(s); all.Next(); {
		whole := all.Value()
		if len(whole) <= longestGrapheme && write(whole) {
			continue
		}
		for _, r := range whole {
			if char := string(r); !write(char) {
				out.WriteString(char)
			}
		}
	}
	return out.String()
}
