package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/viper"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/tensorboard"
)

// trackerKind is a tool of --track.
type trackerKind struct {
	name  string
	where string // what its value stands for, as the help has it
	// standard is where it goes without a value.
	standard func(root string) string
	open     func(where string) (track.Sink, error)
	// redacted is where without a password.
	redacted func(where string) string
}

// trackerKinds lists them.
func trackerKinds() []trackerKind {
	below := func(name string) func(string) string {
		return func(root string) string { return filepath.Join(root, name) }
	}
	same := func(where string) string { return where }
	return []trackerKind{
		{
			name: "tensorboard", where: "DIR", standard: below("tensorboard"), redacted: same,
			open: func(dir string) (track.Sink, error) { return tensorboard.New(dir), nil },
		},
	}
}

func trackerNames() []string {
	var names []string
	for _, k := range trackerKinds() {
		names = append(names, k.name)
	}
	return names
}

// trackerForms are the forms of a target, for help.
func trackerForms() string {
	var forms []string
	for _, k := range trackerKinds() {
		forms = append(forms, k.name+":"+k.where)
	}
	return strings.Join(forms, ", ")
}

// tracker is a tool to be kept up to date.
type tracker struct {
	kind  trackerKind
	where string
}

// name is its target as a person wrote it, without a password.
func (t tracker) name() string { return t.kind.name + ":" + t.kind.redacted(t.where) }

// parseTrackers reads targets, several of which may stand in one text.
func parseTrackers(texts []string, root string) ([]tracker, error) {
	var all []tracker
	for _, text := range slices.Concat(splitEach(texts)...) {
		name, where, _ := strings.Cut(text, ":")
		kinds := trackerKinds()
		i := slices.IndexFunc(kinds, func(k trackerKind) bool { return k.name == name })
		if i < 0 {
			return nil, usagef("--track %s: want %s", name, trackerForms())
		}
		t := tracker{kinds[i], where}
		if where == "" {
			t.where = t.kind.standard(root)
		}
		if t.where == "" {
			return nil, usagef("--track %s: say where: %s:%s", name, name, t.kind.where)
		}
		if _, err := t.kind.open(t.where); err != nil {
			return nil, usagef("--track %s: %w", t.name(), err)
		}
		if !slices.ContainsFunc(all, func(o tracker) bool { return o.name() == t.name() }) {
			all = append(all, t)
		}
	}
	return all, nil
}

func splitEach(texts []string) [][]string {
	var lists [][]string
	for _, text := range texts {
		lists = append(lists, strings.FieldsFunc(text, func(r rune) bool { return r == ',' }))
	}
	return lists
}

// settingTexts are a setting's values. A text of the environment or of a file is one: it may hold spaces and commas.
func settingTexts(v *viper.Viper, key string) []string {
	if text, ok := v.Get(key).(string); ok && !strings.HasPrefix(text, "[") {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	return v.GetStringSlice(key)
}

// startTracking keeps the tools of --track up to date with a sweep that this process works on. What they do never holds it up. Whoever calls
// it calls end, after the last fact was written: it says what is unsent.
func (a *app) startTracking(ctx context.Context, db *store.DB, id int64, name string, out io.Writer, kill <-chan struct{}) (end func()) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var following sync.WaitGroup
	for _, t := range a.trackers {
		following.Go(func() { a.followTool(running, db, id, name, t, out, kill) })
	}
	return func() {
		stop()
		following.Wait()
	}
}

// followTool keeps one tool up to date until ctx ends.
func (a *app) followTool(ctx context.Context, db *store.DB, id int64, name string, t tracker, out io.Writer, kill <-chan struct{}) {
	say := func(format string, args ...any) {
		if !a.quiet {
			fmt.Fprintln(out, forPeople(a.stderr, fmt.Sprintf(format, args...)))
		}
	}
	unsent, err := a.trackOnce(t, name, func(sink track.Sink) (int, error) {
		f := track.Follower{Store: db, Sweep: id, Sink: sink, Name: t.name(), Say: say}
		return f.Follow(ctx, kill)
	})
	if err != nil { // also with -q: it is an error, though the sweep has none
		fmt.Fprintf(out, "%s\n", forPeople(a.stderr, fmt.Sprintf("%s: %s not sent: %v; send with: %s",
			t.name(), unsentThings(unsent), err, a.trackCommand(name, t))))
	}
}

// trackOnce gives f the sink of a tool while no other process sends the sweep there.
func (a *app) trackOnce(t tracker, name string, f func(track.Sink) (int, error)) (unsent int, err error) {
	release, err := store.LockTarget(a.root, name+" "+t.name())
	if err != nil {
		return 0, err
	}
	defer release()
	sink, err := t.kind.open(t.where)
	if err != nil {
		return 0, err
	}
	return f(sink)
}

func unsentThings(n int) string {
	if n == 0 {
		return "what is new"
	}
	return plural(n, "run")
}

// trackCommand is what sends a sweep to a tool later.
func (a *app) trackCommand(name string, t tracker) string {
	command := fmt.Sprintf("sweep track %s --to %s", name, t.name())
	if !a.rootIsDefault() {
		command += " --root " + a.root
	}
	return command
}
