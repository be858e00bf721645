package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Left is a batch whose folder lies below a root.
type Left struct {
	Folder   string
	Made     time.Time
	Attempts []trial.AttemptID // of its jobs; none where its maker was killed before it had written them
}

// LeftBatches are the batches whose folders lie below a root. Links are none.
func LeftBatches(root string) ([]Left, error) {
	entries, err := os.ReadDir(filepath.Join(root, batchesFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Left
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		info, infoErr := e.Info()
		if errors.Is(infoErr, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		b := Left{Folder: BatchFolder(root, e.Name())}
		var readErr error
		if b.Attempts, readErr = readAttempts(filepath.Join(b.Folder, attemptsFile)); infoErr != nil || readErr != nil {
			return nil, errors.Join(infoErr, readErr)
		}
		b.Made = info.ModTime()
		all = append(all, b)
	}
	return all, err
}

func readAttempts(path string) (ids []trial.AttemptID, err error) {
	text, err := trial.ReadRegular(path, trial.MostJSON)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for dir := range strings.Lines(string(text)) {
		dir = strings.TrimSuffix(dir, "\n")
		ids = append(ids, trial.AttemptID(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir)))
	}
	return ids, err
}

// PilotsFolder is where the pilots of a root have what they need.
func PilotsFolder(root string) string { return filepath.Join(root, pilotsFolder) }
