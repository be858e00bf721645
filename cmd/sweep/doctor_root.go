package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// mostFindings is how many findings of one kind are told one by one.
const mostFindings = 10

// addSweeps looks at what was run in the root: the database, and whether the trials' folders say the same.
func (d *diagnosis) addSweeps(ctx context.Context) {
	repair := trial.Command(d.Root, "doctor", "--repair")
	d.addLinks()
	if err := store.NobodyWorks(d.Root); errors.Is(err, sweep.ErrLocked) {
		d.add(finding{Check: "sweeps", State: findingOK, Detail: "work goes on in it: look again afterwards; its files are compared only then"})
		return
	}
	scratch, err := os.MkdirTemp("", "sweep-doctor-*")
	if err != nil {
		d.add(finding{"sweeps", findingWarn, err.Error(), "make room for temporary files, or name another folder in TMPDIR"})
		return
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // temporary
	r, err := store.Examine(ctx, d.Root, scratch)
	if err != nil {
		fix := "mend what it names, and look again; sweep.db may be good. Where it stays so, move sweep.db and sweep.db-wal away, then " + repair
		d.add(finding{"database", findingFail, err.Error(), fix})
		return
	}
	before := len(d.Findings)
	d.addHealth(r, repair)
	d.addDifferences(r, repair)
	for i, l := range r.Losses {
		if d.enough("folders", i, len(r.Losses), repair) {
			break
		}
		d.add(finding{"folders", findingFail, d.wrong(l.Path, l.Err.Error()), repair})
	}
	stray := telling{d: d, check: "folders", state: findingWarn}
	for _, id := range r.Strays {
		stray.tell(fmt.Sprintf("trials/%s: no sweep in the database has this trial, nor says its folder whose it is", id), func() string {
			return "run its grid again, and what was trained is taken over"
		})
	}
	stray.end()
	d.addFiles()
	if r.Found == store.HealthSound {
		d.addMissing(ctx)
	}
	if len(d.Findings) == before && r.Found == store.HealthSound {
		d.add(finding{Check: "sweeps", State: findingOK, Detail: "the database is sound, and the trials' folders say the same"})
	}
}

// addLinks names the links of a root that are followed, and where they lead.
func (d *diagnosis) addLinks() {
	for _, name := range []string{"trials", "cache", "sweep.db"} {
		target, err := os.Readlink(filepath.Join(d.Root, name))
		if err != nil {
			continue // no link
		}
		what := fmt.Sprintf("%s is a link to %s: what is written and removed lies there", name, target)
		d.add(finding{"links", findingWarn, what, "where you have not made it, move it away"})
	}
}

// addMissing tells of trials that have a loss and no adapter any more, and that prune would have left it, and did.
func (d *diagnosis) addMissing(ctx context.Context) {
	a := &app{root: d.Root}
	var sweeps []sweep.Snapshot
	db, err := a.openReadOnly(ctx)
	if err == nil {
		sweeps, _, err = readSweeps(ctx, db, "")
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		d.add(finding{"adapters", findingWarn, err.Error(), "mend what it names, and look again"})
		return
	}
	needed := sweep.NeededOf(sweeps).Adapters
	gone := telling{d: d, check: "adapters", state: findingWarn}
	defer gone.end()
	for _, s := range sweeps {
		s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
			if t.State() != sweep.TrialDone || !needed[t.Trial.ID] {
				return
			}
			needed[t.Trial.ID] = false // sweeps share trials
			if _, err := a.adapterFolder(*t, false); exitCode(err) != exitNotFound || a.pruned(t) {
				return
			}
			what := fmt.Sprintf("trial %s (rank %d, seed %d) is done, and its adapter is gone", t.Trial.ID, t.Trial.Rank, t.Trial.Seed)
			gone.tell(what, func() string { return d.retrain(t.Trial.ID) })
		})
	}
}

// telling adds findings of one kind, mostFindings of them one by one.
type telling struct {
	d     *diagnosis
	check string
	state string
	n     int
}

func (t *telling) tell(what string, fix func() string) {
	if t.n++; t.n <= mostFindings {
		t.d.add(finding{t.check, t.state, what, fix()})
	}
}

// end sums up the others.
func (t *telling) end() {
	if t.n > mostFindings {
		t.d.add(finding{t.check, t.state, fmt.Sprintf("and %d more", t.n-mostFindings), "likewise"})
	}
}

