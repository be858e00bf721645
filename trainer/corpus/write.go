package corpus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"os"
)

// rowWriter writes a rows file.
type rowWriter struct {
	file *os.File
	w    *bufio.Writer
	sum  hash.Hash32 // of what w has passed on
	n    int
	// tokens counts the supervised ones.
	tokens int64
}

func createRows(path string) (*rowWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	sum := newSum()
	return &rowWriter{file: f, w: bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<18), sum: sum}, nil
}

// write appends a row whose lists have the full length.
func (w *rowWriter) write(r row) error {
	w.n++
	w.tokens += int64(supervised(r.Labels))
	var buf [4]byte
	for _, list := range [rowLists][]int32{r.IDs, r.Labels, r.Segments} {
		for _, v := range list {
			binary.LittleEndian.PutUint32(buf[:], uint32(v))
			if _, err := w.w.Write(buf[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// close makes the file safe on disk.
func (w *rowWriter) close() error {
	return errors.Join(w.w.Flush(), w.file.Sync(), w.file.Close())
}
