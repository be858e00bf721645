package trial

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
)

// ErrDamaged says that a file is not as it was written: torn, altered, or not of this program.
var ErrDamaged = errors.New("damaged")

// A sealed JSON object ends with a member that sums up all before it: CRC-32C, which hardware computes (RFC 3720, section 12.1). It finds
// every burst of up to 32 wrong bits, and misses one in four billion of the others.
const (
	sealBefore = `,"crc32c":"`
	sealAfter  = `"}`
	sealHex    = 2 * crc32.Size
	sealSize   = len(sealBefore) + sealHex + len(sealAfter)
)

func castagnoli(b []byte) []byte {
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return fmt.Appendf(nil, "%08x", sum)
}

// Seal returns a JSON object that is not empty with its checksum as the last member.
func Seal(object []byte) []byte {
	body := bytes.TrimRight(bytes.TrimSuffix(bytes.TrimSpace(object), []byte("}")), " \n\t")
	sealed := make([]byte, 0, len(body)+sealSize)
	sealed = append(append(sealed, body...), sealBefore...)
	return append(append(sealed, castagnoli(body)...), sealAfter...)
}

// UnmarshalSealed reads a JSON object into v. What has no checksum was written by an earlier version, which knew no member that v has not:
// an unknown one is a checksum that was altered. Errors wrap ErrDamaged.
func UnmarshalSealed(text []byte, v any) error {
	if body, sum, sealed := cutSeal(text); sealed {
		if !bytes.Equal(sum, castagnoli(body)) {
			return fmt.Errorf("%w: its checksum is %s, not %s", ErrDamaged, castagnoli(body), printable(sum))
		}
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("more follows the object")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// cutSeal parts a sealed object from its checksum.
func cutSeal(text []byte) (body, sum []byte, sealed bool) {
	text = bytes.TrimSpace(text)
	cut := len(text) - sealSize
	if cut <= 0 {
		return text, nil, false
	}
	sum, before := bytes.CutPrefix(text[cut:], []byte(sealBefore))
	sum, after := bytes.CutSuffix(sum, []byte(sealAfter))
	return text[:cut], sum, before && after
}

// printable is the sum that was found, whatever became of it.
func printable(sum []byte) string {
	if _, err := hex.DecodeString(string(sum)); err != nil {
		return fmt.Sprintf("%q", sum)
	}
	return string(sum)
}

// ReadAssignment reads the spec.json of an attempt's folder.
func ReadAssignment(dir string) (Assignment, error) {
	var a Assignment
	if err := ReadSealed(filepath.Join(dir, SpecFile), &a); err != nil {
		return Assignment{}, err
	}
	return a, nil
}

// WriteAssignment writes the spec.json of an attempt's folder, so that a worker sees all of it or nothing.
func WriteAssignment(dir string, a Assignment) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return writeSealed(filepath.Join(dir, SpecFile), text)
}

// WriteSealed writes v to a file as a JSON object with its checksum, all of it or nothing.
func WriteSealed(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeSealed(path, text)
}

// ReadSealed reads what WriteSealed wrote.
func ReadSealed(path string, v any) error {
	text, err := ReadRegular(path, MostJSON)
	if err != nil {
		return err
	}
	if err := UnmarshalSealed(text, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func writeSealed(path string, object []byte) error {
	return WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(append(Seal(object), '\n'))
		return err
	})
}
