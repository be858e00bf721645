package records

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Mentions reports which words, a few bytes each, occur in the input's file, unpacked. It does not read the rows.
func (in Input) Mentions(ctx context.Context, words ...string) ([]bool, error) {
	c, err := in.open(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	found := make([]bool, len(words))
	const size, overlap = 1 << 18, 64
	window := make([]byte, 0, size+overlap)
	for slices.Contains(found, false) {
		window = window[:copy(window, window[max(0, len(window)-overlap):])] // a word may lie across
		n, err := io.ReadFull(c, window[len(window):len(window)+size])
		window = window[:len(window)+n]
		for i, word := range words {
			found[i] = found[i] || bytes.Contains(window, []byte(word))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read data file %s: %w", in.Name, err)
		}
	}
	return found, nil
}
