package trial

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// EventKind says what a worker reports.
type EventKind string

// The kinds of event. A healthy attempt begins with started and predicted, and ends with ended.
const (
	EventStarted    EventKind = "started"    // the process is up: Environment
	EventPredicted  EventKind = "predicted"  // the real step is compiled: Prediction
	EventResumed    EventKind = "resumed"    // training continues after Step from a checkpoint
	EventPoint      EventKind = "point"      // one optimiser step: Point
	EventEval       EventKind = "eval"       // one evaluation: Evaluation
	EventCheckpoint EventKind = "checkpoint" // the state after Step is safe on disk
	EventMemory     EventKind = "memory"     // the peak so far: Memory, at every evaluation
	EventScreened   EventKind = "screened"   // the trained adapter truncated to a lower rank: Screened, one event per rank
	EventUpdates    EventKind = "updates"    // training is done: what the best adapter adds to each module: Updates
	EventEnded      EventKind = "ended"      // the last event of an attempt: Outcome
)

// Event is one line of events.jsonl. Seq counts from 1 within an attempt, so that appending is idempotent.
// Exactly the field that Kind names is set.
type Event struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	Step int       `json:"step,omitempty"` // optimiser steps done; not set on started, predicted, screened and updates

	// Attempt is whose event it is, on started and in OutcomeFile: a log that was copied from another attempt's folder is not believed.
	Attempt AttemptID `json:"attempt,omitempty"`

	Environment *Environment `json:"environment,omitempty"`
	Prediction  *Prediction  `json:"prediction,omitempty"`
	Point       *Point       `json:"point,omitempty"`
	Evaluation  *Evaluation  `json:"evaluation,omitempty"`
	Memory      *Memory      `json:"memory,omitempty"`
	Screened    *Screened    `json:"screened,omitempty"`

	Updates []ModuleUpdate `json:"updates,omitempty"`

	Outcome *Outcome `json:"outcome,omitempty"`
}

// Environment is where an attempt ran: facts for the store and for doctor-like questions later.
type Environment struct {
	PID             int               `json:"pid"`
	Host            string            `json:"host"`
	Cores           []int             `json:"cores,omitempty"` // pinned to; empty means not pinned
	Backend         string            `json:"backend"`         // Trial.Backend of what really ran
	Platform        string            `json:"platform"`        // xla:cpu, xla:cuda or go
	PluginPath      string            `json:"plugin_path,omitempty"`
	PluginVersion   string            `json:"plugin_version,omitempty"`
	PluginSHA256    string            `json:"plugin_sha256,omitempty"`
	Device          string            `json:"device,omitempty"`
	Versions        map[string]string `json:"versions"` // program, go, gomlx, go-xla, compute, go-huggingface
	TrainableParams int64             `json:"trainable_params"`
}

// Prediction is the peak memory a trial will need, known after its step is compiled and before step 1.
type Prediction struct {
	AnalysisBytes  int64  `json:"analysis_bytes"`  // what the compiler's memory analysis adds up to, uncorrected
	PredictedBytes int64  `json:"predicted_bytes"` // peak of the process (host platform) or of the device
	Source         string `json:"source"`          // for people, e.g. "measured peak of rank 8 + analysis"
}

// Point is the metrics of one optimiser step.
type Point struct {
	Tokens       int64   `json:"tokens"`     // supervised tokens seen up to and with this step
	TrainLoss    float64 `json:"train_loss"` // of this step's batch before its update, nats per token, unsmoothed
	GradNorm     float64 `json:"grad_norm"`  // before clipping
	LearningRate float64 `json:"learning_rate"`
}

// Evaluation is one pass over the validation rows.
type Evaluation struct {
	ValLoss float64 `json:"val_loss"`
	Measures
	Tokens  int64   `json:"tokens"` // supervised validation tokens
	Seconds float64 `json:"seconds"`
	// Share is the share of the rows that were scored, where Assignment.Probe left some out; else 0.
	Share float64 `json:"share,omitempty"`
}

