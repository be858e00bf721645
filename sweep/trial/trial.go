package trial

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// Version counts the releases of the trainer whose numbers differ: it is part of every trial's identity, so that
// losses of two versions are never compared as if they were one.
const Version = 1

// Spec is everything a person chose about one trial. With the fingerprints of its inputs it determines every number the
// trial produces on one backend. JSON keys are PEFT's and Hugging Face's names where those exist.
type Spec struct {
	Model string    `json:"model"` // as resolved by the grid: builtin:<name>, an absolute path, or a hub id
	Data  DataSpec  `json:"data"`
	LoRA  lora.Spec `json:"lora"`
	Train TrainSpec `json:"train"`
	Seed  int64     `json:"seed"`

	Shrink *Shrink `json:"shrink,omitempty"` // nil but for scouts
}

// IgnoredLabel is the label of a position that is not scored (Hugging Face's and PyTorch's ignore_index).
const IgnoredLabel = -100

// DataSpec names the corpora and says how they become rows of token ids.
type DataSpec struct {
	Train               []string `json:"train"`                // builtin:<name>, absolute paths or globs, concatenated in order
	Validation          []string `json:"validation,omitempty"` // likewise; empty when ValidationSplit is set
	Retain              []string `json:"retain,omitempty"`     // likewise: what must not be forgotten; scored beside the validation
	ValidationSplit     float64  `json:"validation_split,omitempty"`
	ValidationSequences int      `json:"validation_sequences,omitempty"` // at most so many, drawn once; 0 means all
	SequenceLength      int      `json:"sequence_length"`                // T: ids per row; T-1 of them are predicted
	Shuffle             bool     `json:"shuffle"`
	Packing             bool     `json:"packing"`
	ScorePrompts        bool     `json:"score_prompts,omitempty"` // completion_only_loss: false
	SkipBadRows         bool     `json:"skip_bad_rows,omitempty"` // rows that cannot be read are left out, not an error
	LongRows            string   `json:"long_rows,omitempty"`     // what becomes of rows beyond SequenceLength; "" cuts them
	// Columns are names of columns in the files, by what they are here: prompt, completion, messages, text and so on.
	Columns map[string]string `json:"columns,omitempty"`

	ChatTemplateKwargs json.RawMessage `json:"chat_template_kwargs,omitempty"` // an object: what the chat template is given by name

	Fraction float64 `json:"fraction,omitempty"` // of the training documents; 0 means all
}

// Values of DataSpec.LongRows.
const (
	LongRowsCut   = "cut" // as a grid writes it; empty in DataSpec
	LongRowsDrop  = "drop"
	LongRowsError = "error"
)

// Values of TrainSpec.LRSchedulerType.
const (
	SchedulerLinear         = "linear"
	SchedulerCosine         = "cosine"
	SchedulerConstant       = "constant"
	SchedulerConstantWarmed = "constant_with_warmup"
)

// Schedulers are all of them.
func Schedulers() []string {
	return []string{SchedulerLinear, SchedulerCosine, SchedulerConstant, SchedulerConstantWarmed}
}

// TrainSpec is the training recipe of a trial, in Hugging Face TrainingArguments' names. A further field needs omitempty, and zero as
// what trials did before it: else every trial's identity changes.
type TrainSpec struct {
	Steps                     int     `json:"steps"`
	BatchSize                 int     `json:"batch_size"` // sequences per forward pass
	GradientAccumulationSteps int     `json:"gradient_accumulation_steps"`
	LearningRate              float64 `json:"learning_rate"`
	LRSchedulerType           string  `json:"lr_scheduler_type"`
	WarmupSteps               int     `json:"warmup_steps"`
	WeightDecay               float64 `json:"weight_decay"`
	MaxGradNorm               float64 `json:"max_grad_norm"` // 0 means no clipping
	EvalSteps                 int     `json:"eval_steps"`
	Dtype                     string  `json:"dtype"` // of the base, and the compute where it can; adapters and moments stay float32

	GradientCheckpointing bool `json:"gradient_checkpointing,omitempty"` // the backward pass computes the inside of blocks again

	ComputeDtype string `json:"compute_dtype,omitempty"` // on a quantised base: bfloat16, or "" for float32

	// Epochs and WarmupRatio ask for what only the data's size tells. OnRows turns them into steps before a trial gets its identity,
	// so they are no part of it: the same steps are the same trial.
	Epochs      float64 `json:"-"`
	WarmupRatio float64 `json:"-"`
}

