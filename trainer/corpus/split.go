package corpus

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// splitter decides which documents are held out for validation: those whose hash falls below the fraction, so that a
// document keeps its side whatever else is in the corpus. Equal documents are on one side.
//
// Rows of a table are documents. Text files are split whole. Where that would leave one side empty (one file, or few), each file is
// split into its paragraphs, or into its lines where it has but one paragraph; neighbours on one side stay together.
type splitter struct {
	fraction float64
	blocks   bool
}

func newSplitter(fraction float64, inputs []records.Input) splitter {
	s := splitter{fraction: fraction}
	if fraction == 0 || slices.ContainsFunc(inputs, func(in records.Input) bool { return in.Kind != records.KindText }) {
		return s
	}
	held := 0
	for _, in := range inputs {
		if s.holdsKey(in.Key) {
			held++
		}
	}
	s.blocks = held == 0 || held == len(inputs)
	return s
}

// split returns the parts of a document: one, or several runs of blocks that alternate between the sides.
func (s splitter) split(doc records.Document) (parts []records.Document, held []bool, err error) {
	if s.fraction == 0 {
		return []records.Document{doc}, []bool{false}, nil
	}
	if !s.blocks {
		out, err := s.holds(doc)
		return []records.Document{doc}, []bool{out}, err
	}
	at, begins := 0, 0
	for block := range blocks(doc.Text) {
		at += len(block)
		out := s.holdsText(strings.TrimSpace(block))
		if n := len(parts); n > 0 && held[n-1] == out {
			parts[n-1].Text = doc.Text[begins:at] // not joined anew: a run may be most of a large file
			continue
		}
		begins = at - len(block)
		parts = append(parts, records.Document{Place: doc.Place, Text: block})
		held = append(held, out)
	}
	if len(parts) > 0 {
		parts[0].Size = doc.Size
	}
	return parts, held, nil
}

func (s splitter) holds(doc records.Document) (bool, error) {
	content, err := contentOf(doc)
	return err == nil && s.holdsText(string(content)), err
}

// contentOf is all that a document says.
func contentOf(doc records.Document) (content []byte, err error) {
	switch doc.Form {
	case records.FormText:
		return []byte(doc.Text), nil
	case records.FormPair:
		return []byte(doc.Prompt + "\x00" + doc.Text), nil
	case records.FormChat, records.FormInstruction:
		text, err := chat.Canonical(doc.Messages)
		if err != nil {
			return nil, fmt.Errorf("data file %s: %w", doc.Place, err)
		}
		return []byte(text), nil
	case records.FormIDs:
		for _, list := range [][]int32{doc.IDs, doc.Labels} {
			for _, id := range list {
				content = binary.LittleEndian.AppendUint32(content, uint32(id))
			}
		}
	}
	return content, nil
}

func (s splitter) holdsText(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return s.holdsKey(hex.EncodeToString(sum[:]))
}

// holdsKey compares the first 8 bytes of a SHA-256 with the fraction.
func (s splitter) holdsKey(key string) bool {
	b, err := hex.DecodeString(key[:16])
	if err != nil {
		panic("not a SHA-256 in hexadecimal: " + key)
	}
	return float64(binary.BigEndian.Uint64(b))/math.Exp2(64) < s.fraction
}

// blocks yields the paragraphs of text with the empty lines that follow them, or its lines where it is one paragraph.
// Joined they are the text.
func blocks(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		paragraphs := strings.Contains(strings.TrimSpace(strings.ReplaceAll(text, "\r", "")), "\n\n")
		start, at, empty := 0, 0, false
		for line := range strings.Lines(text) {
			blank := strings.TrimSpace(line) == ""
			if begins := !paragraphs || empty && !blank; begins && at > start {
				if !yield(text[start:at]) {
					return
				}
				start = at
			}
			at += len(line)
			empty = blank
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}
