package records

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// jsonl yields the rows of a jsonl file, a line each. Empty lines are skipped.
func (in Input) jsonl(ctx context.Context) iter.Seq2[Document, error] {
	return in.records(ctx, func(body io.Reader, columns *mapping, yield rowYield) bool {
		lines := bufio.NewReaderSize(body, 1<<16)
		var line []byte
		for number := 1; ; number++ {
			var err error
			line, err = readLine(lines, line[:0])
			if err != nil && !errors.Is(err, io.EOF) {
				yield(fmt.Sprintf(":%d", number), Document{}, err)
				return false
			}
			row := line
			if number == 1 {
				row = bytes.TrimPrefix(line, []byte(byteOrderMark))
			}
			if len(bytes.TrimSpace(row)) > 0 {
				doc, err := parseLine(row, columns)
				doc.Size = int64(len(line))
				if !yield(fmt.Sprintf(":%d", number), doc, badRow(err)) {
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