// enough sums up what is more than mostFindings of one kind.
func (d *diagnosis) enough(check string, i, n int, fix string) bool {
	if i < mostFindings {
		return false
	}
	d.add(finding{check, findingFail, fmt.Sprintf("and %d more", n-i), fix})
	return true
}

// below is a path as seen from the root.
func (d *diagnosis) below(path string) string {
	if short, err := filepath.Rel(d.Root, path); err == nil && !strings.HasPrefix(short, "..") {
		return short
	}
	return path
}

// wrong says what is the matter with a file, and names it once.
func (d *diagnosis) wrong(path, why string) string {
	return d.below(path) + ": " + strings.ReplaceAll(why, "read "+path+": ", "")
}

func (d *diagnosis) addHealth(r store.Repaired, repair string) {
	switch {
	case r.Found == store.HealthMissing && !store.HasTrials(d.Root), r.Found == store.HealthSound:
	case r.Found == store.HealthOld:
		d.add(finding{"database", findingWarn, r.Why, trial.Command(d.Root, "resume") + " brings it up to date, after a backup"})
	case r.Found == store.HealthNewer:
		d.add(finding{"database", findingFail, r.Why, "use a newer sweep"})
	default:
		d.add(finding{"database", findingFail, "sweep.db: " + r.Why, repair})
	}
	for _, m := range r.Mended {
		d.add(finding{"database", findingFail, d.wrong(m.Path, m.Why), repair})
	}
}

func (d *diagnosis) addDifferences(r store.Repaired, repair string) {
	for i, diff := range r.TakenIn {
		if d.enough("database", i, len(r.TakenIn), repair) {
			break
		}
		switch {
		case diff.Side == store.SideBoth:
			what := fmt.Sprintf("it says something else of %s than its folder (table %s)", diff.About, diff.Table)
			d.add(finding{"database", findingFail, what, repair})
		case diff.Open:
			what := fmt.Sprintf("it does not have all of %s yet", diff.About)
			d.add(finding{"database", findingWarn, what, trial.Command(d.Root, "resume") + " takes it in"})
		default:
			what := fmt.Sprintf("it lacks something of %s that its folder has (table %s)", diff.About, diff.Table)
			d.add(finding{"database", findingFail, what, repair})
		}
	}
	for i, diff := range r.Gone {
		if i == mostFindings {
			d.add(finding{"folders", findingWarn, fmt.Sprintf("and %d more that the database alone knows", len(r.Gone)-i), d.keepAll()})
			break
		}
		d.addGone(diff, repair)
	}
}

// keepAll is what helps where only the database has something.
func (d *diagnosis) keepAll() string {
	return trial.Command(d.Root, "backup", "FILE.db") + " keeps what the database has"
}

// addGone says what only the database knows.
func (d *diagnosis) addGone(diff store.Difference, repair string) {
	if !diff.OfAttempt() {
		what := fmt.Sprintf("%s: the database has %s that its record in the trials' folders lacks: nothing is lost, but a database "+
			"made anew of the folders would not have it", diff.About, kept(diff.Table))
		d.add(finding{"folders", findingWarn, what, repair + " keeps it there, where a trial's folder is left"})
		return
	}
	id := trial.AttemptID(diff.About)
	what := "its folder does not tell all that the database has of it"
	for _, dir := range []string{filepath.Join(d.Root, "trials"), id.Trial().Dir(d.Root), id.Dir(d.Root)} {
		info, err := os.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			what = d.below(dir) + " is not there"
		case err != nil:
			what = err.Error()
		case info.Mode()&fs.ModeSymlink != 0 && dir != filepath.Join(d.Root, "trials"):
			what = d.below(dir) + " is a link, which is not followed"
		default:
			continue
		}
		break
	}
	fix := d.keepAll()
	if errors.Join(trial.CheckFolder(id.Trial().Dir(d.Root)), trial.CheckFolder(id.Dir(d.Root))) == nil {
		fix = repair + " writes it there"
	}
	d.add(finding{"folders", findingWarn, fmt.Sprintf("attempt %s: %s; the database has it, and goes on to count", id, what), fix})
}

// kept says what a table of the database keeps of a sweep.
func kept(table string) string {
	switch table {
	case "requests":
		return "a request (pause, resume, cancel or retry)"
	case "grids":
		return "a grid that it was given"
	case "confirmations":
		return "a wish to confirm it"
	case "sweeps":
		return "its name, grid and limits as they are now"
	}
	return "rows of table " + table
}

