package trainer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// checkpointEvery is the longest a trial trains without saving its state.
const checkpointEvery = 60 * time.Second

// Run trains one assignment in the attempt's folder dir and emits what happens; emit fills in Seq and At. It continues
// from the newest good checkpoint of the trial, in dir or in the folders of earlier attempts.
//
// Whatever ends the attempt is emitted as an ended event, and Run returns nil: done, unstable, over memory or time, failed,
// or interrupted when ctx was cancelled (a checkpoint is then written first). Run returns an error only where there is
// no use in emitting: emit itself failed, or the folder cannot be written. The attempt is then as if killed, and a new
// one continues from its last checkpoint.
func Run(ctx context.Context, a trial.Assignment, dir string, emit func(trial.Event) error) error {
	w := &Worker{}
	defer w.Close()
	_, err := run(ctx, w, a, dir, emit)
	return err
}

// run is Run with what a Worker holds. It returns how the attempt ended.
func run(ctx context.Context, w *Worker, a trial.Assignment, dir string, emit func(trial.Event) error) (trial.OutcomeState, error) {
	t := &training{Assignment: a, Worker: w, dir: dir, files: Files, emitEvent: emit, began: time.Now()}
	outcome, err := t.run(ctx)
	if fatal, ok := errors.AsType[*fatalError](err); ok {
		return "", fatal.err
	}
	if err != nil {
		outcome = t.failure(ctx, err)
	}
	outcome.Step, outcome.MicroBatch = t.Step, cmp.Or(outcome.MicroBatch, t.MicroBatch)
	outcome.TrainSeconds, outcome.TotalSeconds = t.TrainSeconds, t.total().Seconds()
	if err := emit(trial.Event{Kind: trial.EventEnded, Outcome: &outcome}); err != nil {
		return "", err
	}
	if outcome.State == trial.OutcomeDone {
		return outcome.State, removeCheckpoints(append([]string{dir}, a.Checkpoints...))
	}
	return outcome.State, nil
}

// failure is how an attempt ended that met an error. What the machine did to it is no failure of the trial: another attempt continues it.
func (t *training) failure(ctx context.Context, err error) trial.Outcome {
	o := trial.Outcome{State: trial.OutcomeCrashed, Cause: causeOf(err), Error: err.Error()}
	switch {
	case errors.Is(err, errCache):
		o.Error += ": it is made anew before the next attempt"
	case o.Cause == cause.Memory && t.SharedDevice:
		o.Error += ": others on the same GPU left too little memory; if it comes again, lower --jobs"
	case o.Cause == cause.Memory:
		o.Error += ": lower batch_size or sequence_length"
	case o.Cause == cause.Data, o.Cause == cause.Code:
		switch {
		case ctx.Err() != nil && t.usedUp(): // which is why it was stopped
			return trial.Outcome{State: trial.OutcomeOverTime, Cause: cause.Time, Error: fmt.Sprintf(
				"limits.trial_time of %s was used up before the first step: raise it", t.TrialTime)}
		case ctx.Err() != nil:
			return trial.Outcome{State: trial.OutcomeInterrupted, Error: "stopped before the first step; resume starts it again"}
		}
		o.State = trial.OutcomeFailed
	case o.Cause.Advice() != "":
		o.Error += "; " + o.Cause.Advice()
	}
	return o
}

// causeOf says why an error ends an attempt.
func causeOf(err error) cause.Cause {
	switch c := cmp.Or(cause.OfError(err), cause.OfDevice(err.Error())); {
	case errors.Is(err, errCache):
		return cause.Disk
	case c != cause.None:
		return c
	case outOfMemory(err):
		return cause.Memory
	case errors.Is(err, trial.ErrInput), errors.Is(err, errChanged):
		return cause.Data
	}
	return cause.Code
}

// fatalError is an error after which nothing more can be said through events.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }

func (e *fatalError) Unwrap() error { return e.err }

