package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// How much of an output is shown: the last lines of its last bytes.
const (
	shownBytes = 4 << 10
	shownLines = 12
)

// logs are the ends of what an attempt's worker wrote.
func logs(dir string) ([]page.Log, error) {
	var all []page.Log
	for _, name := range []string{trial.StdoutFile, trial.StderrFile} {
		text, err := tail(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		if text != "" {
			all = append(all, page.Log{Name: strings.TrimSuffix(name, filepath.Ext(name)), Text: text})
		}
	}
	return all, nil
}

// tail is the end of a file. One that is not there has none.
func tail(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it is only read
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-shownBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, from, shownBytes))
	if err != nil {
		return "", err
	}
	if _, rest, cut := bytes.Cut(text, []byte("\n")); from > 0 && cut {
		text = rest // the first line lacks its beginning
	}
	lines := strings.SplitAfter(strings.TrimRight(string(text), "\n"), "\n")
	return strings.ToValidUTF8(strings.Join(lines[max(0, len(lines)-shownLines):], ""), "\uFFFD"), nil
}
