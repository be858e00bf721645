package corpus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// The files of a corpus folder. A row in *.rows is SequenceLength ids, as many labels and as many segments, little-endian
// int32. retain.rows is empty where data.retain is not set.
const (
	infoFile       = "info.json"
	trainFile      = "train.rows"
	validationFile = "validation.rows"
	retainFile     = "retain.rows"
)

// rowLists is how many lists a row has.
const rowLists = 3

// corpusFile is info.json.
type corpusFile struct {
	SequenceLength int              `json:"sequence_length"`
	Info           trial.CorpusInfo `json:"info"` // Path is empty: the folder may move
	Warnings       []string         `json:"warnings"`
	Forms          []string         `json:"forms,omitempty"`
	// Sums are the CRC-32C of the rows files, by name; a corpus without them was made by an earlier version, and is made anew.
	Sums map[string]string `json:"sums"`
}

// Corpus is a prepared corpus, open for reading. It may be used by several goroutines.
type Corpus struct {
	info                      trial.CorpusInfo
	train, validation, retain Rows
}

// Open opens the corpus folder that Prepare made, after comparing its files with their checksums. Rows are read when they are asked for. A
// corpus that is not there, or not as it was made, is an error that wraps trial.ErrDamaged: Prepare makes it anew.
func Open(path string) (*Corpus, error) {
	meta, err := readInfo(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", trial.ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	c := &Corpus{info: meta.Info}
	for _, side := range []struct {
		rows *Rows
		file string
		n    int
	}{
		{&c.train, trainFile, meta.Info.TrainSequences},
		{&c.validation, validationFile, meta.Info.ValidationSequences},
		{&c.retain, retainFile, meta.Info.RetainSequences},
	} {
		if *side.rows, err = openRows(filepath.Join(path, side.file), meta.SequenceLength, side.n, meta.Sums[side.file]); err != nil {
			return nil, errors.Join(fmt.Errorf("open corpus: %w", err), c.Close())
		}
	}
	return c, nil
}

// Info says what the corpus holds and where.
func (c *Corpus) Info() trial.CorpusInfo { return c.info }

// Train returns the training rows in file order.
func (c *Corpus) Train() Rows { return c.train }

// Validation returns the validation rows: the same for every seed and rank.
func (c *Corpus) Validation() Rows { return c.validation }

// Retain returns the rows on which forgetting is measured; there are none where data.retain is not set.
func (c *Corpus) Retain() Rows { return c.retain }

// Close closes the files. Rows must not be used afterwards.
func (c *Corpus) Close() error {
	var errs []error
	for _, rows := range []Rows{c.train, c.validation, c.retain} {
		if rows.file != nil {
			errs = append(errs, rows.file.Close())
		}
	}
	return errors.Join(errs...)
}

// Rows are sequences of one length in a file.
type Rows struct {
	file   *os.File
	length int
	n      int
}

// Len returns the number of rows.
func (r Rows) Len() int { return r.n }

// Scored returns how many ids of a row count at most: what follows the last supervised one is neither scored nor seen by what is.
func (r Rows) Scored() int {
	most := 0
	for i := range r.n {
		labels := r.Row(i).Labels
		for len(labels) > most && labels[len(labels)-1] == trial.IgnoredLabel {
			labels = labels[:len(labels)-1]
		}
		most = max(most, len(labels))
	}
	return most
}

// First returns the first n rows, or all where there are fewer.
func (r Rows) First(n int) Rows {
	r.n = min(r.n, n)
	return r
}

// Row is one sequence: as many labels as ids. A label of −100 is not scored. Segments gives every id the number of its document in a
// packed row, from 0: attention stays within it and positions begin anew. nil means one document.
type Row struct{ IDs, Labels, Segments []int32 }

// CheckVocabulary refuses ids and labels that a model with a vocabulary of this size has no row for.
func (r Row) CheckVocabulary(vocab int) error {
	if i := slices.IndexFunc(r.IDs, func(id int32) bool { return id < 0 || int(id) >= vocab }); i >= 0 {
		return fmt.Errorf("id %d at position %d is not in the model's vocabulary of %d", r.IDs[i], i, vocab)
	}
	bad := func(label int32) bool { return label != trial.IgnoredLabel && (label < 0 || int(label) >= vocab) }
	if i := slices.IndexFunc(r.Labels, bad); i >= 0 {
		return fmt.Errorf("label %d at position %d is neither -100 nor in the model's vocabulary of %d", r.Labels[i], i, vocab)
	}
	return nil
}

// Row returns row i in memory of its own. It panics where a file that was complete when it was opened can no longer be read.
func (r Rows) Row(i int) Row {
	if i < 0 || i >= r.n {
		panic(fmt.Sprintf("row %d of %d", i, r.n))
	}
	buf := make([]byte, 4*rowLists*r.length)
	if _, err := r.file.ReadAt(buf, int64(i)*int64(len(buf))); err != nil {
		panic(fmt.Errorf("read row %d of the prepared corpus: %w", i, err))
	}
	values := make([]int32, rowLists*r.length)
	for j := range values {
		values[j] = int32(binary.LittleEndian.Uint32(buf[4*j:]))
	}
	n := r.length
	return Row{IDs: values[:n:n], Labels: values[n : 2*n : 2*n], Segments: values[2*n:]}
}

func openRows(path string, length, n int, sum string) (Rows, error) {
	f, err := trial.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", trial.ErrDamaged, err)
	}
	if err != nil {
		return Rows{}, err
	}
	if err := checkRows(f, 4*rowLists*int64(length)*int64(n), sum); err != nil {
		return Rows{}, errors.Join(err, f.Close())
	}
	return Rows{file: f, length: length, n: n}, nil
}

// checkRows compares a rows file with what info.json says of it.
func checkRows(f *os.File, size int64, sum string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("%w: %s has %d bytes, want %d", trial.ErrDamaged, f.Name(), info.Size(), size)
	}
	h := newSum()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, size)); err != nil {
		return err
	}
	if got := textOf(h); got != sum {
		return fmt.Errorf("%w: %s has checksum %s, want %q", trial.ErrDamaged, f.Name(), got, sum)
	}
	return nil
}

// newSum makes the checksum of rows files: CRC-32C, which runs at the speed of memory.
func newSum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

func textOf(h hash.Hash32) string { return fmt.Sprintf("%08x", h.Sum32()) }

// readInfo reads a corpus folder's info.json and fills in where the folder is.
func readInfo(path string) (corpusFile, error) {
	body, err := trial.ReadRegular(filepath.Join(path, infoFile), trial.MostJSON)
	if err != nil {
		return corpusFile{}, err
	}
	var meta corpusFile
	if err := trial.UnmarshalSealed(body, &meta); err != nil {
		return corpusFile{}, fmt.Errorf("%s: %w", filepath.Join(path, infoFile), err)
	}
	if meta.SequenceLength < 1 || min(meta.Info.TrainSequences, meta.Info.ValidationSequences, meta.Info.RetainSequences) < 0 {
		return corpusFile{}, fmt.Errorf("%w: %s: not a corpus", trial.ErrDamaged, filepath.Join(path, infoFile))
	}
	meta.Info.Path = path
	return meta, nil
}
