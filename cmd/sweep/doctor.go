package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// The states of a finding.
const (
	findingOK   = "ok"
	findingWarn = "warning" // it works, but not as well as it could
	findingFail = "problem" // `sweep run` would fail
)

// finding is one line of `sweep doctor`: what was looked at, what was found, and one fix if that is not good.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state" values:"ok,warning,problem"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// diagnosis is the whole result, with the numbers that programs want beside the findings that people read.
type diagnosis struct {
	Findings    []finding           `json:"findings"`
	Backend     backend.Choice      `json:"backend"`
	Backends    []backend.Candidate `json:"backends"`
	Versions    map[string]string   `json:"versions"`
	Cores       int                 `json:"cores"`
	MemoryBytes int64               `json:"memory_bytes"`
	Root        string              `json:"root"`
	FileSystem  string              `json:"file_system"`
	FreeBytes   *int64              `json:"free_bytes"` // null where the file system does not say
}

func newDoctorCommand(a *app) *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine offers and whether the root is sound, with one fix per finding",
		Long: `doctor looks at everything that sweep run needs and says what it found, with one fix per finding that is not good:
plug-ins, devices, cores, memory, disk, and in the root the database, the trials' folders, what is cached, and whether
they say the same. It leaves nothing behind and downloads nothing. It ends with exit code 1 if sweep run would fail or
something in the root is damaged.

--repair makes a root whole. A database that is lost or damaged is rebuilt from the trials' folders, and the old one kept
aside, never deleted. One that is sound stays, whatever the folders lack; what it lacks is added, and only of attempts
whose logs say something else it is corrected, in a new file. Damaged files of attempts are kept aside (.damaged-1), and
what is good of them, and what the database has, is written in their place: a trial whose log ended there goes on from
its checkpoint. What is left of writes that a crash tore, and damaged entries of the cache, are removed. What is lost
for good is a finding, so that the exit code is 1 then, and 0 when it is run again. A database that cannot be read now,
because it is locked or the disk fails, is left as it is. It refuses (exit code 6) while a command that writes, a worker or
a job of a cluster is at work, and can be run again at any time, also after it was killed. See sweep help resume.`,
		Example: `  sweep doctor
  sweep doctor --root runs
  sweep doctor --root runs --repair`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var lost []finding
			if repair {
				var err error
				if lost, err = a.repair(cmd.Context()); err != nil {
					return err
				}
			}
			return a.doctor(cmd.Context(), lost)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "make the root whole out of its trials' folders first")
	return cmd
}

// doctor examines everything. What a repair before it found to be lost is among the findings.
func (a *app) doctor(ctx context.Context, lost []finding) error {
	d := a.examine(ctx)
	for i, f := range lost {
		if d.enough(f.Check, i, len(lost), f.Fix) {
			break
		}
		d.add(f)
	}
	err := a.emit("doctor", d, func(w io.Writer) error { return writeFindings(w, d.Findings) }, func() ([]string, [][]string) {
		var rows [][]string
		for _, f := range d.Findings {
			rows = append(rows, []string{f.Check, f.State, f.Detail, f.Fix})
		}
		return []string{"check", "state", "detail", "fix"}, rows
	})
	if err != nil {
		return err
	}
	for _, f := range d.Findings {
		if f.State == findingFail {
			return withCode(exitError, nil)
		}
	}
	return nil
}

func writeFindings(w io.Writer, findings []finding) error {
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "%-8s %-9s %s\n", f.State, f.Check, f.Detail); err != nil {
			return err
		}
		if f.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%18s fix: %s\n", "", f.Fix); err != nil {
			return err
		}
	}
	return nil
}

// examine looks at everything, cheapest first.
func (a *app) examine(ctx context.Context) diagnosis {
	d := diagnosis{Versions: backend.Versions(), Cores: runtime.NumCPU(), Root: a.root}
	d.Versions["program"] = version
	d.add(goFinding(ctx))
	d.addBackends(ctx, a.backend)
	d.addCores()
	d.addMemory()
	d.addRoot()
	d.addReaders()
	if _, err := os.Stat(filepath.Join(a.root, "trials")); err == nil || a.hasDatabase() {
		a.addWork(ctx, &d)
	}
	return d
}

func (d *diagnosis) add(f finding) { d.Findings = append(d.Findings, f) }

// goFinding looks for the Go distribution whose sources the built-in data sets are made of.
func goFinding(ctx context.Context) finding {
	built := "built with " + runtime.Version()
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) != 2 {
		return finding{"go", findingWarn, built + "; no go command found", "install Go for the built-in data sets, or name files in data.train"}
	}
	return finding{Check: "go", State: findingOK, Detail: fmt.Sprintf("%s; %s in %s", built, lines[1], lines[0])}
}

// addBackends reports what --backend means here, and every plug-in that does not work.
func (d *diagnosis) addBackends(ctx context.Context, want string) {
	d.Backends = backend.List(ctx)
	for _, c := range d.Backends {
		if c.Error != "" {
			detail := c.Error
			if !strings.Contains(detail, c.PluginPath) {
				detail = c.PluginPath + ": " + detail
			}
			d.add(finding{"plug-in", findingWarn, detail, c.Fix})
		}
		if c.Libraries != nil {
			d.add(librariesFinding(c))
		}
	}
	choice, err := backend.Resolve(ctx, want)
	d.Backend = choice
	if err == nil && choice.Notice != "" {
		d.add(noticeFinding(choice))
	}
	switch {
	case err != nil:
		d.add(finding{"backend", findingFail, fmt.Sprintf("--backend %s: %v", want, err), "use --backend auto"})
	case choice.PluginPath == "" && choice.Notice != "":
	case choice.PluginPath == "":
		d.add(finding{Check: "backend", State: findingOK, Detail: choice.Identity})
	default:
		d.add(finding{Check: "backend", State: findingOK, Detail: fmt.Sprintf("%s: %s (%s, SHA-256 %s)",
			choice.Platform, choice.PluginPath, choice.PluginVersion, choice.PluginSHA256)})
		d.add(finding{Check: "devices", State: findingOK, Detail: strings.Join(choice.Devices, ", ")})
	}
}

