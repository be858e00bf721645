package trainer

import (
	"context"
	"fmt"
	"maps"
	"math"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/hub"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// EvaluateOptions say what to score, and on what.
type EvaluateOptions struct {
	Model   trial.ModelInfo // from Inspect
	Adapter string          // a PEFT folder; empty scores the base model
	Data    []string        // as data.train of a grid
	Hub     hub.Client      // where data sets of the hub are looked up
	// ScorePrompts scores prompts and the user's turns too; WholeDocuments makes each text a row instead of packing them. As
	// completion_only_loss: false and packing: false of a grid.
	ScorePrompts, WholeDocuments bool
	// SequenceLength cuts text into rows; 0 means the model's positions. A pre-tokenised row stays one row, and one that
	// is longer is an error.
	SequenceLength int
	BatchSize      int // rows in one forward pass
	// Dtype and ComputeDtype are as in trial.TrainSpec; empty means float32.
	Dtype, ComputeDtype string
	Backend             backend.Choice
	Device              int
	// Progress is told by Shrink, after every batch, how many rows are scored at a rank; may be nil.
	Progress func(rank, done, total int)
}

// Evaluation is a model's score on a data set.
type Evaluation struct {
	Loss       float64 `json:"loss"`       // mean token cross-entropy, nats
	Perplexity float64 `json:"perplexity"` // e to the loss
	trial.Measures
	Tokens    int64    `json:"tokens"`    // that were scored
	Sequences int      `json:"sequences"` // rows, those without a supervised token included
	Warnings  []string `json:"warnings,omitempty"`
}

// Evaluate scores every row of a data set once, dropout off, on the path that validation takes while training.
func Evaluate(ctx context.Context, o EvaluateOptions) (Evaluation, error) {
	o, rows, err := o.rows(ctx)
	if err != nil {
		return Evaluation{}, err
	}
	var total score
	warnings := rows.warnings
	err = withProgram(ctx, o, func(p *model.Program, f model.Fitted) error {
		warnings = append(warnings, f.Warnings...)
		total, err = rows.score(ctx, p, o.BatchSize)
		return err
	})
	if err != nil {
		return Evaluation{}, err
	}
	return newEvaluation(total, rows.n, warnings)
}

// rows returns the rows to score, and the options with what they left out.
func (o EvaluateOptions) rows(ctx context.Context) (EvaluateOptions, *evalRows, error) {
	if o.SequenceLength == 0 {
		o.SequenceLength = o.Model.MaxPositions
	}
	if o.BatchSize < 1 {
		return o, nil, fmt.Errorf("%w: batch size %d: want 1 or more", trial.ErrInput, o.BatchSize)
	}
	files, err := Files(o.Model)
	if err != nil {
		return o, nil, err
	}
	rows, err := newEvalRows(ctx, files, o)
	return o, rows, err
}

func newEvaluation(total score, sequences int, warnings []string) (Evaluation, error) {
	loss := total.Loss()
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return Evaluation{}, fmt.Errorf("%w: the loss is %v although every weight is finite: the model's numbers overflow on these rows; "+
			"score in float32, and see whether the adapter's training diverged", trial.ErrInput, loss)
	}
	return Evaluation{
		Loss: loss, Perplexity: math.Exp(loss), Measures: total.Measures(),
		Tokens: total.Tokens, Sequences: sequences, Warnings: warnings,
	}, nil
}

// WithProgram hands use the model with its adapter on a device, ready to score and to generate, and closes it afterwards. Of o it
// needs neither Data nor what belongs to it.
func WithProgram(ctx context.Context, o EvaluateOptions, use func(*model.Program) error) error {
	return withProgram(ctx, o, func(p *model.Program, _ model.Fitted) error { return use(p) })
}

// withProgram is WithProgram, and hands use the adapter too.
func withProgram(ctx context.Context, o EvaluateOptions, use func(p *model.Program, f model.Fitted) error) error {
	be, err := backend.Open(o.Backend.Platform, o.Backend.PluginPath, o.Device)
	if err != nil {
		return err
	}
	defer be.Finalize()
	files, err := Files(o.Model)
	if err != nil {
		return fmt.Errorf("model %s: %w", o.Model.Reference, err)
	}
	config, base, err := readBase(ctx, files, o.Model, o.Model.Fingerprint, o.Dtype)
	if err != nil {
		return err
	}
	adapter, err := evaluatedAdapter(o, config, base)
	if err != nil {
		return err
	}
	maps.Copy(base, adapter.Base)
	program, err := model.New(be, config, base, adapter.Tensors, model.Options{
		LoRA: adapter.LoRA, Train: trial.TrainSpec{BatchSize: o.BatchSize, Dtype: o.Dtype, ComputeDtype: o.ComputeDtype},
		Targets: adapter.Targets, SequenceLength: o.SequenceLength,
	})
	if err != nil {
		return err
	}
	defer program.Close()
	clear(base)
	return use(program, adapter)
}

// evaluatedAdapter returns the adapter to score with. The base model alone is scored with an adapter that adds nothing.
func evaluatedAdapter(o EvaluateOptions, c model.Config, base tensors) (model.Fitted, error) {
	if o.Adapter == "" {
		none := lora.Spec{Rank: 1, Alpha: 1, TargetModules: lora.Targets{Pattern: lora.AllLinear}}
		targets, err := none.Match(o.Model.Modules)
		if err != nil {
			return model.Fitted{}, err
		}
		fresh, err := model.InitAdapter(c, base, targets[:1], none, 0)
		return model.Fitted{LoRA: none, Targets: targets[:1], Tensors: fresh}, err
	}
	fit, err := readTrained(o.Adapter)
	if err != nil {
		return model.Fitted{}, asInput(err)
	}
	fitted, err := fit(c)
	if err != nil {
		return model.Fitted{}, fmt.Errorf("%w: adapter %s does not fit model %s: %w", trial.ErrInput, o.Adapter, o.Model.Reference, err)
	}
	return fitted, nil
}
