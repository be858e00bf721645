package data

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep"
)

// The files of a corpus folder. A row in *.rows is SequenceLength ids and then as many labels, little-endian int32.
const (
	infoFile       = "info.json"
	trainFile      = "train.rows"
	validationFile = "validation.rows"
)

// corpusFile is info.json.
type corpusFile struct {
	SequenceLength int              `json:"sequence_length"`
	Info           sweep.CorpusInfo `json:"info"` // Path is empty: the folder may move
	Warnings       []string         `json:"warnings"`
}

// Corpus is a prepared corpus, open for reading. It may be used by several goroutines.
type Corpus struct {
	info              sweep.CorpusInfo
	train, validation Rows
}

// Open opens the corpus folder that Prepare made. Rows are read when they are asked for.
func Open(path string) (*Corpus, error) {
	meta, err := readInfo(path)
	if err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	c := &Corpus{info: meta.Info}
	if c.train, err = openRows(filepath.Join(path, trainFile), meta.SequenceLength, meta.Info.TrainSequences); err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	if c.validation, err = openRows(filepath.Join(path, validationFile), meta.SequenceLength, meta.Info.ValidationSequences); err != nil {
		return nil, errors.Join(fmt.Errorf("open corpus: %w", err), c.train.file.Close())
	}
	return c, nil
}

// Info says what the corpus holds and where.
func (c *Corpus) Info() sweep.CorpusInfo { return c.info }

// Train returns the training rows in file order.
func (c *Corpus) Train() Rows { return c.train }

// Validation returns the validation rows: the same for every seed and rank.
func (c *Corpus) Validation() Rows { return c.validation }

// Close closes the files. Rows must not be used afterwards.
func (c *Corpus) Close() error {
	return errors.Join(c.train.file.Close(), c.validation.file.Close())
}

// Rows are sequences of one length in a file.
type Rows struct {
	file   *os.File
	length int
	n      int
}

// Len returns the number of rows.
func (r Rows) Len() int { return r.n }

// Row returns row i: as many ids and labels as the sequence is long, in memory of their own. A label of −100 is not
// scored. It panics where a file that was complete when it was opened can no longer be read.
func (r Rows) Row(i int) (ids, labels []int32) {
	if i < 0 || i >= r.n {
		panic(fmt.Sprintf("row %d of %d", i, r.n))
	}
	buf := make([]byte, 8*r.length)
	if _, err := r.file.ReadAt(buf, int64(i)*int64(len(buf))); err != nil {
		panic(fmt.Sprintf("read row %d of the prepared corpus: %v", i, err))
	}
	values := make([]int32, 2*r.length)
	for j := range values {
		values[j] = int32(binary.LittleEndian.Uint32(buf[4*j:]))
	}
	return values[:r.length:r.length], values[r.length:]
}

func openRows(path string, length, n int) (Rows, error) {
	f, err := os.Open(path)
	if err != nil {
		return Rows{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return Rows{}, errors.Join(err, f.Close())
	}
	if want := 8 * int64(length) * int64(n); info.Size() != want {
		return Rows{}, errors.Join(fmt.Errorf("%s has %d bytes, want %d", path, info.Size(), want), f.Close())
	}
	return Rows{file: f, length: length, n: n}, nil
}

// readInfo reads a corpus folder's info.json and fills in where the folder is.
func readInfo(path string) (corpusFile, error) {
	body, err := os.ReadFile(filepath.Join(path, infoFile))
	if err != nil {
		return corpusFile{}, err
	}
	var meta corpusFile
	if err := json.Unmarshal(body, &meta); err != nil {
		return corpusFile{}, fmt.Errorf("%s: %w", filepath.Join(path, infoFile), err)
	}
	if meta.SequenceLength < 1 || meta.Info.TrainSequences < 0 || meta.Info.ValidationSequences < 0 {
		return corpusFile{}, fmt.Errorf("%s: not a corpus", filepath.Join(path, infoFile))
	}
	meta.Info.Path = path
	return meta, nil
}

// rowWriter writes a rows file.
type rowWriter struct {
	file *os.File
	w    *bufio.Writer
	n    int
	// tokens counts the supervised ones.
	tokens int64
}

func createRows(path string) (*rowWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &rowWriter{file: f, w: bufio.NewWriterSize(f, 1<<18)}, nil
}

// write appends a row whose ids and labels have the full length.
func (w *rowWriter) write(r row) error {
	w.n++
	w.tokens += int64(supervised(r.labels))
	var buf [4]byte
	for _, list := range [...][]int32{r.ids, r.labels} {
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
