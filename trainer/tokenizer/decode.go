package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// decoder turns the spelling of tokens into text, step by step as Hugging Face's does.
type decoder func(tokens []string) []string

func newDecoder(c *component) (decoder, error) {
	if c == nil {
		return nil, errors.New("it has no decoder")
	}
	switch c.Type {
	case "ByteLevel":
		spelt := spelling()
		return func(tokens []string) []string { return []string{decodeBytes(tokens, spelt)} }, nil
	case "ByteFallback":
		return decodeFallback, nil
	case "Fuse":
		return func(tokens []string) []string { return []string{strings.Join(tokens, "")} }, nil
	case "Replace":
		replace, err := newReplace(c)
		if err != nil {
			return nil, err
		}
		return eachToken(replace), nil
	case "Strip":
		if utf8.RuneCountInString(c.Content) != 1 || c.Start < 0 || c.Stop < 0 {
			return nil, fmt.Errorf("decoder Strip of %q, %d and %d is not supported", c.Content, c.Start, c.Stop)
		}
		return eachToken(func(s string) string { return stripTimes(s, c.Content, c.Start, c.Stop) }), nil
	case "Metaspace":
		if c.Replacement == "" {
			return nil, errors.New("the decoder Metaspace has no replacement")
		}
		return metaspaceDecoder(c.Replacement, c.prependScheme() != "never"), nil
	case "Sequence":
		return newDecoders(c.Decoders)
	}
	return nil, fmt.Errorf("decoder %q is not supported", c.Type)
}

func newDecoders(list []component) (decoder, error) {
	var steps []decoder
	for i := range list {
		step, err := newDecoder(&list[i])
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return func(tokens []string) []string {
		for _, step := range steps {
			tokens = step(tokens)
		}
		return tokens
	}, nil
}

func eachToken(f func(string) string) decoder {
	return func(tokens []string) []string {
		out := make([]string, len(tokens))
		for i, token := range tokens {
			out[i] = f(token)
		}
		return out
	}
}

// metaspaceDecoder makes marks spaces, but leaves out those of the first token where encoding has put one there.
func metaspaceDecoder(mark string, prepended bool) decoder {
	return func(tokens []string) []string {
		out := make([]string, len(tokens))
		for i, token := range tokens {
			space := " "
			if i == 0 && prepended {
				space = ""
			}
			out[i] = strings.ReplaceAll(token, mark, space)
		}
		return out
	}
}

// stripTimes removes a character up to start times from the start and up to stop times from the end.
func stripTimes(s, char string, start, stop int) string {
	for range min(start, len(s)) {
		s = strings.TrimPrefix(s, char)
	}
	for range min(stop, len(s)) {
		s = strings.TrimSuffix(s, char)
	}
	return s
}

// decodeFallback joins tokens as <0xE2> to characters; where a run of them is not UTF-8, each becomes U+FFFD.
func decodeFallback(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		switch {
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			out = append(out, strings.Repeat("\uFFFD", len(run)))
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := fallbackByte(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

// fallbackByte reads <0xE2>.
func fallbackByte(token string) (byte, bool) {
	digits, begins := strings.CutPrefix(token, "<0x")
	digits, ends := strings.CutSuffix(digits, ">")
	if !begins || !ends || len(digits) != 2 {
		return 0, false
	}
	b, err := strconv.ParseUint(digits, 16, 8)
	return byte(b), err == nil
}

// decodeBytes reads a byte-level spelling. Bytes that are not UTF-8 become U+FFFD (one for each maximal subpart, as Rust's
// from_utf8_lossy has it).
func decodeBytes(tokens []string, spelt map[rune]byte) string {
	var b []byte
	for _, token := range tokens {
		b = append(b, tokenBytes(token, spelt)...)
	}
	if utf8.Valid(b) {
		return string(b)
	}
	text, err := unicode.UTF8.NewDecoder().Bytes(b)
	if err != nil {
		panic(fmt.Sprintf("a decoder that replaces what is not UTF-8 failed: %v", err))
	}
	return string(text)
}

// byteSymbols returns the printable character that spells each byte in a byte-level vocabulary (GPT-2's bytes_to_unicode).
func byteSymbols() [256]rune {
	var symbols [256]rune
	next := rune(256)
	for b := range symbols {
		if '!' <= b && b <= '~' || '¡' <= b && b <= '¬' || '®' <= b && b <= 'ÿ' {
			symbols[b] = rune(b)
			continue
		}
		symbols[b] = next
		next++
	}
	return symbols
}

// spelling is byteSymbols the other way round.
func spelling() map[rune]byte {
	spelt := make(map[rune]byte, 256)
	for b, symbol := range byteSymbols() {
		spelt[symbol] = byte(b)
	}
	return spelt
}

// tokenBytes returns the bytes that a token of the vocabulary spells; a token with any other character stands for itself.
func tokenBytes(token string, spelt map[rune]byte) []byte {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := spelt[r]
		if !ok {
			return []byte(token)
		}
		out = append(out, b)
	}
	return out
}
