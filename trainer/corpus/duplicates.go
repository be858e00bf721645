package corpus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// shortestBlock is from how many bytes on a paragraph or line of a text file is counted: about 13 words, from which on Brown et al.
// 2020 (appendix C) call an overlap no chance. Braces, headings and the like recur by themselves.
const shortestBlock = 64

// counted is one thing that can be there twice: a row, a document of a built-in set, or a paragraph or line of a text file.
type counted struct {
	key  [16]byte // of a SHA-256 over its content
	size uint32   // bytes
}

// Duplicates counts what data.train and the validation data have more than once or share, and says it for people. It reads the data
// without tokenising it. progress is as for Prepare.
func Duplicates(ctx context.Context, src Source, progress func(done, total int64)) ([]string, error) {
	p, err := newPlan(ctx, src)
	if err != nil {
		return nil, err
	}
	d, err := p.duplicates(ctx, progress)
	if err != nil {
		return nil, err
	}
	return p.repeated(d), nil
}

// duplicates compares the documents as they are in the files, all of them: also those that validation_sequences does not draw. It
// keeps 20 bytes of each.
func (p *plan) duplicates(ctx context.Context, progress func(done, total int64)) (trial.Duplicates, error) {
	var train, validation []counted
	var done int64
	total := p.size()
	for _, side := range []struct {
		inputs []records.Input
		split  splitter
		into   *[]counted
	}{{p.train, p.split, &train}, {p.validation, splitter{}, &validation}} {
		for _, in := range side.inputs {
			for doc, err := range in.Documents(ctx) {
				if records.IsRowError(err) {
					continue // making rows of it says what is wrong
				}
				if err != nil {
					return trial.Duplicates{}, err
				}
				if err := ctx.Err(); err != nil {
					return trial.Duplicates{}, err
				}
				for c, held := range side.split.units(in.Kind, doc) {
					into := side.into
					if held {
						into = &validation
					}
					*into = append(*into, c)
				}
				if done += doc.Size; progress != nil {
					progress(min(done, total), total)
				}
			}
		}
	}
	return compare(train, validation), nil
}

// units yields what is counted of a document, with whether it is held out. What has nothing to train on is not counted.
func (s splitter) units(kind records.Kind, doc records.Document) iter.Seq2[counted, bool] {
	return func(yield func(counted, bool) bool) {
		content, err := contentOf(doc)
		if err != nil || len(bytes.TrimSpace(content)) == 0 {
			return // encoding it says what is wrong
		}
		held := !s.blocks && s.holdsText(string(content))
		if doc.Form == records.FormChat || doc.Form == records.FormInstruction {
			content = sortedKeys(content)
		}
		found := false
		if kind == records.KindText {
			for block := range blocks(doc.Text) {
				if block = strings.TrimSpace(block); len(block) < shortestBlock {
					continue
				}
				found = true
				if !yield(count([]byte(block)), held || s.blocks && s.holdsText(block)) {
					return
				}
			}
		}
		if !found {
			yield(count(content), held)
		}
	}
}

// sortedKeys writes JSON with the keys of its objects in one order: theirs in a file says nothing.
func sortedKeys(text []byte) []byte {
	var value any
	if json.Unmarshal(text, &value) != nil {
		return text
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return sorted
}

func count(content []byte) counted {
	sum := sha256.Sum256(content)
	return counted{key: [16]byte(sum[:16]), size: uint32(min(len(content), math.MaxUint32))}
}

// compare counts. It sorts both lists.
func compare(train, validation []counted) trial.Duplicates {
	d := trial.Duplicates{Train: len(train), Validation: len(validation)}
	byKey := func(a, b counted) int { return bytes.Compare(a.key[:], b.key[:]) }
	for _, list := range [][]counted{train, validation} {
		slices.SortFunc(list, byKey)
	}
	for i := range train {
		if i > 0 && train[i].key == train[i-1].key {
			d.TrainRepeated++
		}
	}
	at := 0
	for i, c := range validation {
		if i > 0 && c.key == validation[i-1].key {
			d.ValidationRepeated++
		}
		for at < len(train) && byKey(train[at], c) < 0 {
			at++
		}
		d.ValidationBytes += int64(c.size)
		if at < len(train) && train[at].key == c.key {
			d.Shared++
			d.SharedBytes += int64(c.size)
		}
	}
	return d
}

// repeated says what is there more than once.
func (p *plan) repeated(d trial.Duplicates) []string {
	unit, held := p.unit(), "data.validation"
	if p.spec.ValidationSplit > 0 {
		held = "the validation part of data.train"
	}
	var lines []string
	if d.Shared > 0 {
		lines = append(lines, fmt.Sprintf("data: %d of %d validation %s (%s of their bytes) are also in data.train, so val_loss is too good by "+
			"what they share: remove them from one side, or let validation_split hold rows out, which keeps equal ones together",
			d.Shared, d.Validation, unit, percent(d.SharedBytes, d.ValidationBytes)))
	}
	for _, side := range []struct {
		key         string
		again, most int
	}{{"data.train", d.TrainRepeated, d.Train}, {held, d.ValidationRepeated, d.Validation}} {
		if side.again > 0 {
			advice := ": remove them, unless they are meant"
			if unit == builtinUnit {
				advice = "" // there is nothing to remove them from
			}
			lines = append(lines, fmt.Sprintf("%s: %d of %d %s repeat an earlier one and weigh that much more%s",
				side.key, side.again, side.most, unit, advice))
		}
	}
	return lines
}

// builtinUnit is what a built-in set is made of.
const builtinUnit = "documents"

// unit is what is counted, in the plural.
func (p *plan) unit() string {
	unit := ""
	for _, in := range slices.Concat(p.train, p.validation) {
		this := "rows"
		switch in.Kind {
		case records.KindText:
			this = "paragraphs or lines"
		case records.KindBuiltin:
			this = builtinUnit
		default:
		}
		if unit != "" && unit != this {
			return "rows or documents"
		}
		unit = this
	}
	return unit
}

func percent(part, whole int64) string {
	if 100*part < whole {
		return "less than 1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(max(whole, 1)))
}
