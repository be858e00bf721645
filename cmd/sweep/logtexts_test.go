package main

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
)

// TestLogTexts: what is logged looks as all other messages do, and no error gets at the terminal.
func TestLogTexts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := newLog(&out, slog.LevelInfo)
	log.Debug("not told")
	log.Info("hand it in", "batch", "b-1")
	log.With("host", "node7").Warn("stop worker", "attempt", "a/1", "error", errors.New("no \x1b[2Jsuch process"))
	log.WithGroup("g").Error("kill worker", "error", error(nil), "because", "")
	want := "hand it in (batch b-1)\nwarning: stop worker: no \\u001b[2Jsuch process (host node7, attempt a/1)\nerror: kill worker\n"
	if got := out.String(); got != want {
		t.Errorf("log =\n%s\nwant\n%s", got, want)
	}
}
