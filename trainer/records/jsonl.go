package records

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// jsonl yields the rows of a jsonl file, a line each. Empty lines are skipped.
func (in Input) jsonl(ctx context.Context) iter.Seq2[Document, error] {
	return in.records(ctx, func(body io.Reader, yield func(string, Document, error) bool) bool {
		lines := bufio.NewReaderSize(body, 1<<16)
		var line []byte
		for number := 1; ; number++ {
			var err error
			line, err = readLine(lines, line[:0])
			if err != nil && !errors.Is(err, io.EOF) {
				return yield(fmt.Sprintf(":%d", number), Document{}, err)
			}
			row := line
			if number == 1 {
				row = bytes.TrimPrefix(line, []byte(byteOrderMark))
			}
			if len(bytes.TrimSpace(row)) > 0 {
				doc, err := parseLine(row)
				doc.Size = int64(len(line))
				if !yield(fmt.Sprintf(":%d", number), doc, err) || err != nil {
					return false
				}
			}
			if err != nil {
				return true
			}
		}
	})
}

// errLong marks a record that is beyond maxRecord.
var errLong = fmt.Errorf("longer than %d MiB: not a record to train on", maxRecord>>20)

// readLine appends a line to buf, its end included. Its error is io.EOF at the end of the file.
func readLine(r *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(buf)+len(part) > maxRecord {
			return nil, errLong
		}
		buf = append(buf, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return buf, err
		}
	}
}

// records yields what read finds in the input's file, and checks at the end that it still is what was hashed. read gives
// each document the part of its place that follows the file's name, and reports whether it went to the end.
func (in Input) records(ctx context.Context,
	read func(body io.Reader, yield func(string, Document, error) bool) bool,
) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		c, err := in.open(ctx)
		if err != nil {
			yield(Document{}, err)
			return
		}
		defer c.close()
		complete := read(c, func(place string, doc Document, err error) bool {
			doc.Place = in.Name + place
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w: data file %s: %w", trial.ErrInput, doc.Place, err)
			}
			return yield(doc, err) && err == nil
		})
		if !complete {
			return
		}
		if err := c.verify(); err != nil {
			yield(Document{}, err)
		}
	}
}