// training is one attempt at a trial while it runs.
type training struct {
	trial.Assignment
	*Worker
	progress
	dir       string
	files     func(trial.ModelInfo) (fs.FS, error) // opens the model
	emitEvent func(trial.Event) error
	began     time.Time
	earlier   time.Duration // what earlier attempts took, up to the checkpoint
	saved     time.Time     // when the state was last saved
	beaten    time.Time     // when it was last said that this goes on

	setup
	bestAdapter tensors        // nil until there is a best evaluation
	known       *trial.Outcome // the trial's, where an earlier attempt finished it and this one only screens it
}

// run prepares and trains. A panic ends here, such as that of a corpus whose file vanishes; those of GoMLX
// while it builds a graph are errors already. The stack goes to stderr, which is kept with the attempt.
func (t *training) run(ctx context.Context) (outcome trial.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "panic in trial %s: %v\n%s", t.Trial.ID, p, debug.Stack())
			err = fmt.Errorf("internal error: %w (the stack is in the attempt's stderr.log)", asError(p))
		}
	}()
	if err := t.prepare(ctx); err != nil {
		return trial.Outcome{}, err
	}
	if err := t.resume(); err != nil {
		return trial.Outcome{}, err
	}
	// A trial that has trained before has shown that it fits.
	if limit := t.MemoryLimit; limit > 0 && t.Step == 0 && t.prediction.PredictedBytes > limit {
		return overMemory(fmt.Sprintf("%s is predicted to need %s (%s)", t.Trial.Spec.LoRA.RankName(),
			trial.FormatBytes(t.prediction.PredictedBytes), t.prediction.Source), limit), nil
	}
	return t.loop(ctx)
}

// asError is what a panic was given as an error.
func asError(p any) error {
	if err, ok := p.(error); ok {
		return err
	}
	return fmt.Errorf("%v", p)
}

// loop is the training loop: evaluate -> checkpoint -> step -> emit; at its end the adapter is screened where that was asked for.
func (t *training) loop(ctx context.Context) (trial.Outcome, error) {
	steps := t.Trial.Spec.TotalSteps()
	for {
		if t.evaluationDue() && ctx.Err() == nil {
			outcome, err := t.evaluate(ctx)
			switch {
			case err != nil && ctx.Err() != nil: // leaves no trace: it is done again after resuming
				return t.interrupted()
			case err != nil || outcome != nil:
				return orStop(outcome, err)
			}
			if err := t.save(); err != nil {
				return trial.Outcome{}, err
			}
			backend.ReleaseMemory() // what evaluating and the checkpoint took: the steps that follow add to what is left
		}
		switch {
		case ctx.Err() != nil:
			return t.interrupted()
		case t.Step == steps:
			return t.finish(ctx)
		case t.usedUp():
			return t.overTime()
		case time.Since(t.saved) > checkpointEvery:
			if err := t.save(); err != nil {
				return trial.Outcome{}, err
			}
		}
		outcome, err := t.step(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return t.interrupted()
		case err != nil || outcome != nil:
			return orStop(outcome, err)
		}
	}
}

// orStop unpacks an outcome that ends the loop early.
func orStop(outcome *trial.Outcome, err error) (trial.Outcome, error) {
	if err != nil {
		return trial.Outcome{}, err
	}
	return *outcome, nil
}

// step takes one optimiser step and emits its point, or returns the outcome that ends the trial.
func (t *training) step(ctx context.Context) (*trial.Outcome, error) {
	step := t.Step + 1
	cuts, since := t.Trial.Spec.StageAt(step)
	if cuts > 0 && since == 1 {
		if err := t.cut(ctx, cuts); err != nil {
			return nil, fmt.Errorf("step %d: %w", step, err)
		}
	}
	rate := t.rate(step)
	began := time.Now()
	var batches []model.Batch
	for _, b := range t.batches.Step(step) {
		batches = append(batches, model.Batch(b))
	}
	result, err := t.program.Step(since, batches, rate)
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", step, err)
	}
	t.TrainSeconds += time.Since(began).Seconds()
	for _, value := range []struct {
		name string
		v    float64
	}{{"training loss", result.Loss}, {"gradient norm", result.GradNorm}} {
		if !finite(value.v) {
			t.Step = step
			return unstable(fmt.Sprintf("the %s of step %d is %v", value.name, step, value.v)), nil
		}
	}
	t.Step = step
	t.Tokens += result.Tokens
	t.Window.add(result.Loss)
	return nil, t.emit(trial.Event{Kind: trial.EventPoint, Step: step, Point: &trial.Point{
		Tokens: t.Tokens, TrainLoss: result.Loss, GradNorm: result.GradNorm, LearningRate: rate,
	}})
}