// ModelInfo is what a base model's files say, read once by the coordinator.
type ModelInfo struct {
	Reference    string        `json:"reference"`   // the grid's model
	Path         string        `json:"path"`        // folder that holds the files, or the GGUF file; empty for builtin models
	Fingerprint  string        `json:"fingerprint"` // SHA-256 over config, weights and tokenizer
	Architecture string        `json:"architecture"`
	Params       int64         `json:"params"`
	VocabSize    int           `json:"vocab_size"`
	MaxPositions int           `json:"max_positions"`
	BeyondThem   string        `json:"beyond_them,omitempty"` // why not more: what would happen there, begun with a comma; mostly nothing
	Modules      []lora.Module `json:"modules"`               // every module that LoRA can target, in the model's order
	Tensors      []lora.Tensor `json:"tensors,omitempty"`     // every weight and bias, in the model's order; a tied output head is none
	Quantised    []string      `json:"quantised,omitempty"`   // number formats of a GGUF file that are blocks of several values, sorted
}

// CorpusInfo is a tokenised corpus in the cache, made once by the coordinator and read by every worker.
type CorpusInfo struct {
	Fingerprint         string `json:"fingerprint"` // SHA-256 over documents, tokenizer and the DataSpec that shaped them
	Path                string `json:"path"`        // folder under ROOT/cache
	TrainSequences      int    `json:"train_sequences"`
	TrainTokens         int64  `json:"train_tokens"`
	ValidationSequences int    `json:"validation_sequences"`
	ValidationTokens    int64  `json:"validation_tokens"` // supervised ones: those val_loss averages over
	RetainSequences     int    `json:"retain_sequences,omitempty"`
	RetainTokens        int64  `json:"retain_tokens,omitempty"`

	Whole string `json:"whole,omitempty"` // with DataSpec.Fraction: the fingerprint of the corpus with all training documents

	// ValidationRows is a SHA-256 over the validation rows as they are scored; empty of corpora that an earlier version registered.
	ValidationRows string `json:"validation_rows,omitempty"`

	Duplicates Duplicates `json:"duplicates,omitzero"` // zero: prepared by a version that did not count them
}

// Scored identifies the validation rows: losses of one compare. It is the corpus's fingerprint, or that of the whole one.
func (c CorpusInfo) Scored() string { return cmp.Or(c.Whole, c.Fingerprint) }

// ScoresAs reports whether two corpora have the same validation rows, whatever their training rows are.
func (c CorpusInfo) ScoresAs(other CorpusInfo) bool {
	return c.Scored() == other.Scored() || c.ValidationRows != "" && c.ValidationRows == other.ValidationRows
}

// Duplicates counts documents (rows, documents of a built-in set, paragraphs or lines of text files) that are there more than once.
type Duplicates struct {
	Train              int   `json:"train"`          // all of data.train
	TrainRepeated      int   `json:"train_repeated"` // those of which an equal one was counted before
	Validation         int   `json:"validation"`
	ValidationRepeated int   `json:"validation_repeated"`
	Shared             int   `json:"shared"` // those of the validation data that data.train has too
	ValidationBytes    int64 `json:"validation_bytes"`
	SharedBytes        int64 `json:"shared_bytes"`
}

// ID identifies a trial by content: 16 hexadecimal digits.
type ID string

// Trial is one training run: a Spec on known inputs, on one backend.
type Trial struct {
	ID   ID     `json:"id"`
	Spec Spec   `json:"spec"`
	Base string `json:"base_fingerprint"`
	Data string `json:"data_fingerprint"`
	// Backend names plug-in and version. It is part of the identity because two plug-ins round differently:
	// a ladder whose rungs came from both would compare rounding, not rank.
	Backend string `json:"backend"`
}

// New returns the trial of spec on these inputs. Where the files lie is not part of its identity; what they hold is.
func New(spec Spec, base, data, backend string) Trial {
	id := identify(canonical(spec, base, data, backend))
	return Trial{ID: id, Spec: spec, Base: base, Data: data, Backend: backend}
}

// canonical is what a trial's identity is made of.
func canonical(spec Spec, base, data, backend string) []byte {
	canonical := spec
	canonical.Model, canonical.LoRA.InitAdapter = "", ""
	canonical.Data.Train, canonical.Data.Validation, canonical.Data.Retain = nil, nil, nil
	body, err := json.Marshal(struct {
		Version int    `json:"version"`
		Spec    Spec   `json:"spec"`
		Base    string `json:"base"`
		Data    string `json:"data"`
		Backend string `json:"backend"`
	}{Version, canonical, base, data, backend})
	if err != nil {
		panic(fmt.Sprintf("a Spec holds a value JSON cannot write (NaN?): %v", err))
	}
	return body
}

func identify(canonical []byte) ID {
	sum := sha256.Sum256(canonical)
	return ID(hex.EncodeToString(sum[:8]))
}

// LiesAt reports whether the inputs are at the same places as another's of equal data settings.
func (s *Spec) LiesAt(at *Spec) bool {
	return s.Model == at.Model && s.LoRA.InitAdapter == at.LoRA.InitAdapter && slices.Equal(s.Data.Train, at.Data.Train) &&
		slices.Equal(s.Data.Validation, at.Data.Validation) && slices.Equal(s.Data.Retain, at.Data.Retain)
}