// ModuleUpdate is what an adapter adds to a module's weight: ΔW = scaling·B·A.
type ModuleUpdate struct {
	Module string  `json:"module"`
	Norm   float64 `json:"norm"` // of Frobenius
	// StableRank is ‖ΔW‖²_F/‖ΔW‖²₂ (Rudelson and Vershynin 2007, section 1): how many directions carry the update, at most its rank; 0 of an
	// update that is 0.
	StableRank float64 `json:"stable_rank"`
}

// Memory is the peak an attempt has used. A nil peak means that it cannot be told there.
type Memory struct {
	PeakHostBytes   *int64 `json:"peak_host_bytes"`
	HostSource      string `json:"host_source,omitempty"` // VmHWM
	PeakDeviceBytes *int64 `json:"peak_device_bytes"`
	DeviceSource    string `json:"device_source,omitempty"`
}

// OutcomeState says how an attempt ended.
type OutcomeState string

// How an attempt can end. Done, Unstable, OverMemory, OverTime and Failed also end the trial; after Interrupted and
// Crashed it continues from its last checkpoint in a new attempt.
const (
	OutcomeDone        OutcomeState = "done"
	OutcomeUnstable    OutcomeState = "unstable"    // a loss or gradient was not finite: see Step
	OutcomeOverMemory  OutcomeState = "over_memory" // predicted to need, or killed for needing, more than it may
	OutcomeOverTime    OutcomeState = "over_time"   // limits.trial_time
	OutcomeInterrupted OutcomeState = "interrupted" // asked to stop
	OutcomeCrashed     OutcomeState = "crashed"     // it did not get through, and may be tried again: Cause says why
	OutcomeFailed      OutcomeState = "failed"      // the worker met an error that a retry will not cure
)

// EndsTrial reports whether no further attempt follows.
func (s OutcomeState) EndsTrial() bool {
	switch s {
	case OutcomeDone, OutcomeUnstable, OutcomeOverMemory, OutcomeOverTime, OutcomeFailed:
		return true
	case OutcomeInterrupted, OutcomeCrashed:
		return false
	}
	return false
}

// Outcome is how an attempt ended. The result fields are set when State is done.
type Outcome struct {
	State OutcomeState `json:"state"`
	Error string       `json:"error,omitempty"` // what happened and what to do, for every state but done
	Cause cause.Cause  `json:"cause,omitempty"` // why it ended so
	Step  int          `json:"step"`            // optimiser steps done

	// MicroBatch is how many sequences a forward pass took where that were fewer than batch_size; 0 where they were all.
	MicroBatch int `json:"micro_batch,omitempty"`

	ValLoss      *float64 `json:"val_loss,omitempty"`      // lowest evaluation after step 0
	BestStep     int      `json:"best_step,omitempty"`     // its step
	LastValLoss  *float64 `json:"last_val_loss,omitempty"` // evaluation at the last step
	TrainLoss    *float64 `json:"train_loss,omitempty"`    // mean over the steps between the evaluation that counts and the one before
	RetainLoss   *float64 `json:"retain_loss,omitempty"`   // on data.retain, at BestStep; nil where the grid has none
	BaseRetain   *float64 `json:"base_retain,omitempty"`   // at step 0: what forgetting is measured from
	Tokens       int64    `json:"tokens,omitempty"`        // supervised tokens trained on
	TrainSeconds float64  `json:"train_seconds,omitempty"` // over all attempts; evaluation and compilation excluded
	TotalSeconds float64  `json:"total_seconds,omitempty"` // over all attempts, from process start
}

// Forgetting is how much worse the loss on data.retain became, in nats per token; nil where it was not measured.
func (o Outcome) Forgetting() *float64 {
	if o.RetainLoss == nil || o.BaseRetain == nil {
		return nil
	}
	return new(*o.RetainLoss - *o.BaseRetain)
}

