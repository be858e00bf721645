package trainer

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

const (
	// CheckpointFolder is an attempt's folder of checkpoints, the newest last.
	CheckpointFolder = "checkpoints"
	checkpointSuffix = ".ckpt"
	// checkpointMagic ends every complete checkpoint file, after the SHA-256 of all that precedes the sum.
	checkpointMagic = "SWEEPCK1"
	// keptCheckpoints is how many an attempt keeps: should the newest turn out damaged, there is the one before.
	keptCheckpoints = 2
)

// errDamaged marks a checkpoint file that is torn, altered or of another trial.
var errDamaged = fmt.Errorf("%w checkpoint", trial.ErrDamaged)

// saveCheckpoint writes the state into an attempt's folder and removes the checkpoints it replaces. When it returns, the
// file is safe.
func saveCheckpoint(dir string, c checkpoint) error {
	folder := filepath.Join(dir, CheckpointFolder)
	if err := trial.MakeFolder(folder); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	name := fmt.Sprintf("step-%08d%s", c.Step, checkpointSuffix)
	if err := trial.WriteAtomic(filepath.Join(folder, name), c.encode); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return pruneCheckpoints(folder)
}

func pruneCheckpoints(folder string) error {
	names, err := checkpointNames(folder)
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-keptCheckpoints)] {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("remove old checkpoint: %w", err)
		}
	}
	return nil
}

// removeCheckpoints deletes the checkpoints in these attempts' folders once their trial needs none.
func removeCheckpoints(dirs []string) error {
	for _, dir := range dirs {
		if trial.CheckFolder(dir) != nil {
			continue // none of ours: what a link leads to is not removed
		}
		if err := os.RemoveAll(filepath.Join(dir, CheckpointFolder)); err != nil {
			return fmt.Errorf("remove checkpoints of a finished trial: %w", err)
		}
	}
	return nil
}

// checkpointNames lists the checkpoint files in a folder by ascending step. No folder means none.
func checkpointNames(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a file in its place holds none: saving says so
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), checkpointSuffix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// loadCheckpoint returns the trial's newest good checkpoint in these attempts' folders, or nil when there is none. Damaged
// and unreadable ones are passed over; warn is told of each. Where none is good and some could not be read it fails: what they hold is
// worth another attempt.
func loadCheckpoint(dirs []string, id trial.ID, warn func(error)) (*checkpoint, error) {
	return newestCheckpoint(dirs, id, warn, (*checkpoint).fill)
}

// newestCheckpoint is loadCheckpoint that leaves the tensors to a function.
func newestCheckpoint(dirs []string, id trial.ID, warn func(error), fill func(*checkpoint, *io.SectionReader) error) (*checkpoint, error) {
	var paths []string
	var unreadable error
	for _, dir := range dirs {
		folder := filepath.Join(dir, CheckpointFolder)
		names, err := checkpointNames(folder)
		if err != nil {
			warn(fmt.Errorf("checkpoints of %s passed over: %w", dir, err))
			unreadable = cmp.Or(unreadable, err)
		}
		for _, name := range names {
			paths = append(paths, filepath.Join(folder, name))
		}
	}
	slices.SortStableFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(b), filepath.Base(a)) })
	for _, path := range paths {
		c, err := readCheckpoint(path, id, fill)
		if err == nil {
			return c, nil
		}
		warn(fmt.Errorf("checkpoint %s passed over: %w", path, err))
		if !errors.Is(err, trial.ErrDamaged) {
			unreadable = cmp.Or(unreadable, err)
		}
	}
	if unreadable != nil {
		return nil, fmt.Errorf("what the trial has reached cannot be read: %w; make it readable, or delete it to train from the start",
			unreadable)
	}
	return nil, nil
}

// Reached returns the step of the checkpoint that a trial with these attempts' folders goes on from, -1 where there is none.
func Reached(dirs []string, id trial.ID) (step int, err error) {
	c, err := newestCheckpoint(dirs, id, func(error) {}, noTensors)
	if c == nil {
		return -1, err
	}
	return c.Step, nil
}

func noTensors(*checkpoint, *io.SectionReader) error { return nil }

// readCheckpoint reads a checkpoint of the trial, or where id is empty, of any.
func readCheckpoint(path string, id trial.ID, fill func(*checkpoint, *io.SectionReader) error) (*checkpoint, error) {
	f, err := trial.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	c, body, err := openCheckpoint(f)
	if err == nil && c.ID != id && id != "" {
		err = fmt.Errorf("%w: it belongs to trial %s", errDamaged, c.ID)
	}
	if err == nil {
		err = fill(c, body)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parts are the tensor groups of a checkpoint file, by the prefix of their names.
func (c *checkpoint) parts() map[string]*map[string]weights.Array {
	return map[string]*map[string]weights.Array{"adapter/": &c.Adapter, "m/": &c.M, "v/": &c.V, "best/": &c.BestAdapter}
}

// encode writes the file: a safetensors body with the progress in its metadata, its SHA-256, and the magic. It is never whole in memory: a
// large adapter with its moments takes hundreds of megabytes.
func (c checkpoint) encode(w io.Writer) error {
	text, err := json.Marshal(c.progress)
	if err != nil {
		return err
	}
	tensors := make(map[string]weights.Array)
	for prefix, part := range c.parts() {
		for name, a := range *part {
			tensors[prefix+name] = a
		}
	}
	sum := sha256.New()
	if err := weights.Encode(io.MultiWriter(w, sum), tensors, weights.F32, map[string]string{"progress": string(text)}); err != nil {
		return err
	}
	_, err = w.Write(append(sum.Sum(nil), checkpointMagic...))
	return err
}

// openCheckpoint reads a file of encode, but no tensor, which the body has. What is in memory at once does not grow with the file.
func openCheckpoint(f *os.File) (*checkpoint, *io.SectionReader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	end := make([]byte, sha256.Size+len(checkpointMagic))
	body := io.NewSectionReader(f, 0, max(0, info.Size()-int64(len(end))))
	n, err := f.ReadAt(end, body.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	sum, ok := bytes.CutSuffix(end[:n], []byte(checkpointMagic))
	if !ok || len(sum) < sha256.Size {
		return nil, nil, fmt.Errorf("%w: it is cut off", errDamaged)
	}
	metadata, err := weights.Metadata(body, body.Size())
	if err != nil {
		return nil, nil, damagedFormat(err)
	}
	actual := sha256.New()
	if _, err := io.Copy(actual, body); err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(actual.Sum(nil), sum) {
		return nil, nil, fmt.Errorf("%w: its checksum does not match", errDamaged)
	}
	c := &checkpoint{}
	if err := json.Unmarshal([]byte(metadata["progress"]), &c.progress); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return c, body, nil
}

// damagedFormat tells what is damaged from what cannot be read now.
func damagedFormat(err error) error {
	if errors.Is(err, weights.ErrFormat) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}

// fill reads the tensors.
func (c *checkpoint) fill(body *io.SectionReader) error {
	tensors, _, err := weights.Decode(body, body.Size())
	if err != nil {
		return damagedFormat(err)
	}
	for prefix, part := range c.parts() {
		for name, a := range tensors {
			if key, ok := strings.CutPrefix(name, prefix); ok {
				if *part == nil {
					*part = make(map[string]weights.Array)
				}
				(*part)[key] = a
			}
		}
	}
	return nil
}

// CheckCheckpoint reports why a checkpoint file cannot be used, by its checksum.
func CheckCheckpoint(path string) error {
	_, err := readCheckpoint(path, "", noTensors)
	return err
}
