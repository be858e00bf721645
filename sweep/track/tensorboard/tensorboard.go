package tensorboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// New returns a sink that writes event files below dir, which it makes.
func New(dir string) track.Sink {
	return track.Runs(func(_ context.Context, r track.Run) error { return put(dir, r) })
}

func put(dir string, r track.Run) error {
	folder := filepath.Join(dir, fileName(r.Sweep.Name))
	if r.Trial != "" {
		folder = filepath.Join(folder, fileName(r.Name))
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	attempt, since := 0, r.Started
	for _, p := range r.Points {
		if p.Attempt > attempt && p.Kind != trial.EventMemory {
			attempt, since = p.Attempt, p.At
		}
	}
	path := filepath.Join(folder, fmt.Sprintf("events.out.tfevents.%010d.ranksweep.%d", since.Unix(), attempt))
	if err := extend(path, contents(r)); err != nil {
		return err
	}
	return removeOthers(path)
}

// fileName keeps what a run's folder may be called everywhere.
func fileName(name string) string {
	return strings.TrimLeft(regexp.MustCompile(`[^A-Za-z0-9._=+-]+`).ReplaceAllString(name, "_"), ".")
}

// extend makes a file hold the contents: by adding to it where it has their beginning.
func extend(path string, contents []byte) error {
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rest, ok := bytes.CutPrefix(contents, have)
	switch {
	case !ok:
		return trial.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write(contents); return err })
	case len(rest) == 0:
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(rest)
	return errors.Join(err, f.Close())
}

// removeOthers removes the files of earlier attempts, which path replaces.
func removeOthers(path string) error {
	folder, name := filepath.Split(path)
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		ours := strings.HasPrefix(e.Name(), "events.out.tfevents.") && strings.Contains(e.Name(), ".ranksweep.")
		if ours && e.Name() != name && err == nil {
			err = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
	return err
}

// contents are all of a run's file.
func contents(r track.Run) []byte {
	var file []byte
	file = appendRecord(file, message(nil).double(eventTime, seconds(r.Started)).text(eventFileVersion, "brain.Event:2"))
	// What a TensorBoard has read of an earlier file is no more.
	file = appendRecord(file, event(r.Started, 0, eventSessionLog, message(nil).integer(sessionStatus, sessionStart)))
	if r.Trial != "" {
		file = appendRecord(file, event(r.Started, 0, eventSummary, start(r)))
	}
	for _, p := range r.Points {
		if len(p.Values) > 0 {
			file = appendRecord(file, event(p.At, p.Step, eventSummary, scalars(p.Values)))
		}
	}
	if r.Status == track.Running {
		return file
	}
	if len(r.Summary) > 0 {
		file = appendRecord(file, event(r.Ended, r.Step, eventSummary, scalars(r.Summary)))
	}
	for _, tag := range r.Tags {
		if r.Trial != "" && tag.Name != "error" {
			continue // the tab of hyperparameters tells trials apart
		}
		file = appendRecord(file, event(r.Ended, r.Step, eventSummary, text(tag)))
	}
	if r.Trial != "" {
		file = appendRecord(file, event(r.Ended, r.Step, eventSummary, end(r)))
	}
	return file
}

func scalars(values []track.Value) message {
	var s message
	for _, v := range values {
		s = s.bytes(summaryValue, message(nil).text(valueTag, v.Name).float(valueSimple, float32(v.Value)))
	}
	return s
}

func text(f track.Field) message {
	tensor := message(nil).integer(tensorType, typeString).bytes(tensorShape, nil).text(tensorStrings, f.Value)
	return message(nil).bytes(summaryValue, plugin(f.Name, "text", nil, tensor))
}

// start says what the trial was given, for the tab of hyperparameters: what tells it apart from others.
func start(r track.Run) message {
	var info message
	for _, p := range r.Params {
		if !p.Axis {
			continue
		}
		value := message(nil).text(valueString, p.Value)
		if number, err := strconv.ParseFloat(p.Value, 64); err == nil {
			value = message(nil).double(valueNumber, number)
		}
		info = info.bytes(startHparams, message(nil).text(mapKey, p.Name).bytes(mapValue, value))
	}
	return hparams("session_start_info", hparamsStart, info.double(startTime, seconds(r.Started)))
}

// end says how the trial ended.
func end(r track.Run) message {
	const success, failure = 1, 2
	status := uint64(success)
	if r.Status != track.Finished {
		status = failure
	}
	return hparams("session_end_info", hparamsEnd, message(nil).integer(endStatus, status).double(endTime, seconds(r.Ended)))
}

func hparams(tag string, field protowire.Number, info message) message {
	content := message(nil).integer(hparamsVersion, 0).bytes(field, info)
	empty := message(nil).bytes(shapeDim, nil) // a dimension of size 0
	tensor := message(nil).integer(tensorType, typeFloat).bytes(tensorShape, empty)
	return message(nil).bytes(summaryValue, plugin("_hparams_/"+tag, "hparams", content, tensor))
}
