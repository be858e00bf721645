package records

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// content reads an input's file once, unpacked, and knows at the end whether it still is what was hashed.
type content struct {
	in   Input
	file *os.File
	raw  io.Reader // the file's own bytes, hashed as they are read
	sum  hash.Hash
	body io.ReadCloser
}

// open opens the file. Reading fails once ctx is done.
func (in Input) open(ctx context.Context) (*content, error) {
	f, err := trial.OpenInput(in.Name)
	if err != nil {
		return nil, missing(in.Name, err)
	}
	c := &content{in: in, file: f, sum: sha256.New()}
	c.raw = io.TeeReader(stopping(ctx, f), c.sum)
	if c.body, err = in.packed.unpack(c.raw); err != nil {
		err = fmt.Errorf("%w: data file %s: not a %s file: %w", trial.ErrInput, in.Name, in.packed, err)
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

func (c *content) Read(p []byte) (int, error) { return c.body.Read(p) }

func (c *content) close() {
	c.body.Close() //nolint:errcheck,gosec // only read
	c.file.Close() //nolint:errcheck,gosec // only read
}

// verify reads what is left of the file and compares.
func (c *content) verify() error {
	if c.in.Key == "" {
		return nil
	}
	if _, err := io.Copy(io.Discard, c.raw); err != nil {
		return fmt.Errorf("read data file %s: %w", c.in.Name, err)
	}
	if hex.EncodeToString(c.sum.Sum(nil)) != c.in.Key {
		return c.in.changed()
	}
	return nil
}

// stopping returns a reader of r that fails once ctx is done.
func stopping(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
