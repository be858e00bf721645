package grid

import (
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// IsHubData reports whether a name of data.train or its like is a data set of the Hugging Face hub, for names that are
// relative to dir: it has the form of one, and no such file is there.
func IsHubData(dir, name string) bool {
	if !trial.IsHubName(name) {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, name))
	return err != nil
}
