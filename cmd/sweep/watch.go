package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newWatchCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "watch [NAME]",
		Short: "Watch a sweep on the full screen (the latest without NAME)",
		Long: `watch shows a ladder as it climbs, its trials with step, losses, speed, memory and time left, the curves of the chosen one, its
memory against what was predicted and the limit, and the end of its log. It reads only, works over ssh, for a running sweep and a finished
one, and goes on when the coordinator ends. NO_COLOR turns colours off.

Keys: up and down choose a trial, left and right a ladder, tab shows curves or log alone, q ends it.`,
		Example: `  sweep watch
  sweep watch gpt2-notes
  ssh -t gpu-box sweep watch --root /data/runs`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.watch(cmd.Context(), strings.Join(args, "")) },
	}
}

// watch shows a sweep until the person has seen enough.
func (a *app) watch(ctx context.Context, name string) (err error) {
	switch {
	case a.output != "table" || a.out != "":
		return usagef("watch draws on a terminal: leave -o and --out away, or use sweep status -o json")
	case !isTerminal(a.stdout) || os.Getenv("TERM") == "dumb":
		return usagef("watch needs a terminal that can place text, and stdout is none: use sweep status")
	}
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	info, err := db.Find(ctx, name)
	if err != nil {
		return notFound(err)
	}
	workers, err := a.look(nil)
	if err != nil {
		return err
	}
	r := &watchReader{db: db, root: a.root, workers: workers, snapshot: sweep.Snapshot{Sweep: info}, rates: rates{}}
	model := watchModel{ctx: ctx, read: r.read, ladder: noLadder, resume: a.resumeCommand(info.Name)}
	_, err = tea.NewProgram(model, tea.WithContext(ctx), tea.WithInput(a.stdin), tea.WithOutput(a.stdout)).Run()
	if errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

const (
	watchEvery = time.Second // how often the database is read
	noLadder   = -1          // none was chosen yet
)

// watchModel is what the screen shows, and what the person chose.
type watchModel struct {
	ctx           context.Context // bubbletea's commands take none
	read          func(ctx context.Context, ladder int, chosen trial.ID) watched
	resume        string // the command that continues the sweep
	width, height int
	view          watchView
	ladder        int
	chosen        trial.ID
	data          watched
	read1st       bool
}

// watchView is what the lower part of the screen shows.
type watchView int

const (
	viewAll watchView = iota
	viewCurves
	viewLog
	views
)

// watchedMsg brings what was read; again says that the next reading is due a moment later.
type watchedMsg struct {
	data  watched
	again bool
}

type dueMsg struct{}

func (m watchModel) load(again bool) tea.Cmd {
	return func() tea.Msg { return watchedMsg{m.read(m.ctx, m.ladder, m.chosen), again} }
}

// Init reads the sweep for the first time.
func (m watchModel) Init() tea.Cmd { return m.load(true) }

// Update takes in a key, the terminal's size, or what was read.
func (m watchModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.press(msg.String())
	case dueMsg:
		return m, m.load(true)
	case watchedMsg:
		if msg.data.err != nil && m.read1st {
			m.data.err = msg.data.err // beside what was read before
		} else if stale := m.read1st && (msg.data.ladder != m.ladder || msg.data.chosen != m.chosen && m.chosen != ""); !stale {
			m.data, m.ladder, m.chosen, m.read1st = msg.data, msg.data.ladder, msg.data.chosen, true
		}
		if msg.again {
			return m, tea.Tick(watchEvery, func(time.Time) tea.Msg { return dueMsg{} })
		}
	}
	return m, nil
}

func (m watchModel) press(key string) (tea.Model, tea.Cmd) {
	switch key {
	case "q", "esc", "ctrl+c":
		return m, tea.Quit
	case "tab":
		m.view = (m.view + 1) % views
		return m, nil
	case "shift+tab":
		m.view = (m.view + views - 1) % views
		return m, nil
	case "up", "k":
		return m.choose(-1)
	case "down", "j":
		return m.choose(1)
	case "left", "h":
		return m.climb(-1)
	case "right", "l":
		return m.climb(1)
	}
	return m, nil
}

// choose goes so many trials down the list.
func (m watchModel) choose(by int) (tea.Model, tea.Cmd) {
	if len(m.data.trials) == 0 {
		return m, nil
	}
	at := min(max(m.data.index(m.chosen)+by, 0), len(m.data.trials)-1)
	m.chosen = m.data.trials[at].facts.Trial.ID
	return m, m.load(false)
}

// climb goes so many ladders on.
func (m watchModel) climb(by int) (tea.Model, tea.Cmd) {
	ladders := len(m.data.snapshot.Ladders)
	if ladders == 0 {
		return m, nil
	}
	m.ladder, m.chosen = min(max(m.ladder+by, 0), ladders-1), ""
	return m, m.load(false)
}

// View draws the screen.
func (m watchModel) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	return v
}
