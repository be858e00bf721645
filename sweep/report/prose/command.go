package prose

import (
	"cmp"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Shell says how a reader's shell reaches a sweep, so that advice is a command to paste. What is not known stands as a word to replace.
type Shell struct {
	Root     string // for --root; empty where commands find it without
	Database string // for --database; empty where the root holds it
	Sweep    string // its name
	Grid     string // path of the grid file

	space string // between a command's words; empty: an ordinary one
}

// NoBreak is a space at which no line is broken, however long it gets.
const NoBreak = "\u00a0"

// Unbroken has commands stay on one line; whoever prints them turns NoBreak into a space.
func (s Shell) Unbroken() Shell {
	s.space = NoBreak
	return s
}

// Command is a command of the program as a shell takes it.
func (s Shell) Command(args ...string) string {
	command := trial.Command(s.Root, args...)
	if s.Database != "" {
		command += " --database " + trial.Quote(s.Database)
	}
	return strings.ReplaceAll(command, " ", cmp.Or(s.space, " "))
}

// And is two commands of which the second follows where the first succeeds, kept together as each is.
func (s Shell) And(first, second string) string {
	space := cmp.Or(s.space, " ")
	return first + space + "&&" + space + second
}

// Extend is the command that takes up an edited grid.
func (s Shell) Extend() string { return s.onGrid("extend") }

// onGrid is a command on the sweep's grid file.
func (s Shell) onGrid(command string) string { return s.Command(command, cmp.Or(s.Grid, "GRID.yaml")) }

// on is a command on the sweep.
func (s Shell) on(command ...string) string {
	return s.Command(append(command, cmp.Or(s.Sweep, "NAME"))...)
}
