package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

func newPruneCommand(a *app) *cobra.Command {
	var yes, dry bool
	cmd := &cobra.Command{
		Use:   "prune [NAME]",
		Short: "Free disk: caches, old checkpoints, adapters of ranks that nobody recommends",
		Long: `prune removes what no sweep of the root needs: tokenised data of sweeps that are finished or removed, which is made again
where it is wanted; checkpoints of trials that are done; adapters of ranks that no finished sweep recommends; scripts and logs of a
cluster's jobs whose trials have ended. With NAME only what that sweep has.

The adapters of a recommended rank stay, of every seed, and so do those of the rank with the best mean, scouts, screened trials and
everything of a sweep that is not finished. Losses, curves and logs stay, so every report says the same as before. It says how many
bytes go and asks first; without a terminal it needs --yes.`,
		Example: `  sweep prune --dry-run
  sweep prune gpt2-notes
  sweep prune --yes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.prune(cmd.Context(), cmd, strings.Join(args, ""), yes, dry)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would go, and keep it")
	return cmd
}

// pruneView is what prune prints: what goes.
type pruneView struct {
	Files []prunable `json:"files"`
	Bytes int64      `json:"bytes"`
	Kept  bool       `json:"kept"` // all of it stays: --dry-run, or a person said no
}

// prunable is a folder that no sweep needs.
type prunable struct {
	Kind  prunableKind `json:"kind"`
	Path  string       `json:"path"` // below the root
	Bytes int64        `json:"bytes"`
}

type prunableKind string

const (
	pruneCache      prunableKind = "cache"       // tokenised data
	pruneCheckpoint prunableKind = "checkpoints" // of a trial that is done
	pruneAdapter    prunableKind = "adapter"     // of a rank that nobody recommends
	pruneBatch      prunableKind = "batch"       // what a cluster's jobs were given that are over
)

// prunedMark is a file of an attempt's folder that says that its adapters were pruned, and are not missing.
const prunedMark = trainer.AdapterFolder + ".pruned"

// pruned reports whether prune took the trial's adapters.
func (a *app) pruned(t *sweep.TrialFacts) bool {
	return slices.ContainsFunc(t.Attempts, func(at sweep.AttemptFacts) bool {
		_, err := os.Lstat(filepath.Join(at.ID.Dir(a.root), prunedMark))
		return err == nil && at.Outcome != nil && at.Outcome.State == trial.OutcomeDone
	})
}

func (a *app) prune(ctx context.Context, cmd *cobra.Command, name string, yes, dry bool) (err error) {
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if !dry {
		if err := a.finishRemovals(ctx, db); err != nil {
			return err
		}
	}
	view, err := a.readPrunables(ctx, db, name)
	if err != nil {
		return err
	}
	if view.Kept = dry; len(view.Files) == 0 {
		a.say("there is nothing to remove")
		return a.emitPruned(view, false)
	}
	a.say("%s in %s that no sweep needs", trial.FormatBytes(view.Bytes), plural(len(view.Files), "folder"))
	ask := !dry && !yes
	if ask {
		if err := writeTable(a.stderr, pruneHeader(), view.rows()); err != nil {
			return err
		}
	}
	if !dry {
		ok, err := a.confirmed(cmd, yes, "remove them for good?")
		if err != nil {
			return err
		}
		view.Kept = !ok
	}
	if !view.Kept {
		err := a.removing(func(trash string) error {
			now, err := a.readPrunables(ctx, db, name) // the question may have stood for hours, and a sweep have begun
			if err != nil {
				return err
			}
			view = view.within(now)
			return a.removeAll(view.Files, trash)
		})
		if err != nil {
			return err
		}
		a.say("removed %s in %s", trial.FormatBytes(view.Bytes), plural(len(view.Files), "folder"))
	}
	return a.emitPruned(view, !ask)
}

// emitPruned prints the view; as a table only where people have not seen it.
func (a *app) emitPruned(view pruneView, table bool) error {
	return a.emit("prune", view, func(w io.Writer) error {
		if !table {
			return nil
		}
		return writeTable(w, pruneHeader(), view.rows())
	}, func() ([]string, [][]string) { return []string{"what", "bytes", "folder"}, view.bytes() })
}

// readPrunables lists what the sweep of that name, or any without one, has that no sweep needs.
func (a *app) readPrunables(ctx context.Context, db *store.DB, name string) (pruneView, error) {
	all, own, err := readSweeps(ctx, db, name)
	if err != nil {
		return pruneView{}, err
	}
	batches, err := a.endedBatches(ctx, db, all, own, name == "")
	if err != nil {
		return pruneView{}, err
	}
	return a.prunables(sweep.NeededOf(all), own, batches, name == "")
}

// within is what of it is not needed now either.
func (v pruneView) within(now pruneView) pruneView {
	known := map[string]bool{}
	for _, f := range v.Files {
		known[f.Path] = true
	}
	both := pruneView{Files: []prunable{}, Kept: v.Kept}
	for _, f := range now.Files {
		if known[f.Path] {
			both.Files, both.Bytes = append(both.Files, f), both.Bytes+f.Bytes
		}
	}
	return both
}

// readSweeps reads all sweeps of the root, and again those of which something may go.
func readSweeps(ctx context.Context, db *store.DB, name string) (all, own []sweep.Snapshot, err error) {
	if name != "" {
		if _, err := findSweep(ctx, db, name); err != nil {
			return nil, nil, err
		}
	}
	names, err := db.Names(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		info, err := db.Find(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		s, err := db.Snapshot(ctx, info.ID)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, s)
		if name == "" || n == name {
			own = append(own, s)
		}
	}
	return all, own, nil
}

// corpusName is how a cache is called: by a fingerprint.
var corpusName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// prunables lists what of some sweeps' files is not needed; of all sweeps' also the caches that none of them has, as those of removed ones.
func (a *app) prunables(needed sweep.Needed, own []sweep.Snapshot, batches []string, all bool) (pruneView, error) {
	view := pruneView{Files: []prunable{}}
	seen := map[string]bool{}
	add := func(kind prunableKind, dir string) error {
		if seen[dir] {
			return nil
		}
		seen[dir] = true
		bytes, err := folderBytes(dir)
		if err != nil || bytes == 0 {
			return err
		}
		below, err := filepath.Rel(a.root, dir)
		view.Files = append(view.Files, prunable{kind, below, bytes})
		view.Bytes += bytes
		return err
	}
	var errs []error
	caches, err := os.ReadDir(filepath.Join(a.root, "cache"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return view, err
	}
	for _, c := range caches {
		if _, known := needed.Corpora[c.Name()]; all && !known && !needed.Unread && corpusName.MatchString(c.Name()) {
			errs = append(errs, add(pruneCache, filepath.Join(a.root, "cache", c.Name())))
		}
	}
	for _, dir := range batches {
		errs = append(errs, add(pruneBatch, dir))
	}
	for _, s := range own {
		for _, l := range s.Ladders {
			if fingerprint := l.Corpus.Fingerprint; !needed.Unread && !needed.Corpora[fingerprint] && fingerprint != "" {
				errs = append(errs, add(pruneCache, filepath.Join(a.root, "cache", filepath.Base(fingerprint))))
			}
			l.Each(func(_ int, t *sweep.TrialFacts) {
				for _, at := range t.Attempts {
					if !needed.Checkpoints[t.Trial.ID] {
						errs = append(errs, add(pruneCheckpoint, filepath.Join(at.ID.Dir(a.root), trainer.CheckpointFolder)))
					}
					if !needed.Adapters[t.Trial.ID] {
						errs = append(errs, add(pruneAdapter, filepath.Join(at.ID.Dir(a.root), trainer.AdapterFolder)),
							add(pruneAdapter, filepath.Join(at.ID.Dir(a.root), trainer.LastAdapterFolder)))
					}
				}
			})
		}
	}
	slices.SortStableFunc(view.Files, func(a, b prunable) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
	return view, errors.Join(errs...)
}

// removeAll removes folders, each at once: none is left half. An adapter is marked as pruned first.
func (a *app) removeAll(folders []prunable, trash string) error {
	for i, f := range folders {
		if f.Kind == pruneAdapter {
			mark := filepath.Join(a.root, filepath.Dir(f.Path), prunedMark)
			if err := trial.WriteAtomic(mark, func(io.Writer) error { return nil }); err != nil {
				return err
			}
		}
		err := os.Rename(filepath.Join(a.root, f.Path), filepath.Join(trash, strconv.Itoa(i)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", f.Path, err)
		}
	}
	return nil
}

func pruneHeader() []string { return []string{"what", "size", "folder"} }

func (v pruneView) rows() [][]string {
	rows := v.bytes()
	for i, f := range v.Files {
		rows[i][1] = trial.FormatBytes(f.Bytes)
	}
	return rows
}

// bytes are its rows with plain numbers.
func (v pruneView) bytes() [][]string {
	var rows [][]string
	for _, f := range v.Files {
		rows = append(rows, []string{string(f.Kind), strconv.FormatInt(f.Bytes, 10), f.Path})
	}
	return rows
}
