package tensorboard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/wire"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// New returns a sink that writes event files below dir, which it makes.
func New(dir string) track.Sink {
	return track.Runs(func(_ context.Context, r track.Run) error { return put(dir, r) })
}

func put(dir string, r track.Run) error {
	const short = 8 // characters, which tell sweeps of one name apart
	folder := filepath.Join(dir, wire.FileName(r.Sweep.Name+"-"+r.Sweep.ID()[:short]))
	if r.Trial != "" {
		folder = filepath.Join(folder, wire.FileName(r.Name))
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
	if err := wire.Extend(path, contents(r)); err != nil {
		return err
	}
	return removeOthers(path)
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
	file = appendRecord(file, wire.Message(nil).Double(eventTime, seconds(r.Started)).Text(eventFileVersion, "brain.Event:2"))
	// What a TensorBoard has read of an earlier file is no more.
	file = appendRecord(file, event(r.Started, 0, eventSessionLog, wire.Message(nil).Integer(sessionStatus, sessionStart)))
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

func scalars(values []track.Value) wire.Message {
	var s wire.Message
	for _, v := range values {
		s = s.Bytes(summaryValue, wire.Message(nil).Text(valueTag, v.Name).Float(valueSimple, float32(v.Value)))
	}
	return s
}

func text(f track.Field) wire.Message {
	tensor := wire.Message(nil).Integer(tensorType, typeString).Bytes(tensorShape, nil).Text(tensorStrings, f.Value)
	return wire.Message(nil).Bytes(summaryValue, plugin(f.Name, "text", nil, tensor))
}

// start says what the trial was given, for the tab of hyperparameters: what tells it apart from others.
func start(r track.Run) wire.Message {
	var info wire.Message
	for _, p := range r.Params {
		if !p.Axis {
			continue
		}
		value := wire.Message(nil).Text(valueString, p.Value)
		if number, err := strconv.ParseFloat(p.Value, 64); err == nil {
			value = wire.Message(nil).Double(valueNumber, number)
		}
		info = info.Bytes(startHparams, wire.Message(nil).Text(mapKey, p.Name).Bytes(mapValue, value))
	}
	return hparams("session_start_info", hparamsStart, info.Double(startTime, seconds(r.Started)))
}

// end says how the trial ended.
func end(r track.Run) wire.Message {
	const success, failure = 1, 2
	status := uint64(success)
	if r.Status != track.Finished {
		status = failure
	}
	return hparams("session_end_info", hparamsEnd, wire.Message(nil).Integer(endStatus, status).Double(endTime, seconds(r.Ended)))
}

func hparams(tag string, field protowire.Number, info wire.Message) wire.Message {
	content := wire.Message(nil).Integer(hparamsVersion, 0).Bytes(field, info)
	empty := wire.Message(nil).Bytes(shapeDim, nil) // a dimension of size 0
	tensor := wire.Message(nil).Integer(tensorType, typeFloat).Bytes(tensorShape, empty)
	return wire.Message(nil).Bytes(summaryValue, plugin("_hparams_/"+tag, "hparams", content, tensor))
}
