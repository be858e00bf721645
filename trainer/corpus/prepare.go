package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Prepared is a corpus in the cache.
type Prepared struct {
	Info     trial.CorpusInfo
	Warnings []string // about the data, for people; the same whether it was prepared now or earlier
}

// Prepare tokenises a corpus into cacheDir/<fingerprint>, or finds it there. Pre-tokenised data needs no tokenizer among the
// model's files. progress is told the bytes read so far and their total; it may be nil.
//
// Errors that a person has to fix wrap trial.ErrInput. After any error or crash the cache holds no corpus that looks
// complete and is not.
func Prepare(ctx context.Context, cacheDir string, src Source, progress func(done, total int64)) (Prepared, error) {
	p, err := newPlan(ctx, src)
	if err != nil {
		return Prepared{}, err
	}
	cacheDir, err = filepath.Abs(cacheDir)
	if err != nil {
		return Prepared{}, fmt.Errorf("prepare corpus: %w", err)
	}
	dir := filepath.Join(cacheDir, p.fingerprint())
	if prepared, err := p.findPrepared(dir, src); err == nil {
		return prepared, nil
	}
	// The cache holds the user's text: a root that is made for it is its owner's alone.
	if err := errors.Join(os.MkdirAll(filepath.Dir(cacheDir), 0o700), os.MkdirAll(cacheDir, 0o777)); err != nil {
		return Prepared{}, fmt.Errorf("prepare corpus: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return Prepared{}, fmt.Errorf("prepare corpus: %w", err)
	}
	defer unlock()
	if prepared, err := p.findPrepared(dir, src); err == nil { // another process was faster
		return prepared, nil
	}
	if err := p.build(ctx, dir, progress); err != nil {
		return Prepared{}, err
	}
	return p.findPrepared(dir, src)
}

// findPrepared returns the corpus in dir if it is whole, and tells src what its rows are made of.
func (p *plan) findPrepared(dir string, src Source) (Prepared, error) {
	corpus, err := Open(dir)
	if err != nil {
		return Prepared{}, err
	}
	if err := corpus.Close(); err != nil {
		return Prepared{}, err
	}
	meta, err := readInfo(dir)
	if err == nil {
		src.tell(meta.Forms)
	}
	return Prepared{Info: meta.Info, Warnings: meta.Warnings}, err
}

// build writes dir under another name and renames it when it is complete and safe on disk. The caller holds the lock.
func (p *plan) build(ctx context.Context, dir string, progress func(done, total int64)) error {
	temp := dir + ".tmp"
	for _, old := range []string{temp, dir} { // a crash's remains; a damaged corpus
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("prepare corpus: %w", err)
		}
	}
	if err := os.Mkdir(temp, 0o777); err != nil {
		return fmt.Errorf("prepare corpus: %w", err)
	}
	if err := p.fill(ctx, temp, filepath.Base(dir), progress); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	if err := publish(temp, dir); err != nil {
		return fmt.Errorf("prepare corpus: %w", err)
	}
	return nil
}

