package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gomlx/go-xla/installer"
	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// wheelFolder holds wheels until all are there: what was downloaded survives an interruption.
const wheelFolder = ".wheels"

// getCUDA installs the pinned set of wheels: all are downloaded and verified, then unpacked, tried and given their name.
func (o InstallOptions) getCUDA(ctx context.Context) (string, error) {
	set := pinnedCUDA()
	if o.cuda != nil {
		set = *o.cuda
	}
	if err := o.readyFor(set); err != nil {
		return "", fmt.Errorf("install %s in %s: %w", set.version, o.Dir, err)
	}
	files, err := o.fetchAll(ctx, set)
	if err != nil {
		return "", fmt.Errorf("install %s in %s: %w (run the command again: it continues where it stopped)", set.version, o.Dir, err)
	}
	path, err := o.unpack(ctx, set, files)
	if err != nil {
		return "", fmt.Errorf("install %s in %s: %w", set.version, o.Dir, err)
	}
	return path, os.RemoveAll(filepath.Join(o.Dir, wheelFolder))
}

// readyFor finds out before anything is downloaded what would make the download useless, and says what it will cost.
func (o InstallOptions) readyFor(set cudaSet) error {
	if err := checkMachine(set.version); err != nil {
		return err
	}
	if o.resolver().gpu() {
		if err := checkDriver(driverLibrary, set.driver); err != nil {
			return err
		}
	}
	final := filepath.Join(o.Dir, set.name)
	if _, err := os.Stat(final); err == nil {
		return fmt.Errorf("%s is there and does not work; delete it to download it again", final)
	}
	missing := set.download() - have(o.Dir, set)
	o.say("%s with %d libraries of NVIDIA: %s to download, %s when unpacked in %s", set.version, len(set.wheels)-1,
		trial.FormatBytes(missing), trial.FormatBytes(set.unpacked), final)
	free, known, err := trial.FreeBytes(o.Dir)
	if err != nil {
		return fmt.Errorf("free space: %w", err)
	}
	if need := missing + set.unpacked; known && need > free {
		return fmt.Errorf("it takes %s until the downloads are deleted, and %s is free; make room, or choose another folder with --dir",
			trial.FormatBytes(need), trial.FormatBytes(free))
	}
	return nil
}

// have is how much of the wheels an earlier installation downloaded.
func have(dir string, set cudaSet) (bytes int64) {
	for _, w := range set.wheels {
		if info, err := os.Stat(w.in(dir)); err == nil {
			bytes += min(info.Size(), w.size)
		}
	}
	return bytes
}

// in is where the wheel waits for the others.
func (w wheel) in(dir string) string {
	return filepath.Join(dir, wheelFolder, w.project+"-"+w.version+".whl")
}

// fetchAll downloads and verifies the wheels that are not there yet, and deletes those of another set.
func (o InstallOptions) fetchAll(ctx context.Context, set cudaSet) (files []string, err error) {
	dir := filepath.Join(o.Dir, wheelFolder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for i, w := range set.wheels {
		if err := o.fetch(ctx, w, fmt.Sprintf("%d of %d: %s", i+1, len(set.wheels), w)); err != nil {
			return nil, fmt.Errorf("%s: %w", w, err)
		}
		files = append(files, w.in(o.Dir))
	}
	for _, file := range glob(filepath.Join(dir, "*")) {
		if !slices.Contains(files, file) {
			err = errors.Join(err, os.Remove(file))
		}
	}
	return files, err
}

// fetch makes sure that the wheel is there and good. A part of it is continued; what cannot become good is deleted.
func (o InstallOptions) fetch(ctx context.Context, w wheel, label string) error {
	file := w.in(o.Dir)
	if info, err := os.Stat(file); err == nil && info.Size() >= w.size {
		if verify(file, w.sha256) == nil {
			return nil
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	_, address, err := locate(ctx, cmp.Or(o.WheelIndex, wheelIndex), w, installer.PipPackageLinuxAMD64())
	if err != nil {
		return err
	}
	if err := download(ctx, address, file, cmp.Or(o.pause, time.Second), func(done, total int64) {
		o.report(Progress{Message: label, Done: done, Total: total})
	}); err != nil {
		return err
	}
	if err := verify(file, w.sha256); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// unpack puts the wheels together, tries the plug-in and gives the folder its name.
func (o InstallOptions) unpack(ctx context.Context, set cudaSet, files []string) (path string, err error) {
	work, err := os.MkdirTemp(o.Dir, ".installing-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	tree := filepath.Join(work, set.name)
	for i, file := range files {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		o.say("unpacking %d of %d", i+1, len(files))
		if _, err := installer.Unzip(file, tree); err != nil {
			return "", fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
		}
	}
	o.say("trying it")
	if _, err := o.resolver().path(ctx, filepath.Join(tree, set.plugin)); err != nil {
		return "", err
	}
	unix.Sync() // before the name: after a loss of power a folder of that name is whole
	if err := os.Rename(tree, filepath.Join(o.Dir, set.name)); err != nil {
		return "", err
	}
	unix.Sync()
	return filepath.Join(o.Dir, set.name, set.plugin), nil
}
