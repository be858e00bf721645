package weights

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// lfsMark begins every Git LFS pointer, whatever its version (Git LFS, docs/spec.md: "version" is always the first key).
const lfsMark = "version https://git-lfs.github.com/spec/"

// lfsLength is more than a pointer has: its specification bounds it at 1024 bytes.
const lfsLength = 1024

// PointerError returns an error where head, the first bytes of the file at path, begin a Git LFS pointer: the few lines that a
// repository holds in place of a large file until Git LFS fetches it. It returns nil for any other file. 64 bytes of head tell;
// with a whole pointer the error also says how large the file itself is. The error wraps trial.ErrInput.
func PointerError(path string, head []byte) error {
	if !bytes.HasPrefix(head, []byte(lfsMark)) {
		return nil
	}
	size := ""
	for line := range bytes.Lines(head) {
		var n int64
		if _, err := fmt.Sscanf(string(line), "size %d\n", &n); err == nil {
			size = " of " + trial.FormatBytes(n)
		}
	}
	return fmt.Errorf("%w: %s is a Git LFS pointer, not the file%s that it stands for; fetch that with `git lfs pull` in its "+
		"repository, or download it again", trial.ErrInput, path, size)
}

// mostText bounds the texts of a model: the tokenizer.json of Gemma 3 has 33 MB.
const mostText = 256 << 20

// ReadText is fs.ReadFile, but that a Git LFS pointer in the file's place is an error, a pipe, and what is far larger than such a text.
func ReadText(files fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: %w: not a regular file", name, ErrFormat)
	}
	if info.Size() > mostText {
		return nil, fmt.Errorf("read %s: %w: it has more than %s", name, ErrFormat, trial.FormatBytes(mostText))
	}
	text, err := fs.ReadFile(files, name) //nolint:forbidigo // its kind and size were looked at
	if err != nil {
		return nil, err
	}
	return text, PointerError(name, text)
}

// pointerAt is PointerError for an open file. What cannot be read is no pointer: whoever reads it says what is wrong.
func pointerAt(name string, f io.ReaderAt) error {
	head := make([]byte, lfsLength)
	n, _ := f.ReadAt(head, 0)
	return PointerError(name, head[:n])
}
