package wandb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/wire"
)

// New returns a sink that writes folders of offline runs below dir, which it makes.
func New(dir string) track.Sink {
	return track.Runs(func(_ context.Context, r track.Run) error { return put(dir, r) })
}

func put(dir string, r track.Run) error {
	folder := filepath.Join(dir, "offline-run-"+r.Started.UTC().Format("20060102_150405")+"-"+id(r))
	if err := os.MkdirAll(filepath.Join(folder, "files"), 0o755); err != nil {
		return err
	}
	path := filepath.Join(folder, "run-"+id(r)+".wandb")
	before, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := wire.Extend(path, contents(r)); err != nil {
		return err
	}
	after, err := os.Stat(path)
	if err != nil || before != nil && before.Size() == after.Size() && before.ModTime().Equal(after.ModTime()) {
		return err
	}
	// What has changed is to be uploaded again.
	if err := os.Remove(path + ".synced"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// id is the run's own among all of a project's.
func id(r track.Run) string {
	sum := sha256.Sum256([]byte(r.Sweep.Key + "/" + string(r.Trial)))
	const length = 8
	return hex.EncodeToString(sum[:length])
}

// Fields of wandb_internal.proto.
const (
	recordNumber, recordHistory, recordSummary, recordRun, recordExit, recordHeader = 1, 2, 3, 17, 18, 21

	headerVersion, versionProducer, versionMinConsumer = 1, 1, 2

	runID, runProject, runConfig, runGroup, runJobType, runName, runTags, runStart = 1, 3, 4, 6, 7, 8, 10, 17

	update, itemKey, itemValue  = 1, 1, 16 // of ConfigRecord, SummaryRecord; of their items
	historyItem, historyStep    = 1, 2
	historyKey, stepNumber      = 2, 1
	exitCode, exitRuntime       = 1, 2
	timeSeconds, timeNanosecond = 1, 2
)

// minConsumer is the oldest wandb that reads this, as wandb 0.29 says of its own.
const minConsumer = "0.70.0"

// contents are all of a run's file.
func contents(r track.Run) []byte {
	l := newLog()
	version := wire.Message(nil).Text(versionProducer, "ranksweep").Text(versionMinConsumer, minConsumer)
	l.record(recordHeader, wire.Message(nil).Bytes(headerVersion, version))
	l.record(recordRun, run(r))
	rows := rows(r)
	for _, row := range rows {
		l.record(recordHistory, row.message(r.Started))
	}
	if r.Status == track.Running {
		return l.file
	}
	l.record(recordSummary, summary(r, rows))
	code := uint64(0)
	if r.Status != track.Finished {
		code = 1
	}
	l.record(recordExit, wire.Message(nil).Integer(exitCode, code).Integer(exitRuntime, uint64(max(0, r.Ended.Sub(r.Started).Seconds()))))
	return l.file
}

// run says what the run was given. What comes later, such as a verdict, is in the summary.
func run(r track.Run) wire.Message {
	var config wire.Message
	for _, p := range r.Params {
		config = config.Bytes(update, wire.Message(nil).Text(itemKey, p.Name).Text(itemValue, asJSON(p.Value)))
	}
	kind := "trial"
	if r.Trial == "" {
		kind = "sweep"
	}
	start := wire.Message(nil).Integer(timeSeconds, uint64(r.Started.Unix())).Integer(timeNanosecond, uint64(r.Started.Nanosecond()))
	return wire.Message(nil).Text(runID, id(r)).Text(runProject, wire.FileName(r.Sweep.Name)).Bytes(runConfig, config).
		Text(runGroup, r.Sweep.Name).Text(runJobType, kind).Text(runName, r.Name).Text(runTags, "ranksweep").Bytes(runStart, start)
}

// asJSON keeps a number one, and what is JSON already.
func asJSON(value string) string {
	if json.Valid([]byte(value)) {
		return value
	}
	return track.JSON(value)
}

// row is what was measured at one step.
type row struct {
	step   int
	at     time.Time
	values []track.Value
}

// rows are the steps that are complete.
func rows(r track.Run) []row {
	var all []row
	for _, p := range r.Points {
		if n := len(all); n == 0 || all[n-1].step < p.Step {
			all = append(all, row{step: p.Step})
		}
		last := &all[len(all)-1]
		last.at, last.values = p.At, append(last.values, p.Values...)
	}
	if n := len(all); n > 0 && r.Status == track.Running {
		return all[:n-1]
	}
	return all
}

func (w row) message(started time.Time) wire.Message {
	var m wire.Message
	add := func(key, value string) {
		m = m.Bytes(historyItem, wire.Message(nil).Text(historyKey, key).Text(itemValue, value))
	}
	for _, v := range w.values {
		add(v.Name, track.JSON(v.Value))
	}
	add("_timestamp", track.JSON(float64(w.at.UnixNano())/float64(time.Second)))
	add("_runtime", track.JSON(w.at.Sub(started).Seconds()))
	add("_step", strconv.Itoa(w.step))
	return m.Bytes(historyStep, wire.Message(nil).Integer(stepNumber, uint64(max(0, w.step))))
}

// summary is each number's last value, what came of the run, and its tags.
func summary(r track.Run, rows []row) wire.Message {
	var names []string
	values := map[string]string{}
	set := func(name, value string) {
		if _, known := values[name]; !known {
			names = append(names, name)
		}
		values[name] = value
	}
	for _, w := range rows {
		for _, v := range w.values {
			set(v.Name, track.JSON(v.Value))
		}
	}
	for _, v := range r.Summary {
		set(v.Name, track.JSON(v.Value))
	}
	for _, t := range r.Tags {
		set(t.Name, track.JSON(t.Value))
	}
	if len(rows) > 0 {
		set("_step", strconv.Itoa(rows[len(rows)-1].step))
	}
	var m wire.Message
	for _, name := range names {
		m = m.Bytes(update, wire.Message(nil).Text(itemKey, name).Text(itemValue, values[name]))
	}
	return m
}

// log is a file in LevelDB's framing (leveldb/doc/log_format.md).
type log struct {
	file    []byte
	records uint64
}

const (
	block = 32 << 10 // bytes
	head  = 7        // bytes before a fragment
)

// Types of fragments.
const (
	full = iota + 1
	first
	middle
	last
)

func newLog() *log {
	const magic, version = 0xbee1, 0
	file := binary.LittleEndian.AppendUint16([]byte(":W&B"), magic)
	return &log{file: append(file, version)}
}

// record adds a Record with one field.
func (l *log) record(field protowire.Number, body wire.Message) {
	l.records++
	data := wire.Message(nil).Integer(recordNumber, l.records).Bytes(field, body)
	begun := false
	for {
		room := block - len(l.file)%block
		if room < head {
			l.file = append(l.file, make([]byte, room)...)
			continue
		}
		n := min(len(data), room-head)
		rest := data[n:]
		kind := byte(middle)
		switch {
		case !begun && len(rest) == 0:
			kind = full
		case !begun:
			kind = first
		case len(rest) == 0:
			kind = last
		}
		l.fragment(kind, data[:n])
		if data, begun = rest, true; len(data) == 0 {
			return
		}
	}
}

func (l *log) fragment(kind byte, data []byte) {
	sum := crc32.Update(crc32.ChecksumIEEE([]byte{kind}), crc32.IEEETable, data)
	l.file = binary.LittleEndian.AppendUint32(l.file, sum)
	l.file = binary.LittleEndian.AppendUint16(l.file, uint16(len(data)))
	l.file = append(append(l.file, kind), data...)
}
