package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// InstallOptions say where a plug-in goes and comes from. The zero value installs for the current user.
type InstallOptions struct {
	Platform string         // PlatformCPU, which empty means, or PlatformCUDA
	Dir      string         // folder for the plug-in; empty means the first of PJRT_PLUGIN_LIBRARY_PATH, or the user's lib/go-xla
	Progress func(Progress) // called from the installing goroutine; may be nil

	// WheelIndex is the server asked for wheels; empty means PyPI's. A mirror needs no trust: the checksums are part of this program.
	WheelIndex string

	try   func(ctx context.Context, path string) error // replaces the child process in tests
	pause time.Duration                                // between tries of a download; 0 means a second
	cpu   *source                                      // nil means the one for this kind of machine
	cuda  *cudaSet                                     // nil means pinnedCUDA
	gpu   func() bool                                  // replaces the look for a GPU in tests
}

// Progress is one step of an installation, or a part of a download when Total is not 0 (-1: unknown).
type Progress struct {
	Message     string
	Done, Total int64
}

// defaultDir is where Install puts plug-ins: the first folder of PJRT_PLUGIN_LIBRARY_PATH, or the user's lib/go-xla.
func defaultDir() (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv(pjrt.PJRTPluginPathsEnv)) {
		if dir != "" {
			return filepath.Abs(dir)
		}
	}
	lib, err := installer.DefaultHomeLibPath()
	if err != nil {
		return "", fmt.Errorf("find the user's library folder: %w", err)
	}
	return filepath.Join(lib, "go-xla"), nil
}

// Install makes sure that a working plug-in is there and returns its choice: one that works already, or else for the CPU a wheel, for
// CUDA a set of wheels, all pinned by version and checksum (where there is no such wheel, go-xla's release). A plug-in gets its final
// name only after what was downloaded is verified and a child process has computed something with it, so that a crash at any moment
// leaves either no plug-in or a good one. On a machine without a GPU a CUDA plug-in is only loaded, and the choice's Notice says so.
// Several installations at once wait for each other.
func Install(ctx context.Context, o InstallOptions) (Choice, error) {
	get, ok := map[string]func(InstallOptions, context.Context) (string, error){
		"": InstallOptions.getCPU, PlatformCPU: InstallOptions.getCPU, PlatformCUDA: InstallOptions.getCUDA,
	}[o.Platform]
	if !ok {
		return Choice{}, fmt.Errorf("%w: nothing to install for %q: want %s or %s", trial.ErrInput, o.Platform, PlatformCPU, PlatformCUDA)
	}
	if c, ok := o.installed(ctx); ok {
		o.say("already there: %s", c.PluginPath)
		return o.noted(c), nil
	}
	if o.Dir == "" {
		dir, err := defaultDir()
		if err != nil {
			return Choice{}, err
		}
		o.Dir = dir
	}
	unlock, err := o.lock(ctx)
	if err != nil {
		return Choice{}, err
	}
	defer unlock()
	if c, ok := o.installed(ctx); ok { // another installation was faster
		o.say("already there: %s", c.PluginPath)
		return o.noted(c), nil
	}
	path, err := get(o, ctx)
	if err != nil {
		return Choice{}, err
	}
	c, err := o.resolver().path(ctx, path)
	return o.noted(c), err
}

// noted adds what a person should know of a plug-in that nothing was computed with.
func (o InstallOptions) noted(c Choice) Choice {
	if o.Platform == PlatformCUDA && len(c.Devices) == 0 {
		c.Notice = "it loads, but nothing was computed with it: this machine shows no NVIDIA device (/dev/nvidia*)"
	}
	return c
}

// getCPU installs the CPU plug-in.
func (o InstallOptions) getCPU(ctx context.Context) (string, error) {
	s := o.source()
	path, err := o.from(ctx, s)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("install the XLA CPU plug-in in %s: %s: %w", o.Dir, s.name, err)
	}
	return path, nil
}

// kind is how plug-ins of the platform are named: cpu or cuda.
func (o InstallOptions) kind() string {
	return strings.TrimPrefix(cmp.Or(o.Platform, PlatformCPU), "xla:")
}