// noticeFinding warns that something faster is not used.
func noticeFinding(c backend.Choice) finding {
	fix := "sweep backend install"
	if c.Platform != backend.PlatformGo {
		fix = "the finding about its plug-in has it; --backend " + c.Platform + " does without the GPU, and without this warning"
	}
	return finding{"backend", findingWarn, c.Notice, fix}
}

// librariesFinding says where a CUDA plug-in takes NVIDIA's libraries from.
func librariesFinding(c backend.Candidate) finding {
	l := c.Libraries
	switch {
	case l.Folder == "":
		return finding{
			"libraries", findingWarn, c.PluginPath + " has no nvidia folder beside it and takes the system's libraries",
			"sweep backend install --platform cuda brings its own",
		}
	case len(l.Missing) > 0:
		return finding{
			"libraries", findingWarn, l.Folder + " lacks " + strings.Join(l.Missing, ", "),
			"sweep backend install --platform cuda, or in that Python environment: pip install 'jax[cuda13]'",
		}
	default:
		return finding{Check: "libraries", State: findingOK, Detail: fmt.Sprintf("%d of NVIDIA in %s", len(l.Files), l.Folder)}
	}
}

func (d *diagnosis) addCores() {
	f := finding{Check: "cores", State: findingOK, Detail: fmt.Sprint(d.Cores)}
	usable, err := localCores()
	switch {
	case err != nil:
		f.State, f.Detail = findingWarn, err.Error()
	case usable < d.Cores:
		f.Detail = fmt.Sprintf("%d, of which a limit leaves %d", d.Cores, usable)
	}
	d.add(f)
}

// scarceMemory has room for one small trial with XLA, not for two: GPT-2 small at B=4, T=128 peaks at 1.4 GB
// (experiments/LOG.md 2026-11-23).
const scarceMemory = 2 << 30

func (d *diagnosis) addMemory() {
	n, err := backend.HostMemory()
	d.MemoryBytes = n
	switch {
	case err != nil:
		d.add(finding{"memory", findingWarn, err.Error(), "set limits.memory in the grid"})
	case n < scarceMemory:
		d.add(finding{"memory", findingWarn, trial.FormatBytes(n), "run one trial at a time: --jobs 1"})
	default:
		d.add(finding{Check: "memory", State: findingOK, Detail: trial.FormatBytes(n)})
	}
}

// scarceDisk leaves room for a corpus, a few adapters and checkpoints.
const scarceDisk = 1 << 30

// addRoot reports the file system that the root is on, or will be on once it is made.
func (d *diagnosis) addRoot() {
	dir := existing(d.Root)
	free, known, err := trial.FreeBytes(dir)
	if err != nil {
		d.add(finding{"root", findingFail, fmt.Sprintf("%s: %v", dir, err), "choose another folder with --root"})
		return
	}
	if known {
		d.FreeBytes = &free
	}
	kind, err := store.FileSystem(dir)
	if err != nil || kind == "" {
		kind = "unknown"
	}
	d.FileSystem = kind
	detail := fmt.Sprintf("%s on %s, %s free", d.Root, d.FileSystem, trial.FormatBytes(free))
	if !known {
		detail = fmt.Sprintf("%s on %s, which does not say how much is free", d.Root, d.FileSystem)
	}
	if err := store.CheckFolder(dir); err != nil {
		d.add(finding{"root", findingFail, err.Error(), "choose a folder on a local disk with --root"})
		return
	}
	switch err := probeFolder(dir); {
	case err != nil:
		d.add(finding{"root", findingFail, fmt.Sprintf("%s: nothing can be made there: %v", d.Root, err), "choose another folder with --root"})
	case known && free < scarceDisk:
		d.add(finding{"root", findingWarn, detail, "free some space, or choose another folder with --root"})
	default:
		d.add(finding{Check: "root", State: findingOK, Detail: detail})
	}
}

// addReaders warns where others on the machine can read what a root holds: a root from before roots were private, or from elsewhere.
func (d *diagnosis) addReaders() {
	info, err := os.Stat(d.Root)
	if err != nil || info.Mode()&0o055 == 0 {
		return
	}
	d.add(finding{
		"privacy", findingWarn, fmt.Sprintf("others on this machine can look into %s (%v), which holds text of your data", d.Root, info.Mode()),
		"chmod 700 " + d.Root + ", unless they should",
	})
}

// probeFolder makes a folder in dir and removes it again: permissions alone do not tell, on a read-only or a virtual file system.
func probeFolder(dir string) error {
	probe, err := os.MkdirTemp(dir, ".sweep-doctor-*")
	if err != nil {
		return err
	}
	return os.Remove(probe)
}

// existing returns the folder itself or its nearest parent that exists.
func existing(dir string) string {
	for {
		_, err := os.Stat(dir)
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
