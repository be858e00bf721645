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
//
// Of those that are not held out it keeps a fraction for training, by other bytes of the hash: smaller fractions are parts of larger
// ones. Text files are cut into blocks for that, however they are split.
type splitter struct {
	fraction float64
	blocks   bool
	kept     float64 // 0 keeps all
}

func newSplitter(fraction, kept float64, inputs []records.Input) splitter {
	s := splitter{fraction: fraction, kept: kept}
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
	parts, held = runs(doc, s.holdsText)
	return parts, held, nil
}

// runs cuts a document into runs of blocks that alternate between those with a property and those without.
func runs(doc records.Document, has func(block string) bool) (parts []records.Document, having []bool) {
	at, begins := 0, 0
	for block := range blocks(doc.Text) {
		at += len(block)
		is := has(strings.TrimSpace(block))
		if n := len(parts); n > 0 && having[n-1] == is {
			parts[n-1].Text = doc.Text[begins:at] // not joined anew: a run may be most of a large file
			continue
		}
		begins = at - len(block)
		parts = append(parts, records.Document{Place: doc.Place, Text: block})
		having = append(having, is)
	}
	if len(parts) > 0 {
		parts[0].Size = doc.Size
	}
	return parts, having
}

// thin returns what the fraction keeps of a training document: all, nothing, or of a text file the runs of blocks that it keeps.
func (s splitter) thin(kind records.Kind, doc records.Document) ([]records.Document, error) {
	if s.kept == 0 {
		return []records.Document{doc}, nil
	}
	if kind != records.KindText {
		content, err := contentOf(doc)
		if err != nil || !s.keeps(string(content)) {
			return nil, err
		}
		return []records.Document{doc}, nil
	}
	parts, keep := runs(doc, s.keeps)
	kept := parts[:0]
	for i, part := range parts {
		if keep[i] {
			kept = append(kept, part)
		}
	}
	return kept, nil
}

// trainsOn reports whether something of a document is trained on.
func (s splitter) trainsOn(kind records.Kind, doc records.Document) (bool, error) {
	parts, held, err := s.split(doc)
	for i := 0; err == nil && i < len(parts); i++ {
		if held[i] {
			continue
		}
		var kept []records.Document
		if kept, err = s.thin(kind, parts[i]); len(kept) > 0 {
			return true, err
		}
	}
	return false, err
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
	return share(sum[:]) < s.fraction
}

// keeps compares the second 8 bytes of a SHA-256 with the fraction to train on: the first ones decide about the split.
func (s splitter) keeps(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return share(sum[8:]) < s.kept
}

// holdsKey is holdsText for the text's SHA-256 in hexadecimal.
func (s splitter) holdsKey(key string) bool {
	b, err := hex.DecodeString(key[:16])
	if err != nil {
		panic("not a SHA-256 in hexadecimal: " + key)
	}
	return share(b) < s.fraction
}

// share reads the first 8 bytes of a hash as a number from 0 to 1.
func share(hash []byte) float64 { return float64(binary.BigEndian.Uint64(hash)) / math.Exp2(64) }

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
