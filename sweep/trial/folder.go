package trial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Dir returns the trial's folder below root. No id, whatever a database from elsewhere says, names one outside ROOT/trials.
func (id ID) Dir(root string) string { return below(root, string(id)) }

// Dir returns the attempt's folder below root, as ID.Dir does.
func (id AttemptID) Dir(root string) string { return below(root, string(id)) }

// trialsFolder holds the folders of all trials of a root.
const trialsFolder = "trials"

func below(root, name string) string {
	return filepath.Join(root, trialsFolder, filepath.Join("/", filepath.FromSlash(name)))
}

// MakeDir makes the attempt's folder below root, as far as it is missing. A link in the place of the trial's or the attempt's folder is
// refused: what is written there would land elsewhere. ROOT/trials itself may be one. When it returns, no cut of the power takes the folder
// with all that will be in it.
func (id AttemptID) MakeDir(root string) (string, error) {
	dir := id.Dir(root)
	if err := makeDurable(filepath.Join(root, trialsFolder), 0o777); err != nil {
		return "", err
	}
	if err := MakeFolder(id.Trial().Dir(root)); err != nil {
		return "", err
	}
	return dir, MakeFolder(dir)
}

// MakeFolder makes a folder where nothing stands yet, and refuses what is no folder itself, such as a link to one. When it returns, the
// folder's name is safe on disk.
func MakeFolder(dir string) error {
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		err = CheckFolder(dir)
	}
	if err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(dir)) // one that is there, too: who made it may have been killed before
}

// MakeRoot makes a root where it is missing, for its owner alone: it holds text of the user's data. One that is there keeps its mode. When
// it returns, its name is safe on disk.
func MakeRoot(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return makeDurable(dir, 0o700)
}

// makeDurable makes a folder and those above it that are missing, and makes their names durable. It follows links.
func makeDurable(dir string, mode fs.FileMode) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		if err := makeDurable(parent, mode); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	err := SyncFolder(parent)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a folder that may be entered but not read cannot be synced
	}
	return err
}

// CheckFolder refuses what is no folder itself, such as a link to one.
func CheckFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is %s where a folder belongs, and is not followed: look at it, then move it away", dir, kindOf(info.Mode()))
	}
	return err
}

// OpenFile opens a file of a root to write, or makes it. What is no file itself, such as a link to one, is refused.
func OpenFile(path string, flags int) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, noFile(path, info.Mode())
	}
	return os.OpenFile(path, flags|os.O_CREATE|unix.O_NOFOLLOW, 0o666)
}

func noFile(path string, mode fs.FileMode) error {
	return fmt.Errorf("%s is %s where a file belongs, and is not followed: look at it, then move it away", path, kindOf(mode))
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsDir():
		return "a folder"
	case m.IsRegular():
		return "a file"
	default:
		return "no file but a device, a pipe or a socket"
	}
}

// Attempts lists the attempts of a trial that have a folder below root, by number.
func Attempts(root string, id ID) ([]AttemptID, error) {
	entries, err := os.ReadDir(id.Dir(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []AttemptID
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 && e.IsDir() && strconv.Itoa(n) == e.Name() {
			ids = append(ids, NewAttemptID(id, n))
		}
	}
	slices.SortFunc(ids, func(a, b AttemptID) int { return a.Number() - b.Number() })
	return ids, nil
}
