package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's name of a file, which says what arrived, not who made it
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	hf "github.com/gomlx/go-huggingface/hub"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// fetch downloads a file and holds it against the name that the hub gave its content.
func (h Client) fetch(ctx context.Context, repo *hf.Repo, name string) (string, error) {
	path, err := repo.DownloadFileCtx(context.WithValue(ctx, guarded{}, true), name)
	if err != nil {
		return "", err
	}
	return path, verify(path)
}

// verify compares a file with its blob's name: the SHA-256 of a large file, git's SHA-1 of a small one. What differs is removed, so that
// the next fetch gets it anew. Mirrors may have names of their own, which say nothing.
func verify(path string) (err error) {
	blob, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	f, err := trial.OpenInput(blob)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var sum hash.Hash
	switch len(filepath.Base(blob)) {
	case hex.EncodedLen(sha256.Size):
		sum = sha256.New()
	case hex.EncodedLen(sha1.Size):
		sum = sha1.New() //nolint:gosec // as above
		fmt.Fprintf(sum, "blob %d\x00", info.Size())
	default:
		return nil
	}
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != filepath.Base(blob) {
		return errors.Join(fmt.Errorf("%s did not arrive as the hub has it (its checksum is %s, the hub's is %s): it was removed, try again",
			filepath.Base(path), got, filepath.Base(blob)), os.Remove(path), os.Remove(blob))
	}
	return nil
}
