package hub

import (
	"bytes"
	"cmp"
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

// fetch downloads a file and holds it against the name that the hub gave its content. A name that is no checksum is told.
func (h Client) fetch(ctx context.Context, repo *hf.Repo, name string) (string, error) {
	path, err := repo.DownloadFileCtx(context.WithValue(ctx, guarded{}, true), name)
	if err != nil {
		return "", err
	}
	verified, err := verify(path)
	if err == nil && !verified && h.Notify != nil {
		h.Notify(fmt.Sprintf("warning: %s of %s is not verified: %s names no checksum of it", name, repo.ID,
			cmp.Or(h.Endpoint, "the hub")))
	}
	return path, err
}

// verify compares a file with its blob's name: the SHA-256 of a large file, git's SHA-1 of a small one. What differs is removed, so that
// the next fetch gets it anew. It is false for the name that a mirror may give of its own, which says nothing.
func verify(path string) (verified bool, err error) {
	blob, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false, err
	}
	f, err := trial.OpenInput(blob)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	var sum hash.Hash
	want, err := hex.DecodeString(filepath.Base(blob))
	if err != nil {
		return false, nil
	}
	switch len(want) {
	case sha256.Size:
		sum = sha256.New()
	case sha1.Size:
		sum = sha1.New() //nolint:gosec // as above
		fmt.Fprintf(sum, "blob %d\x00", info.Size())
	default:
		return false, nil
	}
	if _, err := io.Copy(sum, f); err != nil {
		return false, fmt.Errorf("check %s: %w", path, err)
	}
	if got := sum.Sum(nil); !bytes.Equal(got, want) {
		err := fmt.Errorf("%s did not arrive as the hub has it (its checksum is %x, the hub's is %x): it was removed, try again",
			filepath.Base(path), got, want)
		return false, errors.Join(err, os.Remove(path), os.Remove(blob))
	}
	return true, nil
}
