package trial

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// What files of a root have at most, in bytes; sparse ones and those of other programs may have any size.
const (
	// MostJSON bounds an object of JSON, in a file or a line of events: one that names every expert of a large mixture has 7 MB.
	MostJSON = 32 << 20
	// MostWord bounds a number, or another word.
	MostWord = 4 << 10
)

// ReadRegular reads what OpenRegular opens. A file of more than most bytes is not read, and its error wraps ErrDamaged.
func ReadRegular(path string, most int64) ([]byte, error) {
	f, err := OpenRegular(path)
	return readAll(f, err, most, ErrDamaged, "look at it, then move it away")
}

// OpenInput opens a file that a person names. Links are followed: hubs' caches consist of them. A pipe or a device is an error, which wraps
// ErrInput: it would be waited for, or has no end.
func OpenInput(path string) (*os.File, error) { return openInput(path, false) }

// OpenInputOrPipe is OpenInput that also opens a pipe, such as a shell's <(command). One that nobody writes to is not waited for: it has
// nothing.
func OpenInputOrPipe(path string) (*os.File, error) { return openInput(path, true) }

func openInput(path string, pipes bool) (*os.File, error) {
	f, mode, err := openAtOnce(path, 0)
	if err == nil && !mode.IsRegular() && !mode.IsDir() && (!pipes || mode.Type() != fs.ModeNamedPipe) {
		err = errors.Join(fmt.Errorf("%w: %s is a pipe or a device: write what it gives to a file", ErrInput, path), f.Close())
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadInputOrPipe reads what OpenInputOrPipe opens, as ReadInput does.
func ReadInputOrPipe(path string, most int64) ([]byte, error) {
	f, err := OpenInputOrPipe(path)
	return readInput(f, err, most)
}

// ReadInput reads what OpenInput opens. A file of more than most bytes is not read, and its error wraps ErrInput.
func ReadInput(path string, most int64) ([]byte, error) {
	f, err := OpenInput(path)
	return readInput(f, err, most)
}

func readInput(f *os.File, err error, most int64) ([]byte, error) {
	return readAll(f, err, most, ErrInput, "make it smaller, or name another")
}

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

func readAll(f *os.File, err error, most int64, kind error, fix string) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if info.Size() <= most {
		text.Grow(int(info.Size()) + bytes.MinRead)
		_, err = text.ReadFrom(io.LimitReader(f, most+1)) // it may have grown
	}
	if max(info.Size(), int64(text.Len())) > most {
		return nil, fmt.Errorf("%w: %s has more than the %s that such a file may have: %s", kind, f.Name(), FormatBytes(most), fix)
	}
	return text.Bytes(), err
}
