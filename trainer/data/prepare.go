package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep"
)

// Prepared is a corpus in the cache.
type Prepared struct {
	Info     sweep.CorpusInfo
	Warnings []string // about the data, for people; the same whether it was prepared now or earlier
}

// Prepare tokenises a corpus into cacheDir/<fingerprint>, or finds it there. files are the model's; pre-tokenised data needs
// no tokenizer among them. progress is told the bytes read so far and their total; it may be nil.
//
// Errors that a person has to mend wrap sweep.ErrInput. After any error or crash the cache holds no corpus that looks
// complete and is not.
func Prepare(ctx context.Context, cacheDir string, files fs.FS, model sweep.ModelInfo, spec sweep.DataSpec, progress func(done, total int64)) (Prepared, error) {
	p, err := newPlan(ctx, files, model, spec)
	if err != nil {
		return Prepared{}, err
	}
	cacheDir, err = filepath.Abs(cacheDir)
	if err != nil {
		return Prepared{}, fmt.Errorf("prepare corpus: %w", err)
	}
	dir := filepath.Join(cacheDir, p.fingerprint())
	if prepared, err := findPrepared(dir); err == nil {
		return prepared, nil
	}
	if err := os.MkdirAll(cacheDir, 0o777); err != nil {
		return Prepared{}, fmt.Errorf("prepare corpus: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return Prepared{}, fmt.Errorf("prepare corpus: %w", err)
	}
	defer unlock()
	if prepared, err := findPrepared(dir); err == nil { // another process was faster
		return prepared, nil
	}
	if err := p.build(ctx, dir, progress); err != nil {
		return Prepared{}, err
	}
	return findPrepared(dir)
}

// findPrepared returns the corpus in dir if it is whole.
func findPrepared(dir string) (Prepared, error) {
	corpus, err := Open(dir)
	if err != nil {
		return Prepared{}, err
	}
	if err := corpus.Close(); err != nil {
		return Prepared{}, err
	}
	meta, err := readInfo(dir)
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
	if err := sweep.SyncFolder(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return sweep.SyncFolder(filepath.Dir(dir))
}

// fill writes the files of a corpus folder.
func (p *plan) fill(ctx context.Context, dir, fingerprint string, progress func(done, total int64)) error {
	train, err := createRows(filepath.Join(dir, trainFile))
	if err != nil {
		return fmt.Errorf("prepare corpus: %w", err)
	}
	validation, err := createRows(filepath.Join(dir, validationFile))
	if err != nil {
		return errors.Join(fmt.Errorf("prepare corpus: %w", err), train.file.Close())
	}
	warnings, err := p.write(ctx, train, validation, progress)
	if err := errors.Join(err, train.close(), validation.close()); err != nil {
		return err
	}
	body, err := json.MarshalIndent(corpusFile{
		SequenceLength: p.spec.SequenceLength,
		Warnings:       warnings,
		Info: sweep.CorpusInfo{
			Fingerprint:         fingerprint,
			TrainSequences:      train.n,
			TrainTokens:         train.tokens,
			ValidationSequences: validation.n,
			ValidationTokens:    validation.tokens,
		},
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("prepare corpus: %w", err)
	}
	return writeSynced(filepath.Join(dir, infoFile), body)
}

// write reads the inputs and writes their rows, cut and padded. It returns what a person should know about them.
func (p *plan) write(ctx context.Context, train, validation *rowWriter, progress func(done, total int64)) ([]string, error) {
	trainSide := newShaper("data.train", p)
	validationSide := newShaper("data.validation", p)
	drawn := reservoir{size: p.spec.ValidationSequences, random: newStream(validationSeed, 0)}
	var done int64
	total := p.size()
	err := p.run(ctx, sink{
		train: func(r row) error {
			r, err := trainSide.shape(r)
			if err != nil {
				return err
			}
			return train.write(r)
		},
		validation: func(r row) error {
			r, err := validationSide.shape(r)
			if err != nil {
				return err
			}
			if drawn.size > 0 {
				drawn.add(r)
				return nil
			}
			return validation.write(r)
		},
		progress: func(bytes int64) {
			done += bytes
			if progress != nil {
				progress(min(done, total), total)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	for _, r := range drawn.inOrder() {
		if err := validation.write(r); err != nil {
			return nil, fmt.Errorf("prepare corpus: %w", err)
		}
	}
	return append(trainSide.warnings(), validationSide.warnings()...), nil
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