// hasDatabase reports whether a database, or what is left of one, lies in the root.
func (a *app) hasDatabase() bool {
	files, err := filepath.Glob(filepath.Join(a.root, "sweep.db*"))
	return err == nil && len(files) > 0
}

// repair makes the root whole and says what it did. It returns what is lost for good. What could not be mended is found by the examination
// that follows.
func (a *app) repair(ctx context.Context) (lost []finding, err error) {
	if _, err := os.Stat(a.root); err != nil {
		return nil, notFoundf("root %s: %w", a.root, err)
	}
	if err := a.refuseApart(); err != nil {
		return nil, err
	}
	if a.database != "" {
		return nil, usagef("a database beside its root is made anew by what comes first: move %s away, then: %s", a.databasePath(),
			a.shell().Command("resume"))
	}
	if err := a.nobodyWorksElsewhere(ctx); errors.Is(err, sweep.ErrLocked) {
		return nil, withCode(exitLocked, err)
	} else if err != nil {
		return nil, fmt.Errorf("whether jobs of a cluster run is not known: %w", err)
	}
	r, err := store.Repair(ctx, a.root, func() error { return errors.Join(a.finishAnyRemovals(ctx), a.mendFiles()) })
	if err == nil {
		err = a.finishAnyRemovals(ctx)
	}
	if errors.Is(err, sweep.ErrLocked) {
		return nil, withCode(exitLocked, a.workedOn(ctx, err))
	}
	if err != nil {
		return nil, fmt.Errorf("repair %s: %w", a.root, err)
	}
	a.sayRepaired(r)
	return a.lost(r), nil
}

func (a *app) sayRepaired(r store.Repaired) {
	d := diagnosis{Root: a.root}
	for _, m := range r.Mended {
		text := "mended: " + d.wrong(m.Path, m.Why)
		if m.Aside != "" {
			text += "; as it was it lies in " + d.below(m.Aside)
		}
		a.say("%s", text)
	}
	switch {
	case r.Aside != "":
		a.say("sweep.db: %s; it lies in %s now, and a new one was made of the trials' folders", orWhy(r.Why), r.Aside)
	case r.Found == store.HealthMissing && store.HasTrials(a.root):
		a.say("sweep.db was rebuilt from the trials' folders")
	case len(r.TakenIn) > 1:
		a.say("sweep.db has what it lacked of %s and others now", r.TakenIn[0].About)
	case len(r.TakenIn) > 0:
		a.say("sweep.db has what it lacked of %s now", r.TakenIn[0].About)
	}
}

// lost are the facts that a repair found neither in the database nor in the folders, or only in what it moved aside.
func (a *app) lost(r store.Repaired) (lost []finding) {
	d := diagnosis{Root: a.root}
	for _, m := range r.Mended {
		if m.Lost != "" {
			fix := "nothing brings it back; a trial that is not done goes on from its checkpoint with " + trial.Command(a.root, "resume")
			lost = append(lost, finding{"lost", findingFail, m.Lost, fix})
		}
	}
	for _, diff := range r.Gone {
		if r.Aside == "" {
			break // it stays
		}
		what := fmt.Sprintf("%s is in %s alone (table %s)", diff.About, d.below(r.Aside), diff.Table)
		lost = append(lost, finding{"lost", findingFail, what, "run its grid again, or put back a copy that sweep backup made"})
	}
	for _, l := range r.Losses {
		what := d.wrong(l.Path, l.Err.Error())
		lost = append(lost, finding{"lost", findingFail, what, "put back a copy of it and repair again, or run its grid again"})
	}
	return lost
}

func orWhy(why string) string {
	if why == "" {
		return "it says something else than the trials' folders"
	}
	return why
}

// workedOn names who works in the root, where the database can say it.
func (a *app) workedOn(ctx context.Context, locked error) error {
	db, err := store.OpenReadOnly(ctx, filepath.Join(a.root, "sweep.db"))
	if err != nil {
		return locked
	}
	defer db.Close() //nolint:errcheck // read only
	all, err := workedSweeps(ctx, db)
	if err != nil {
		return locked
	}
	for _, s := range all {
		if holder, err := db.Holder(ctx, s.ID); err == nil && holder != nil {
			return errors.New(a.heldBy(s.Name, &store.HeldError{Session: holder, Here: true}))
		}
	}
	return locked
}