// installed returns a plug-in for the platform that works: in the folder asked for, or anywhere if none was.
func (o InstallOptions) installed(ctx context.Context) (Choice, bool) {
	r := o.resolver()
	c, err := r.first(ctx, o.kind(), "xla:"+o.kind())
	if err != nil && len(r.named(o.kind())) > 0 {
		o.say("not usable: %v", err)
	}
	return c, err == nil
}

// resolver looks in the folder asked for, or everywhere if none was. Where there is no GPU, loading is all that can be tried of a
// CUDA plug-in.
func (o InstallOptions) resolver() resolver {
	r := newResolver()
	if o.Dir != "" {
		r.find = func() map[string]string { return pluginsIn(o.Dir) }
	}
	if o.gpu != nil {
		r.gpu = o.gpu
	}
	switch {
	case o.try != nil:
		r.probe = func(ctx context.Context, path string) (probeResult, error) {
			return probeResult{Platform: "cpu", SHA256: strings.Repeat("0", 64)}, o.try(ctx, path)
		}
	case o.Platform == PlatformCUDA && !r.gpu():
		r.probe = probeLoading
	}
	return r
}

// lock waits for other installations in the same folder and removes what a killed one left behind.
func (o InstallOptions) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the plug-in folder: %w (choose another with --dir)", err)
	}
	l := flock.New(filepath.Join(o.Dir, ".install.lock"))
	if _, err := l.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock the plug-in folder %s: %w", o.Dir, err)
	}
	left, err := filepath.Glob(filepath.Join(o.Dir, ".installing-*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tidy up %s: %w", o.Dir, err), l.Unlock())
	}
	return func() { _ = l.Unlock() }, nil
}

// from installs the plug-in of one source.
func (o InstallOptions) from(ctx context.Context, s source) (path string, err error) {
	o.say("looking for %s", s.name)
	a, err := s.lookup(ctx)
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(o.Dir, ".installing-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	archive := filepath.Join(work, "archive.tar.gz")
	if err := download(ctx, a.url, archive, cmp.Or(o.pause, time.Second), func(done, total int64) {
		o.report(Progress{Message: a.name, Done: done, Total: total})
	}); err != nil {
		return "", err
	}
	if err := verify(archive, a.sha256); err != nil {
		return "", fmt.Errorf("%s: %w", a.name, err)
	}
	plugin, err := a.extract(archive, work)
	if err != nil {
		return "", fmt.Errorf("unpack %s: %w", a.name, err)
	}
	o.say("trying it")
	if err := o.check(ctx, plugin, a); err != nil {
		return "", err
	}
	return place(plugin, o.Dir, 0o755)
}

// extract unpacks the plug-in and returns its path below work.
func (a artefact) extract(archive, work string) (string, error) {
	if a.zipped {
		plugin := filepath.Join(work, a.plugin)
		return plugin, installer.ExtractFileFromZip(archive, a.plugin, plugin)
	}
	return untar(archive, a.plugin, work, mostBytes)
}

// check verifies the plug-in's own checksum, where it is known, and computes with it in a child process.
func (o InstallOptions) check(ctx context.Context, plugin string, a artefact) error {
	if a.pluginSHA256 != "" {
		if err := verify(plugin, a.pluginSHA256); err != nil {
			return fmt.Errorf("%s: %w", a.plugin, err)
		}
	}
	if o.try != nil {
		return o.try(ctx, plugin)
	}
	p, err := runProbe(ctx, plugin)
	if err == nil && p.Platform != "cpu" {
		err = fmt.Errorf("it is for %s", p.Platform)
	}
	if err != nil {
		return fmt.Errorf("the plug-in does not work on this machine: %w", err)
	}
	return nil
}

// place gives a verified file its final name: synced first, renamed, and the folder synced.
func place(file, dir string, mode os.FileMode) (string, error) {
	f, err := trial.OpenInput(file)
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("write %s: %w", file, err)
	}
	final := filepath.Join(dir, filepath.Base(file))
	if err := os.Rename(file, final); err != nil {
		return "", err
	}
	return final, trial.SyncFolder(dir)
}

func verify(path, want string) error {
	got, err := fileSHA256(path)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("SHA-256 is %s, want %s: not installed", got, want)
	}
	return nil
}

func (o InstallOptions) say(format string, args ...any) {
	o.report(Progress{Message: fmt.Sprintf(format, args...)})
}

func (o InstallOptions) report(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}
