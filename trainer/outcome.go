package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// The folders that hold a finished trial's adapters, in its last attempt's folder.
const (
	AdapterFolder     = "adapter"      // of the lowest evaluation; weights.Full where it trained in full
	LastAdapterFolder = "adapter-last" // of the last step, where that is another: see LastFolder
)

// LastFolder is the folder that holds the adapter of a done trial's last step. Where the lowest evaluation was the last one too, as
// adapter/ it is stored once.
func LastFolder(o trial.Outcome) string {
	if o.BestStep == o.Step {
		return AdapterFolder
	}
	return LastAdapterFolder
}

// finish writes both adapters, screens the best one where that was asked for, and returns the trial's result.
func (t *training) finish(ctx context.Context) (trial.Outcome, error) {
	if err := t.writeAdapters(); err != nil {
		return trial.Outcome{}, err
	}
	if err := t.emitUpdates(); err != nil {
		return trial.Outcome{}, err
	}
	if outcome, err := t.screen(ctx); err != nil || outcome != nil {
		return orStop(outcome, err)
	}
	if t.known != nil {
		return *t.known, nil
	}
	best := *t.Best
	return trial.Outcome{
		State: trial.OutcomeDone, ValLoss: &best.ValLoss, BestStep: best.Step, LastValLoss: new(t.LastLoss),
		TrainLoss: &best.TrainLoss, RetainLoss: best.RetainLoss, BaseRetain: t.BaseRetain, Tokens: t.Tokens,
	}, nil
}

// writeAdapters writes the adapters of the trial's rank there are: the best one, and that of this step.
func (t *training) writeAdapters() error {
	last, err := t.program.Adapter()
	if err != nil {
		return err
	}
	if cuts, _ := t.Trial.Spec.StageAt(t.Step); cuts > 0 {
		last = nil // it is of a lower rank than the trial's
	}
	if t.Best != nil && t.Best.Step == t.Step || t.known != nil && LastFolder(*t.known) == AdapterFolder {
		last = nil // it is the best one
	}
	for folder, adapter := range map[string]tensors{AdapterFolder: t.bestAdapter, LastAdapterFolder: last} {
		if adapter == nil {
			continue
		}
		if t.Trial.Spec.LoRA.Full {
			if err := t.writeFull(filepath.Join(t.dir, folder), adapter); err != nil {
				return err
			}
			continue // sealed
		}
		spec, adapter := model.Export(t.adapterSpec(), t.targets, t.start, adapter)
		config := weights.NewAdapterConfig(t.Model.Reference, spec, t.targets)
		if err := weights.WriteAdapter(filepath.Join(t.dir, folder), weights.Adapter{Config: config, Tensors: adapter}); err != nil {
			return &fatalError{err}
		}
		if err := weights.Seal(filepath.Join(t.dir, folder), t.Trial.ID); err != nil {
			return &fatalError{err}
		}
	}
	return nil
}

// writeFull writes what trained without an adapter, under the base's names.
func (t *training) writeFull(folder string, adapter tensors) error {
	full := weights.Full{Base: t.Model.Reference, Spec: t.adapterSpec(), Tensors: make(tensors, len(adapter))}
	for key, a := range adapter {
		full.Tensors[strings.TrimPrefix(key, lora.AdapterPrefix)] = a
	}
	if err := errors.Join(weights.WriteFull(folder, full), weights.Seal(folder, t.Trial.ID)); err != nil {
		return &fatalError{err}
	}
	return nil
}

// emitUpdates says what the best adapter adds to each module.
func (t *training) emitUpdates() error {
	if t.Trial.Spec.LoRA.Full {
		return nil // it has no adapter
	}
	spec, adapter := model.Export(t.adapterSpec(), t.targets, t.start, t.bestAdapter)
	updates, err := model.Fitted{LoRA: spec, Targets: t.targets, Tensors: adapter}.Updates()
	if err != nil {
		return err
	}
	return t.emit(trial.Event{Kind: trial.EventUpdates, Updates: updates})
}

// adapterSpec is the trial's LoRA spec as PEFT stores it: "all-linear" becomes the modules that it stood for.
func (t *training) adapterSpec() lora.Spec {
	spec := t.Trial.Spec.LoRA
	if spec.TargetModules.Pattern == lora.AllLinear {
		spec.TargetModules = lora.Targets{}
		for _, m := range t.targets {
			spec.TargetModules.List = append(spec.TargetModules.List, m.Name)
		}
	}
	return spec
}

// overTime ends a trial that has used up limits.trial_time. Its adapters are kept, though nothing compares them.
func (t *training) overTime() (trial.Outcome, error) {
	if err := t.writeAdapters(); err != nil {
		return trial.Outcome{}, err
	}
	return trial.Outcome{State: trial.OutcomeOverTime, Cause: cause.Time, Error: fmt.Sprintf(
		"limits.trial_time of %s was used up after %d of %d steps: raise it, or train fewer steps",
		t.TrialTime, t.Step, t.Trial.Spec.TotalSteps())}, nil
}

// interrupted saves the state of a trial that was asked to stop, unless that was because it has used up its time.
func (t *training) interrupted() (trial.Outcome, error) {
	if t.usedUp() && t.Step < t.Trial.Spec.TotalSteps() {
		return t.overTime()
	}
	if t.known != nil { // there is no state to save: an earlier attempt has finished the training
		return trial.Outcome{State: trial.OutcomeInterrupted, Error: "asked to stop; resume continues with the ranks to screen"}, nil
	}
	if err := t.save(); err != nil {
		return trial.Outcome{}, err
	}
	return trial.Outcome{State: trial.OutcomeInterrupted, Error: "asked to stop; a checkpoint is written"}, nil
}

func unstable(what string) *trial.Outcome {
	return &trial.Outcome{
		State: trial.OutcomeUnstable, Cause: cause.NaN,
		Error: what + ": training has diverged; lower learning_rate or alpha, or clip gradients with max_grad_norm",
	}
}

func overMemory(what string, limit int64) trial.Outcome {
	return trial.Outcome{
		State: trial.OutcomeOverMemory, Cause: cause.Memory,
		Error: fmt.Sprintf("%s, over the limit of %s: raise limits.memory, or lower batch_size or sequence_length", what,
			trial.FormatBytes(limit)),
	}
}

// save writes a checkpoint and then says so: whoever reads the event can rely on the file. The events before it are safe first: a
// checkpoint that survives a cut of the power must not be newer than the metrics that lead to it, which are not computed again.
func (t *training) save() error {
	state, err := t.program.State()
	if err != nil {
		return err
	}
	t.TotalSeconds = t.total().Seconds()
	c := checkpoint{progress: t.progress, Adapter: state.Adapter, M: state.M, V: state.V, BestAdapter: t.bestAdapter}
	if err := trial.SyncEvents(t.dir); err != nil {
		return &fatalError{err}
	}
	if err := saveCheckpoint(t.dir, c); err != nil {
		return &fatalError{err}
	}
	t.saved = time.Now()
	return t.emit(trial.Event{Kind: trial.EventCheckpoint, Step: t.Step})
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
