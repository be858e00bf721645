package live

import (
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
		text, err := trial.LogTail(filepath.Join(dir, name), shownBytes)
		if err != nil {
			return nil, err
		}
		if text = lastLines(text); text != "" {
			all = append(all, page.Log{Name: strings.TrimSuffix(name, filepath.Ext(name)), Text: text})
		}
	}
	return all, nil
}

// lastLines are those that are shown.
func lastLines(text string) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	return strings.ToValidUTF8(strings.Join(lines[max(0, len(lines)-shownLines):], ""), "\uFFFD")
}
