package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/mlflow"
	"github.com/ranksweep/ranksweep/sweep/track/notify"
	"github.com/ranksweep/ranksweep/sweep/track/tensorboard"
	"github.com/ranksweep/ranksweep/sweep/track/wandb"
)

// trackerKind is a tool of --track.
type trackerKind struct {
	name  string
	where string // what its value stands for, as the help has it
	// standard is where it goes without a value.
	standard func(root string) string
	open     func(where string) (track.Sink, error)
	// clean is where in the one form that it has, whoever writes it.
	clean func(where string) (string, error)
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
			name: "tensorboard", where: "DIR", standard: below("tensorboard"), clean: filepath.Abs, redacted: same,
			open: func(dir string) (track.Sink, error) { return tensorboard.New(dir), nil },
		},
		{
			name: "mlflow", where: "URL", redacted: redactedURL,
			standard: func(string) string { return os.Getenv("MLFLOW_TRACKING_URI") },
			clean:    func(address string) (string, error) { return strings.TrimRight(address, "/"), nil },
			open: func(address string) (track.Sink, error) {
				return mlflow.New(address, mlflow.Credentials{
					Token:    os.Getenv("MLFLOW_TRACKING_TOKEN"),
					Username: os.Getenv("MLFLOW_TRACKING_USERNAME"), Password: os.Getenv("MLFLOW_TRACKING_PASSWORD"),
				})
			},
		},
		{
			name: "wandb", where: "DIR", standard: below("wandb"), clean: filepath.Abs, redacted: same,
			open: func(dir string) (track.Sink, error) { return wandb.New(dir), nil },
		},
	}
}

// redactedURL is an address without its password.
func redactedURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	return u.Redacted()
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

// name is its target without a password.
func (t tracker) name() string { return t.kind.name + ":" + t.kind.redacted(t.where) }

// configureTracking reads --track and --notify for the commands that work with them: no other one fails for what they say.
func (a *app) configureTracking(v *viper.Viper, cmd *cobra.Command) (err error) {
	switch cmd.Name() {
	case "run", "resume", "confirm", "scout":
	case "track":
		if cmd.Flags().Changed("to") {
			return nil
		}
	default:
		return nil
	}
	if a.trackers, err = parseTrackers(settingTexts(v, "track"), a.root); err != nil {
		return err
	}
	for _, target := range settingTexts(v, "notify") {
		if err := notify.Check(target); err != nil {
			return usagef("--notify: %w", err)
		}
		if !slices.Contains(a.notify, target) {
			a.notify = append(a.notify, target)
		}
	}
	return nil
}

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
		var err error
		if t.where, err = t.kind.clean(t.where); err != nil {
			return nil, err
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
	if text, ok := v.Get(key).(string); ok {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	return v.GetStringSlice(key)
}

// startTracking keeps the tools of --track up to date with a sweep that this process works on, and tells those of --notify what happens.
// Neither ever holds it up. Whoever calls it calls end, after the last fact was written: it says what is unsent.
func (a *app) startTracking(ctx context.Context, db *store.DB, s sweep.Info, out io.Writer, kill <-chan struct{}) (end func()) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var following sync.WaitGroup
	f := track.Follower{Store: db, Sweep: s.ID, Say: func(format string, args ...any) {
		if !a.quiet {
			fmt.Fprintln(out, forPeople(a.stderr, fmt.Sprintf(format, args...)))
		}
	}}
	// Also with -q: it is an error, though not one of the sweep.
	fail := func(name, things string, unsent int, err error, then string) {
		text := "what is new"
		if unsent > 0 {
			text = plural(unsent, things)
		}
		fmt.Fprintln(out, forPeople(a.stderr, fmt.Sprintf("%s: %s not sent: %v; %s", name, text, err, then)))
	}
	for _, t := range a.trackers {
		following.Go(func() {
			unsent, err := a.trackOnce(t, s.Name, func(sink track.Sink) (int, error) {
				own := f
				own.Name, own.Sink = t.name(), sink
				return own.Follow(running, kill)
			})
			if err != nil {
				fail(t.name(), "run", unsent, err, "send with: "+a.trackCommand(s.Name, t))
			}
		})
	}
	for _, target := range a.notify {
		following.Go(func() {
			own := f
			own.Name = notify.Name(target)
			sink := &notify.Sink{
				Target: target, Notices: db.Notices(s.ID, target), Encode: encodeEvent, Ending: func() bool { return running.Err() != nil },
				Refused: func(e notify.Event, err error) {
					own.Say("warning: %s: event %s: %v; the sweep goes on, and the event is tried again", own.Name, e.ID, err)
				},
			}
			own.Sink = sink
			unsent, err := own.Follow(running, kill)
			if err == nil && unsent > 0 {
				err = sink.Refusal()
			}
			if err != nil {
				fail(own.Name, "event", unsent, err, "tried again when the sweep is resumed")
			}
		})
	}
	return func() {
		stop()
		following.Wait()
	}
}

func encodeEvent(e notify.Event) ([]byte, error) { return envelope("notify", e) }

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

// trackCommand is what sends a sweep to a tool later.
func (a *app) trackCommand(name string, t tracker) string {
	command := a.shell().Command("track", name, "--to", t.name())
	if strings.Contains(t.name(), ":xxxxx@") {
		command += " (with the password in place of xxxxx)"
	}
	return command
}
