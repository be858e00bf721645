package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// logTexts writes what is logged in the form of all other messages: warning: MESSAGE: ERROR (KEY VALUE, …).
type logTexts struct {
	out   io.Writer
	level slog.Level
	attrs []slog.Attr
}

func newLog(out io.Writer, level slog.Level) *slog.Logger {
	return slog.New(logTexts{out: out, level: level})
}

// Enabled implements slog.Handler.
func (h logTexts) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle implements slog.Handler.
func (h logTexts) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	switch {
	case r.Level >= slog.LevelError:
		text = "error: " + text
	case r.Level >= slog.LevelWarn:
		text = "warning: " + text
	}
	var beside []string
	add := func(a slog.Attr) bool {
		switch value := a.Value.Resolve().String(); {
		case a.Value.Any() == nil || value == "":
		case a.Key == errorKey:
			text += ": " + value
		default:
			beside = append(beside, a.Key+" "+value)
		}
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	if len(beside) > 0 {
		text += " (" + strings.Join(beside, ", ") + ")"
	}
	_, err := fmt.Fprintln(h.out, forPeople(h.out, text))
	return err
}

// errorKey is of what went wrong.
const errorKey = "error"

// WithAttrs implements slog.Handler.
func (h logTexts) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = slices.Concat(h.attrs, attrs)
	return h
}

// WithGroup implements slog.Handler. A group has no name in a message.
func (h logTexts) WithGroup(string) slog.Handler { return h }
