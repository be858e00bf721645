package trial

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// OpenRegular opens a file of a root to read. In its place a root from elsewhere may have a link that leads out of it, a device without an
// end, or a pipe that is never written to: they are not followed, read or waited for, and their error wraps ErrDamaged.
func OpenRegular(path string) (*os.File, error) {
	f, mode, err := openAtOnce(path, unix.O_NOFOLLOW)
	if err == nil && mode.IsRegular() {
		return f, nil
	}
	if err == nil {
		err = f.Close()
	} else if info, lstatErr := os.Lstat(path); lstatErr == nil { // a link or a socket does not open
		mode = info.Mode()
	}
	switch {
	case mode.IsDir():
		return nil, errors.Join(&fs.PathError{Op: "open", Path: path, Err: unix.EISDIR}, err)
	case mode.IsRegular():
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, noFile(path, mode))
}

// ReadRegular reads what OpenRegular opens.
func ReadRegular(path string) ([]byte, error) { return readAll(OpenRegular(path)) }

// OpenInput opens a file that a person names. Links are followed: hubs' caches consist of them. A pipe or a device is an error, which wraps
// ErrInput: it would be waited for, or has no end.
func OpenInput(path string) (*os.File, error) {
	f, mode, err := openAtOnce(path, 0)
	if err == nil && !mode.IsRegular() && !mode.IsDir() {
		err = errors.Join(fmt.Errorf("%w: %s is a pipe or a device: write what it gives to a file", ErrInput, path), f.Close())
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadInput reads what OpenInput opens.
func ReadInput(path string) ([]byte, error) { return readAll(OpenInput(path)) }

// openAtOnce opens a file to read and says what it is. It waits for no writer of a pipe.
func openAtOnce(path string, flags int) (f *os.File, mode fs.FileMode, err error) {
	f, err = os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Mode(), nil
}

func readAll(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.Grow(int(info.Size()) + bytes.MinRead) // at once: a checkpoint is large
	_, err = text.ReadFrom(f)
	return text.Bytes(), err
}