// ParseEvents decodes the complete lines of a part of an events.jsonl. It returns the events and the number of bytes they
// took: a line torn by a crash (no newline yet) is left for the next read. A complete line that is not an event, or not as it was written,
// and what is longer than a line can be, is an error that wraps ErrDamaged; the events before it are good.
func ParseEvents(log io.Reader) (events []Event, read int64, err error) {
	read, err = eachEvent(log, func(e Event) { events = append(events, e) })
	return events, read, err
}

// eachEvent is ParseEvents that keeps no event.
func eachEvent(log io.Reader, do func(Event)) (read int64, err error) {
	lines := lineReader{r: bufio.NewReader(log)}
	for {
		line, whole, err := lines.next()
		if err == nil && !whole {
			return read, nil
		}
		var e Event
		if err == nil {
			e, err = unmarshalEvent(line)
		}
		if err != nil {
			return read, fmt.Errorf("event at byte %d: %w", read, err)
		}
		do(e)
		read += int64(len(line)) + 1
	}
}

// lineReader reads the lines of a log, one at a time.
type lineReader struct {
	r    *bufio.Reader
	line []byte
}

// next returns a line without its newline until the next call, and whether it had one: after the last line comes an empty one without. A
// line of more than MostJSON bytes, of which the rest is not read, is an error that wraps ErrDamaged.
func (l *lineReader) next() (line []byte, whole bool, err error) {
	l.line = l.line[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		l.line = append(l.line, part...)
		switch {
		case len(l.line) > MostJSON:
			return nil, false, fmt.Errorf("%w: no event has more than %s", ErrDamaged, FormatBytes(MostJSON))
		case err == nil:
			return l.line[:len(l.line)-1], true, nil
		case errors.Is(err, io.EOF):
			return l.line, false, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, err
		}
	}
}

// unmarshalEvent reads a line. One without a checksum was written by an earlier version, which knew no other kinds: it lost its kind, too.
func unmarshalEvent(line []byte) (e Event, err error) {
	if err := UnmarshalSealed(line, &e); err != nil {
		return e, err
	}
	if _, _, sealed := cutSeal(line); !sealed && !e.Kind.known() {
		return e, fmt.Errorf("%w: it has no checksum, and its kind is %q", ErrDamaged, e.Kind)
	}
	return e, nil
}

func (k EventKind) known() bool {
	switch k {
	case EventStarted, EventPredicted, EventResumed, EventPoint, EventEval, EventCheckpoint, EventMemory, EventScreened, EventUpdates,
		EventEnded:
		return true
	}
	return false
}

// MarshalLine returns the event as one line of events.jsonl, checksum and newline included.
func (e Event) MarshalLine() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return append(Seal(b), '\n'), nil
}

// Peak returns the measured peak where a platform's memory is short: on the device if it has its own, else on the host.
// 0 means not measured.
func (m Memory) Peak(platform string) int64 {
	measured := m.PeakHostBytes
	if OnDevice(platform) {
		measured = m.PeakDeviceBytes
	}
	if measured == nil {
		return 0
	}
	return *measured
}

// PlatformCUDA is the platform of NVIDIA's GPUs.
const PlatformCUDA = "xla:cuda"

// OnDevice reports whether a platform's memory is a device's own.
func OnDevice(platform string) bool { return platform == PlatformCUDA }

// Screened is the loss of a trial's best adapter whose updates were replaced by their best approximations of a lower rank
// (Eckart and Young 1936). It says little of a rank far below the trial's own: training there would have found a better
// adapter than what is left of a larger one.
type Screened struct {
	Rank    int     `json:"rank"`
	ValLoss float64 `json:"val_loss"` // on all validation rows, as val_loss
	Tokens  int64   `json:"tokens"`   // supervised validation tokens
	Seconds float64 `json:"seconds"`  // truncation and evaluation
}
