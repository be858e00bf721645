package trial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Dir returns the trial's folder below root. No id, whatever a database from elsewhere says, names one outside ROOT/trials.
func (id ID) Dir(root string) string { return below(root, string(id)) }

// Dir returns the attempt's folder below root, as ID.Dir does.
func (id AttemptID) Dir(root string) string { return below(root, string(id)) }

func below(root, name string) string {
	return filepath.Join(root, "trials", filepath.Join("/", filepath.FromSlash(name)))
}

// MakeDir makes the attempt's folder below root, as far as it is missing. A link in the place of the trial's or the attempt's folder is
// refused: what is written there would land elsewhere. ROOT/trials itself may be one.
func (id AttemptID) MakeDir(root string) (string, error) {
	dir := id.Dir(root)
	if err := os.MkdirAll(filepath.Join(root, "trials"), 0o777); err != nil {
		return "", err
	}
	if err := MakeFolder(id.Trial().Dir(root)); err != nil {
		return "", err
	}
	return dir, MakeFolder(dir)
}

// MakeFolder makes a folder where nothing stands yet, and refuses what is no folder itself, such as a link to one.
func MakeFolder(dir string) error {
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return CheckFolder(dir)
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

// OpenFile opens a file of an attempt's folder to write, or makes it. What is no file itself, such as a link to one, is refused.
func OpenFile(path string, flags int) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s where a file belongs, and is not followed: look at it, then move it away", path, kindOf(info.Mode()))
	}
	return os.OpenFile(path, flags|os.O_CREATE|unix.O_NOFOLLOW, 0o666)
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
