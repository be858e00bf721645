package trial

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// WriteAtomic writes a file so that a reader or a crash meets the old file or the new one, never a part: to a temporary
// name beside it, synced, renamed, and the folder synced. Two writers of one path may meet; the later rename
// wins. A crash may leave the temporary file, whose name starts with a dot. Who may read the file, the umask says.
func WriteAtomic(path string, write func(io.Writer) error) error {
	f, err := createBeside(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = write(w)
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return SyncFolder(filepath.Dir(path))
}

// createBeside creates a file of a new name, as os.CreateTemp does, which leaves it to its owner alone.
func createBeside(path string) (f *os.File, err error) {
	for range 100 {
		temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), rand.Uint32()))
		f, err = os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return f, err
}

// SyncFolder makes the renames in a folder durable.
func SyncFolder(dir string) error {
	d, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// Aside is a name beside path that is free, for a damaged file that is kept: path.damaged-1 and so on. With it the same name is free with
// each of these endings.
func Aside(path string, endings ...string) string {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.damaged-%d", path, n)
		free := !slices.ContainsFunc(append(endings, ""), func(ending string) bool {
			_, err := os.Lstat(aside + ending)
			return err == nil
		})
		if free {
			return aside
		}
	}
}

// KeepAside gives a file that is to be replaced a second name, of Aside, and returns that. Where a file has one name only, a copy gets it;
// what is no file is moved there. When it returns, that is safe on disk.
func KeepAside(path string) (aside string, err error) {
	from, err := OpenRegular(path)
	if errors.Is(err, ErrDamaged) {
		return MoveAside(path)
	}
	if err != nil {
		return "", err
	}
	defer from.Close() //nolint:errcheck // read only
	aside = Aside(path)
	if os.Link(path, aside) == nil { // a sparse file's copy could fill the disk
		return aside, errors.Join(from.Sync(), SyncFolder(filepath.Dir(path)))
	}
	return aside, WriteAtomic(aside, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
}

// MoveAside renames a file to a name of Aside, and returns that.
func MoveAside(path string) (aside string, err error) {
	aside = Aside(path)
	if err := os.Rename(path, aside); err != nil {
		return "", err
	}
	return aside, SyncFolder(filepath.Dir(path))
}
