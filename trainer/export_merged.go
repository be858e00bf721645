package trainer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ExportMerged writes the model with the adapter worked into its weights into the folder dir, which exists, as
// save_pretrained does: configuration, weights, tokenizer. dtype is float32, float16 or bfloat16; empty keeps every tensor in
// the number format that the base's file has it in; what is quantised there becomes float32. The tokenizer of a GGUF file stays
// there: it has no tokenizer.json.
func ExportMerged(ctx context.Context, dir string, o ExportOptions, dtype string) error {
	files, err := Files(o.Model)
	if err != nil {
		return err
	}
	config, merged, err := merge(ctx, files, o)
	if err != nil {
		return err
	}
	format, err := formats(files, config, dtype)
	if err != nil {
		return err
	}
	order := tensorOrder(config, merged)
	want := config.Weights()
	for i, name := range order {
		order[i] = want.InFile(name)
		merged[order[i]] = merged[name]
	}
	if err := weights.WriteModel(dir, order, merged, format, weights.MaxShard); err != nil {
		return err
	}
	if err := writeMergedConfig(dir, files, dtype, order); err != nil {
		return err
	}
	for _, name := range tokenizerFiles() {
		if err := copyFile(files, name, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// merge reads base and adapter and adds them up.
func merge(ctx context.Context, files fs.FS, o ExportOptions) (model.Config, tensors, error) {
	fit, err := readTrained(o.Adapter)
	if err != nil {
		return model.Config{}, nil, err
	}
	config, base, err := readBase(ctx, files, o.Model, o.Model.Fingerprint, o.Dtype)
	if errors.Is(err, errChanged) {
		return model.Config{}, nil, fmt.Errorf("%w: %w; restore it, or export the adapter alone, without --merged", trial.ErrInput, err)
	}
	if err != nil {
		return model.Config{}, nil, err
	}
	fitted, err := fit(config)
	if err != nil {
		return model.Config{}, nil, fmt.Errorf("merge adapter %s into model %s: %w", o.Adapter, o.Model.Reference, err)
	}
	merged, err := fitted.Merge(config, base)
	if err != nil {
		return model.Config{}, nil, fmt.Errorf("merge adapter %s into model %s: %w", o.Adapter, o.Model.Reference, err)
	}
	return config, merged, ctx.Err()
}

// tensorOrder lists the merged tensors in the model's order. An output head that the adapter parted from the token embedding
// comes last, as an untied one does.
func tensorOrder(c model.Config, merged map[string]weights.Array) []string {
	var order []string
	for _, t := range c.Tensors() {
		order = append(order, t.Name)
	}
	for name := range merged {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	return order
}

// Dtypes are the number formats that merged weights can be written in, by their names in PyTorch.
func Dtypes() []string { return []string{"float32", "float16", "bfloat16"} }

// formats returns what number format to write each tensor in.
func formats(files fs.FS, c model.Config, dtype string) (func(name string) weights.DType, error) {
	if dtype != "" {
		format, ok := map[string]weights.DType{"float32": weights.F32, "float16": weights.F16, "bfloat16": weights.BF16}[dtype]
		if !ok {
			return nil, fmt.Errorf("%w: dtype %q: want one of %v", trial.ErrInput, dtype, Dtypes())
		}
		return func(string) weights.DType { return format }, nil
	}
	want := c.Weights()
	held, err := weights.ModelDTypes(files, want)
	if err != nil {
		return nil, err
	}
	first := held[want.InFile(c.Tensors()[0].Name)] // the token embedding's, which a parted head was
	return func(name string) weights.DType {
		format := cmp.Or(held[name], first)
		if format.Bytes() == 0 { // quantised, or F64: neither can be written, and float32 holds both
			return weights.F32
		}
		return format
	}, nil
}

// writeMergedConfig copies config.json, or writes what stands for it in a GGUF file. Only what merging changes is changed: the
// number format, in the spelling of transformers 4 or 5 that the file has, and whether the output head is tied: not where it is one of
// the tensors written.
func writeMergedConfig(dir string, files fs.FS, dtype string, written []string) error {
	text, err := configText(files)
	if err != nil {
		return err
	}
	c, err := model.ParseConfig(text)
	if err != nil {
		return err
	}
	var has map[string]json.RawMessage
	if err := json.Unmarshal(text, &has); err != nil {
		return fmt.Errorf("%s: %w", weights.ConfigFile, err)
	}
	values := map[string]any{}
	switch {
	case dtype == "":
	case has["torch_dtype"] != nil:
		values["torch_dtype"] = dtype
	default:
		values["dtype"] = dtype
	}
	if head := c.Weights().TiedHead; head != "" && slices.Contains(written, head) {
		values["tie_word_embeddings"] = false
	}
	if has["architectures"] == nil {
		if err := fromGGUF(files, has, values); err != nil {
			return err
		}
	}
	if text, err = editJSON(text, values); err != nil {
		return fmt.Errorf("%s: %w", weights.ConfigFile, err)
	}
	return writeBytes(filepath.Join(dir, weights.ConfigFile), append(text, '\n'))
}

// fromGGUF adds what the settings of a GGUF file's weights do not say: the class that loads them, and the tokens that begin and
// end a text.
func fromGGUF(files fs.FS, has map[string]json.RawMessage, values map[string]any) error {
	name, err := weights.GGUFName(files)
	if err != nil || name == "" {
		return err
	}
	metadata, err := weights.GGUFMetadata(files, name)
	if err != nil {
		return err
	}
	var kind string
	if err := json.Unmarshal(has["model_type"], &kind); err != nil {
		return fmt.Errorf("%s: model_type: %w", weights.ConfigFile, err)
	}
	values["architectures"] = []string{classPrefix(kind) + "ForCausalLM"}
	for key, from := range map[string]string{"bos_token_id": "tokenizer.ggml.bos_token_id", "eos_token_id": "tokenizer.ggml.eos_token_id"} {
		if id, ok := metadata[from].(uint32); ok {
			values[key] = id
		}
	}
	return nil
}

// classPrefix begins the names of an architecture's classes in transformers: Llama, Qwen2, ….
func classPrefix(modelType string) string {
	odd := map[string]string{"gemma3_text": "Gemma3", "gpt_neox": "GPTNeoX", "smollm3": "SmolLM3"}
	return cmp.Or(odd[modelType], strings.ToUpper(modelType[:1])+modelType[1:])
}
