package data

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
)

// IgnoredLabel is the label of a position that is not scored (Hugging Face's and PyTorch's ignore_index).
const IgnoredLabel = -100

// rows yields the rows of a pre-tokenised file, a line each. Empty lines are skipped.
func (in input) rows(ctx context.Context) iter.Seq2[document, error] {
	return func(yield func(document, error) bool) {
		f, err := os.Open(in.name)
		if err != nil {
			yield(document{}, missing(in.name, err))
			return
		}
		defer f.Close() //nolint:errcheck // only read
		h := sha256.New()
		lines := bufio.NewReaderSize(io.TeeReader(stopping(ctx, f), h), 1<<16)
		for number := 1; ; number++ {
			line, err := lines.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield(document{}, fmt.Errorf("read data file %s: %w", in.name, err))
				return
			}
			if len(bytes.TrimSpace(line)) > 0 {
				doc, rowErr := parseRow(line)
				doc.place, doc.size = fmt.Sprintf("%s:%d", in.name, number), int64(len(line))
				if rowErr != nil {
					rowErr = fmt.Errorf("%w: data file %s: %w", sweep.ErrInput, doc.place, rowErr)
				}
				if !yield(doc, rowErr) || rowErr != nil {
					return
				}
			}
			if err != nil {
				break
			}
		}
		if hex.EncodeToString(h.Sum(nil)) != in.key {
			yield(document{}, in.changed())
		}
	}
}

// parseRow reads one line: {"input_ids": […], "labels": […]}. Without labels every id is one, as Hugging Face's causal
// language models have it. Other keys are ignored, as its Trainer does, but for a mask that hides something.
func parseRow(line []byte) (document, error) {
	var row struct {
		InputIDs      *[]int32 `json:"input_ids"`
		Labels        *[]int32 `json:"labels"`
		AttentionMask []int32  `json:"attention_mask"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return document{}, fmt.Errorf("not a pre-tokenised row: %w", err)
	}
	if row.InputIDs == nil {
		return document{}, withoutIDs(line)
	}
	if slices.Contains(row.AttentionMask, 0) {
		return document{}, errors.New("attention_mask hides some ids: leave them out, rows are padded here")
	}
	doc := document{ids: *row.InputIDs}
	if row.Labels == nil {
		doc.labels = slices.Clone(doc.ids)
		return doc, nil
	}
	doc.labels = *row.Labels
	if len(doc.labels) != len(doc.ids) {
		return document{}, fmt.Errorf("%d input_ids but %d labels", len(doc.ids), len(doc.labels))
	}
	return doc, nil
}

func withoutIDs(line []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(line, &keys); err != nil {
		return err
	}
	found := strings.Join(slices.Sorted(maps.Keys(keys)), ", ")
	return fmt.Errorf("no input_ids (keys: %s): jsonl must be pre-tokenised, text is read from text files", found)
}