// publish makes a folder's content safe on disk and then gives it its name.
func publish(temp, dir string) error {
	if err := trial.SyncFolder(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return trial.SyncFolder(filepath.Dir(dir))
}

// sides are the rows files of a corpus that is being written.
type sides struct{ train, validation, retain *rowWriter }

func createSides(dir string) (s sides, err error) {
	for name, into := range map[string]**rowWriter{trainFile: &s.train, validationFile: &s.validation, retainFile: &s.retain} {
		if *into, err = createRows(filepath.Join(dir, name)); err != nil {
			return s, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// close makes the files safe on disk.
func (s sides) close() error {
	var errs []error
	for _, w := range []*rowWriter{s.train, s.validation, s.retain} {
		if w != nil {
			errs = append(errs, w.close())
		}
	}
	return errors.Join(errs...)
}

// fill writes the files of a corpus folder.
func (p *plan) fill(ctx context.Context, dir, fingerprint string, progress func(done, total int64)) error {
	rows, err := createSides(dir)
	if err != nil {
		return fmt.Errorf("prepare corpus: %w", err)
	}
	warnings, err := p.write(ctx, rows, progress)
	if err := errors.Join(err, rows.close()); err != nil {
		return err
	}
	duplicates, err := p.duplicates(ctx, progress)
	if err != nil {
		return err
	}
	validationRows, err := p.sumValidation(dir)
	if err != nil {
		return fmt.Errorf("prepare corpus: %w", err)
	}
	return writeInfo(filepath.Join(dir, infoFile), corpusFile{
		SequenceLength: p.spec.SequenceLength,
		Warnings:       append(p.repeated(duplicates), warnings...),
		Forms:          p.found.lines(p.enc.untemplated()),
		Sums: map[string]string{
			trainFile: textOf(rows.train.sum), validationFile: textOf(rows.validation.sum), retainFile: textOf(rows.retain.sum),
		},
		Info: trial.CorpusInfo{
			Fingerprint:         fingerprint,
			TrainSequences:      rows.train.n,
			TrainTokens:         rows.train.tokens,
			ValidationSequences: rows.validation.n,
			ValidationTokens:    rows.validation.tokens,
			RetainSequences:     rows.retain.n,
			RetainTokens:        rows.retain.tokens,
			Whole:               p.whole(),
			ValidationRows:      validationRows,
			Duplicates:          duplicates,
		},
	})
}

// sumValidation is a SHA-256 over the validation rows in dir and what their ids stand for.
func (p *plan) sumValidation(dir string) (string, error) {
	f, err := trial.OpenRegular(filepath.Join(dir, validationFile))
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	fmt.Fprintf(h, "%d ids a row, tokenizer %s, vocabulary %d\n", p.spec.SequenceLength, p.enc.fingerprint(), p.model.VocabSize)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// writeInfo writes info.json, under whatever name.
func writeInfo(path string, file corpusFile) error {
	body, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("prepare corpus: %w", err)
	}
	return writeSynced(path, append(trial.Seal(body), '\n'))
}

// write reads the inputs and writes their rows, cut and padded. It returns what a person should know about them.
func (p *plan) write(ctx context.Context, rows sides, progress func(done, total int64)) ([]string, error) {
	train := &side{shaper: newShaper("data.train", p), rows: rows.train}
	validation := &side{shaper: newShaper("data.validation", p), rows: rows.validation, drawn: p.reservoir()}
	retain := &side{shaper: newShaper("data.retain", p), rows: rows.retain, drawn: p.reservoir()}
	var done int64
	total := p.size()
	err := p.run(ctx, sink{train: train.add, validation: validation.add, retain: retain.add, progress: func(bytes int64) {
		done += bytes
		if progress != nil {
			progress(min(done, total), total)
		}
	}})
	if err != nil {
		return nil, err
	}
	if err := p.checkKept(train, validation, retain); err != nil {
		return nil, err
	}
	warnings := p.bad.warnings()
	for _, s := range []*side{train, validation, retain} {
		if err := s.finish(); err != nil {
			return nil, fmt.Errorf("prepare corpus: %w", err)
		}
		warnings = append(warnings, s.warnings()...)
	}
	return append(warnings, p.enc.Warnings()...), nil
}

// checkKept refuses a side of which no row is left.
func (p *plan) checkKept(train, validation, retain *side) error {
	for _, s := range []*side{train, validation, retain} {
		if s.kept == 0 && (s != retain || len(p.retain) > 0) {
			why := ""
			if p.bad.n > 0 {
				why = "; those that cannot be used:" + p.bad.list()
			}
			return fmt.Errorf("%w: %s: no row is left: raise data.sequence_length, or mend the rows that are left out%s", trial.ErrInput, s.key, why)
		}
	}
	return nil
}

// reservoir draws validation_sequences, or nothing where that is not set.
func (p *plan) reservoir() *reservoir {
	if p.spec.ValidationSequences == 0 {
		return nil
	}
	return &reservoir{size: p.spec.ValidationSequences, random: newStream(validationSeed, 0)}
}

// side shapes the rows of one side and writes them, or only those that are drawn.
type side struct {
	*shaper
	rows  *rowWriter
	drawn *reservoir // nil: all are written
	kept  int
}

func (s *side) add(r row) error {
	r, keep, err := s.shape(r)
	if err != nil || !keep {
		return err
	}
	s.kept++
	if s.drawn != nil {
		s.drawn.add(r)
		return nil
	}
	return s.rows.write(r)
}

// finish writes what was drawn.
func (s *side) finish() error {
	if s.drawn == nil {
		return nil
	}
	for _, r := range s.drawn.inOrder() {
		if err := s.rows.write(r); err != nil {
			return err
		}
	}
	return nil
}

// writeSynced writes a file that is safe on disk when it returns.
func writeSynced(path string, body []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}
