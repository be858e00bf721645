package chat

import (
	"fmt"
	"time"
)

// notes are what Warnings tells.
type notes struct {
	straddling noted     // rows with a token on both sides of a boundary
	unprompted noted     // rows whose answer begins otherwise than the generation prompt
	split      noted     // conversations of which each assistant turn is a row
	splitRows  int       // those rows
	beyond     noted     // of those rows the ones that were left out
	thoughts   noted     // conversations whose thoughts the template leaves out
	quoted     noted     // conversations whose tool calls the template quotes twice
	listed     noted     // conversations whose lists of parts the template writes otherwise than their text
	dated      time.Time // the date that a template may have written into a conversation
}

// noted are rows to warn of.
type noted struct {
	rows  int
	first string // where the first of them is
}

// note counts a row where something holds of it.
func (n *noted) note(holds bool, place string) {
	if !holds {
		return
	}
	if n.rows++; n.rows == 1 {
		n.first = place
	}
}

// Forget makes Warnings begin anew, for rows that are encoded once more.
func (n *notes) Forget() { *n = notes{dated: n.dated} }

// Warnings says what a person should know about the rows that were encoded.
func (n *notes) Warnings() []string {
	var warnings []string
	add := func(of noted, noun, format string, more ...any) {
		if of.rows > 0 {
			warnings = append(warnings, fmt.Sprintf(format, append([]any{counted(of.rows, noun), of.first}, more...)...))
		}
	}
	add(n.straddling, "row", "data: in %s a token reaches from the prompt into what is scored (the first at %s), and counts as scored: end "+
		"prompts where a token ends, without a space")
	add(n.unprompted, "row", "data: in %s the answer does not begin as the model's chat template prompts for it (the first at %s): the row "+
		"lacks that end of the prompt, which the model will see")
	add(n.split, "conversation", "data: in %s (the first at %s) the model's chat template writes earlier turns otherwise once others follow, "+
		"so each assistant turn is a row of its own, in the context that the model will see: %s", counted(n.splitRows, "row"))
	add(n.beyond, "assistant turn", "data: %s left out, for as a row of its own it would begin beyond sequence_length (the first at %s)")
	add(n.thoughts, "conversation", "data: in %s the model's chat template leaves out the thoughts of answers (the first at %s): they are "+
		"not trained on")
	add(n.quoted, "conversation", "data: in %s the arguments of tool calls are JSON text, which the model's chat template quotes once more "+
		"(the first at %s): write them as objects")
	add(n.listed, "conversation", "data: in %s content is a list of parts, which the model's chat template writes otherwise than the same "+
		"text as one string (the first at %s): it may print the list or leave it out. Look at it with sweep data, and if so join the "+
		"text parts into one string")
	if !n.dated.IsZero() {
		warnings = append(warnings, fmt.Sprintf("data: the model's chat template can write the current date into rows, here %s; rows "+
			"made anew on another day may differ: "+
			"keep the cache folder with the sweep, or train on a model folder whose template has a fixed date",
			n.dated.Format(time.DateOnly)))
	}
	return warnings
}

// counted is a number of things.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