// evaluationDue reports whether the state after this step is to be evaluated and has not been.
func (t *training) evaluationDue() bool {
	spec := t.Trial.Spec
	due := t.Step == 0 || t.Step == spec.Train.Steps || t.Step%spec.Train.EvalSteps == 0
	if cuts, since := spec.StageAt(t.Step); cuts > 0 {
		due = since == spec.Shrink.Steps
	}
	return due && t.Evaluated != t.Step
}

// evaluate scores the validation rows, and those of data.retain, and emits the result, or returns the outcome that ends the trial.
func (t *training) evaluate(ctx context.Context) (*trial.Outcome, error) {
	if cuts, _ := t.Trial.Spec.StageAt(t.Step); cuts > 0 {
		return t.evaluateCut(ctx, cuts)
	}
	began := time.Now()
	score, retained, share, err := t.scorer.all(ctx, t.Probe)
	if err != nil {
		return nil, fmt.Errorf("evaluate after step %d: %w", t.Step, err)
	}
	if loss := score.Loss(); !finite(loss) {
		return unstable(fmt.Sprintf("the validation loss after step %d is %v", t.Step, loss)), nil
	}
	var retain *float64
	if retained != nil {
		if retain = new(retained.Loss()); !finite(*retain) {
			return unstable(fmt.Sprintf("the loss on data.retain after step %d is %v", t.Step, *retain)), nil
		}
	}
	if t.evaluated(score.Loss(), retain) {
		if t.bestAdapter, err = t.program.Adapter(); err != nil {
			return nil, err
		}
	}
	measured := score.Measures()
	measured.RetainLoss = retain
	evaluation := trial.Evaluation{
		ValLoss: score.Loss(), Measures: measured, Tokens: score.Tokens, Seconds: time.Since(began).Seconds(),
	}
	if t.Probe > 0 {
		evaluation.Share = share
	}
	if err := t.sayEvaluation(t.Step, evaluation); err != nil {
		return nil, err
	}
	t.Evaluations = append(t.Evaluations, stepEvaluation{t.Step, evaluation})
	return t.reportMemory()
}

func (t *training) sayEvaluation(step int, e trial.Evaluation) error {
	return t.emit(trial.Event{Kind: trial.EventEval, Step: step, Evaluation: &e})
}

// sayAgain emits the evaluations that the logs of earlier attempts do not have any more, and that may have reached no database: a damaged
// log takes nothing with it that verdicts and reports are made of.
func (t *training) sayAgain() error {
	said := map[int]bool{}
	for _, dir := range t.Checkpoints {
		events, _ := trial.ReadFolder(dir) // what is good counts
		for _, e := range events {
			said[e.Step] = said[e.Step] || e.Kind == trial.EventEval
		}
	}
	for _, e := range t.Evaluations {
		if said[e.Step] {
			continue
		}
		if err := t.sayEvaluation(e.Step, e.Evaluation); err != nil {
			return err
		}
	}
	return nil
}

// emit passes an event on. Its failure ends the attempt without another word.
func (t *training) emit(e trial.Event) error {
	if err := t.emitEvent(e); err != nil {
		return &fatalError{err}
	}
	return nil
}

// beat says that this goes on, at most once a second: between two events may lie minutes.
func (t *training) beat() {
	if time.Since(t.beaten) >= time.Second {
		trial.Beat(t.dir)
		t.beaten = time.Now()
	}
}

// usedUp reports whether limits.trial_time is.
func (t *training) usedUp() bool { return t.TrialTime > 0 && t.total() > t.TrialTime }

// total is what the trial has taken so far, over all its attempts.
func (t *training) total() time.Duration { return t.earlier + time.Since(t.began) }
