package trial

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// LogTail is the end of what a worker wrote: whole lines of the last most bytes. A process that was never launched wrote nothing.
func LogTail(path string, most int64) (string, error) {
	f, err := OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	from := max(0, info.Size()-most)
	text, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	if _, whole, torn := bytes.Cut(text, []byte("\n")); torn && from > 0 {
		text = whole
	}
	return string(text), nil
}
