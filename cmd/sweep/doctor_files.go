package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// fileKind is a kind of file below a root that is checked, or that a crash leaves.
type fileKind struct {
	check    string
	patterns []string // below the root
	examine  func(path string) error
	state    string
	fix      func(path string) string // what helps
	mend     func(path string) error  // nil where nothing can be done about it
	mended   string                   // what mend has done
}

// errRemoval is what is found of a removal.
var errRemoval = errors.New("left of an rm or prune that was cut short; a command that opens the root to write finishes it, too")

// errLeftover is what is found of a write that was torn.
var errLeftover = errors.New("left of a write that a crash tore")

// fileKinds lists them. What is mended is what --repair mends.
func (d *diagnosis) fileKinds() []fileKind {
	repair := trial.Command(d.Root, "doctor", "--repair")
	always := func(fix string) func(string) string { return func(string) string { return fix } }
	attempt := "trials/" + strings.Repeat("[0-9a-f]", 16) + "/[1-9]*/"
	return []fileKind{
		{
			"adapters",
			[]string{attempt + trainer.AdapterFolder, attempt + trainer.LastAdapterFolder},
			weights.CheckSeal, findingFail,
			func(path string) string { return d.retrain(trialOf(filepath.Dir(path))) }, nil, "",
		},
		{
			"checkpoints",
			[]string{attempt + "checkpoints/*.ckpt"},
			trainer.CheckCheckpoint, findingWarn,
			func(path string) string {
				return d.goesOn(filepath.Dir(filepath.Dir(path))) + "; " + repair + " moves it aside"
			},
			func(path string) error { _, err := trial.MoveAside(path); return err }, "moved aside",
		},
		{
			"cache",
			[]string{"cache/*/info.json", "cache/*/*.rows"},
			checkCache, findingFail,
			always(repair + " removes it, and the next run makes it anew"), removeCache, "removed",
		},
		{"removals", []string{removedPrefix + "*"}, d.checkRemoval, findingWarn, always(repair + " finishes it"), nil, ""},
		{
			"leftovers",
			[]string{
				attempt + ".*", attempt + "*/.*", attempt + "adapter*.tmp", "cache/*.tmp", "sweep.db.repair-*", "sweep.db*.tmp-*",
			},
			func(string) error { return errLeftover }, findingWarn, always(repair), os.RemoveAll, "removed",
		},
	}
}

// checkRemoval fails for what a removal has left that does not go on.
func (d *diagnosis) checkRemoval(string) error {
	if goes, err := store.Removing(d.Root); goes || err != nil {
		return err
	}
	return errRemoval
}

func checkCache(path string) error {
	if strings.HasSuffix(filepath.Dir(path), ".tmp") {
		return nil // a leftover
	}
	c, err := corpus.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return c.Close()
}

func removeCache(path string) error { return os.RemoveAll(filepath.Dir(path)) }

// trialOf is the trial that an attempt's folder is of.
func trialOf(dir string) trial.ID { return trial.ID(filepath.Base(filepath.Dir(dir))) }

func (d *diagnosis) retrain(id trial.ID) string {
	return trial.Command(d.Root, "retry", string(id)) + " trains it again"
}

// goesOn says from where the trial of an attempt's folder goes on, of which a checkpoint is damaged.
func (d *diagnosis) goesOn(dir string) string {
	id := trialOf(dir)
	attempts, err := trial.Attempts(d.Root, id)
	if err != nil {
		return err.Error()
	}
	var dirs []string
	for _, a := range attempts {
		dirs = append(dirs, a.Dir(d.Root))
		events, _ := trial.ReadFolder(a.Dir(d.Root)) // what is damaged there is a finding of its own
		if n := len(events); n > 0 && events[n-1].Outcome != nil && events[n-1].Outcome.State == trial.OutcomeDone {
			return "nothing: its trial is done and needs none"
		}
	}
	switch step, err := trainer.Reached(dirs, id); {
	case err != nil:
		return err.Error()
	case step < 0:
		return "no other one is good: its trial begins again from the start"
	default:
		return fmt.Sprintf("nothing: its trial goes on from the good one of step %d", step)
	}
}

// addFiles checks every file of every kind.
func (d *diagnosis) addFiles() {
	for _, k := range d.fileKinds() {
		bad := telling{d: d, check: k.check, state: k.state}
		k.each(d.Root, func(path string, err error) {
			bad.tell(fmt.Sprintf("%s: %v", d.below(path), err), func() string { return k.fix(path) })
		})
		bad.end()
	}
}

// each visits what is not as it should be, one file of a corpus for all of it.
func (k fileKind) each(root string, visit func(path string, err error)) {
	seen := map[string]bool{}
	for _, pattern := range k.patterns {
		names, err := fs.Glob(os.DirFS(root), pattern) // the root's own name is no pattern
		if err != nil {
			visit(pattern, err)
		}
		for _, name := range names {
			path := filepath.Join(root, name)
			if throughLink(root, name) || k.check == "cache" && seen[filepath.Dir(path)] {
				continue
			}
			seen[filepath.Dir(path)] = true
			if err := k.examine(path); err != nil {
				visit(path, err)
			}
		}
	}
}

// throughLink reports whether a file below root lies elsewhere, because a folder above it is a link. ROOT/trials and ROOT/cache may be.
func throughLink(root, name string) bool {
	for dir := filepath.Dir(name); strings.Contains(filepath.ToSlash(dir), "/"); dir = filepath.Dir(dir) {
		if trial.CheckFolder(filepath.Join(root, dir)) != nil {
			return true
		}
	}
	return false
}

// mendFiles does what can be done about them, and says it.
func (a *app) mendFiles() error {
	d := diagnosis{Root: a.root}
	var errs []error
	for _, k := range d.fileKinds() {
		if k.mend == nil {
			continue
		}
		k.each(a.root, func(path string, err error) {
			if !errors.Is(err, trial.ErrDamaged) && !errors.Is(err, errLeftover) {
				return // it cannot be read now, and may be good
			}
			if mendErr := k.mend(path); mendErr != nil {
				errs = append(errs, mendErr)
				return
			}
			a.say("%s: %s: %v", k.mended, d.below(path), err)
		})
	}
	return errors.Join(errs...)
}
