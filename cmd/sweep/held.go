package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// commandOn is a command on a sweep of this root, or on a grid, to be pasted.
func (a *app) commandOn(command, name string) string { return a.shell().Command(command, name) }

// shell is how whoever reads this program's messages reaches its root.
func (a *app) shell() prose.Shell {
	var s prose.Shell
	if !a.rootIsDefault() {
		s.Root = a.root
	}
	if a.database != "" {
		s.Database = a.database
	}
	return s
}

// shellOf is how whoever reads this program's messages reaches a sweep, and its grid file from here.
func (a *app) shellOf(info sweep.Info) prose.Shell {
	s := a.shell()
	s.Sweep, s.Grid = info.Name, info.GridPath
	if here, err := os.Getwd(); err == nil {
		if path, err := filepath.Rel(here, info.GridPath); err == nil && filepath.IsLocal(path) {
			s.Grid = path
		}
	}
	return s
}

// utcTime is how people are told a time that may be another machine's.
const utcTime = time.DateTime + " UTC"

// heldBy says who works on a sweep, and what can be done.
func (a *app) heldBy(name string, held *store.HeldError) string {
	who := "another command that has only just begun"
	if s := held.Session; s != nil {
		who = fmt.Sprintf("%q (process %d%s), since %s", cmp.Or(s.Command, "sweep"), s.PID, where(held), s.Started.UTC().Format(utcTime))
	}
	text := fmt.Sprintf("sweep %s is worked on by %s; %s shows how far it is, %s stops it",
		name, who, a.commandOn("status", name), a.commandOn("cancel", name))
	if held.Session != nil && !held.Here {
		text += fmt.Sprintf("; it was last heard from at %s: if its machine is gone, the sweep is free at %s",
			held.Heartbeat.UTC().Format(utcTime), held.Lapses().UTC().Format(utcTime))
	}
	return text
}

// where is the holder's terminal and, where it is another one, its machine.
func where(held *store.HeldError) (text string) {
	if held.Terminal != "" {
		text = " in terminal " + held.Terminal
	}
	if !held.Here {
		text += " on host " + held.Host
	}
	return text
}
