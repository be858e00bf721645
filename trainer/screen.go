package trainer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// screen truncates the best adapter to each of the assignment's lower ranks, and emits the loss on all validation rows. Rank is
// data: the truncated adapters are evaluated in the program that trained them. The state is afterwards what it was.
//
// It returns the outcome of an attempt that does not get through. That is never the trial's last one: the training is done, and
// the next attempt continues with the ranks that are missing.
func (t *training) screen(ctx context.Context) (outcome *trial.Outcome, err error) {
	if len(t.Screen) == 0 {
		return nil, nil
	}
	state, err := t.program.State()
	if err != nil {
		return nil, err
	}
	rank := 0
	for _, rank = range t.Screen {
		if err = t.screenAt(ctx, rank, state); err != nil {
			break
		}
	}
	if err := t.program.SetState(state); err != nil {
		return nil, err
	}
	if _, fatal := errors.AsType[*fatalError](err); err == nil || fatal {
		return nil, err
	}
	if ctx.Err() == nil {
		why := causeOf(err)
		if !why.Passing() && why != cause.Memory {
			why = cause.Crash // the training is done: it is tried again
		}
		return &trial.Outcome{
			State: trial.OutcomeCrashed, Cause: why, Error: fmt.Sprintf("truncating the trained adapter to rank %d: %v", rank, err),
		}, nil
	}
	interrupted, err := t.interrupted()
	return &interrupted, err
}

// screenAt evaluates the best adapter truncated to one rank.
func (t *training) screenAt(ctx context.Context, rank int, state model.State) error {
	began := time.Now()
	lora := t.Trial.Spec.LoRA
	lower := lora
	lower.Rank = rank
	var err error
	state.Adapter, err = model.Truncated(model.Fitted{LoRA: lora, Targets: t.targets, Tensors: t.bestAdapter}, lower)
	if err != nil {
		return err
	}
	if err := t.program.SetState(state); err != nil {
		return err
	}
	score, err := t.scorer.validation(ctx)
	if err != nil {
		return err
	}
	if !finite(score.Loss()) {
		return fmt.Errorf("the validation loss is %v", score.Loss())
	}
	return t.emit(trial.Event{Kind: trial.EventScreened, Screened: &trial.Screened{
		Rank: rank, ValLoss: score.Loss(), Tokens: score.Tokens, Seconds: time.Since(began).Seconds(),
	}})
}

// recall takes over what an earlier attempt left that finished the trial, for an assignment that only screens it. Where its
// adapters are gone or damaged the trial trains again, which gives the same ones.
func (t *training) recall() error {
	for _, dir := range t.Checkpoints {
		outcome, err := finishedIn(dir)
		if errors.Is(err, trial.ErrDamaged) {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		if err != nil {
			return err
		}
		if outcome == nil {
			continue
		}
		adapters := map[string]tensors{}
		last := LastFolder(*outcome)
		for _, folder := range []string{AdapterFolder, last} {
			a, err := weights.ReadAdapter(filepath.Join(dir, folder))
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, trial.ErrDamaged) {
				return nil
			}
			if err != nil {
				return err
			}
			adapters[folder] = a.Trained()
		}
		state, err := t.program.State()
		if err != nil {
			return err
		}
		state.Adapter = adapters[last]
		if err := t.program.SetState(state); err != nil {
			return err
		}
		t.known, t.bestAdapter = outcome, adapters[AdapterFolder]
		t.Step, t.Evaluated, t.TrainSeconds = outcome.Step, outcome.Step, outcome.TrainSeconds
		t.earlier = time.Duration(outcome.TotalSeconds * float64(time.Second))
		return t.emit(trial.Event{Kind: trial.EventResumed, Step: t.Step})
	}
	return nil
}

// finishedIn returns the outcome of the attempt in a folder if it finished the trial, else nil.
func finishedIn(dir string) (*trial.Outcome, error) {
	events, _, err := trial.ReadEvents(filepath.Join(dir, trial.EventsFile), 0)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.Kind == trial.EventEnded && e.Outcome.State == trial.OutcomeDone {
			return e.Outcome, nil
		}
	}
	return nil, nil
}
