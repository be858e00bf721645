package trainer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ExportOptions say which adapter to export, and with which base.
type ExportOptions struct {
	Model   trial.ModelInfo // that the adapter was trained on
	Adapter string          // a finished trial's adapter folder
	Dtype   string          // that it was trained with: a quantised base is merged as it was trained on
	// BaseReference is what adapter_config.json names as the base model: what PEFT's AutoPeftModel loads.
	BaseReference string
}

// ExportAdapter writes the adapter's two files into the folder dir, which exists. The weights are a copy, byte for byte, once
// the adapter has been read whole; of the configuration only the base's name may change.
func ExportAdapter(dir string, o ExportOptions) error {
	if err := checkAdapter(o); err != nil {
		return err
	}
	text, err := weights.ReadAdapterConfig(o.Adapter)
	if err != nil {
		return err
	}
	if text, err = editJSON(text, map[string]any{"base_model_name_or_path": o.BaseReference}); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(o.Adapter, weights.AdapterConfigFile), err)
	}
	if err := writeBytes(filepath.Join(dir, weights.AdapterConfigFile), text); err != nil {
		return err
	}
	return copyFile(os.DirFS(o.Adapter), weights.AdapterWeightsFile, dir)
}

func checkAdapter(o ExportOptions) error {
	a, err := weights.ReadAdapter(o.Adapter)
	if err != nil {
		return err
	}
	for _, name := range a.Modules() {
		if !slices.ContainsFunc(o.Model.Modules, func(m lora.Module) bool { return m.Name == name }) {
			return fmt.Errorf("adapter %s adapts %s, which model %s does not have", o.Adapter, name, o.Model.Reference)
		}
	}
	return nil
}

// ExportBase copies a model's files into the folder dir as they are. Adapters of a model that only this program holds need it:
// no other program could load their base.
func ExportBase(dir string, m trial.ModelInfo) error {
	files, err := Files(m)
	if err != nil {
		return err
	}
	names, err := weights.ModelFiles(files)
	if err != nil {
		return fmt.Errorf("model %s: %w", m.Reference, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range append(append([]string{weights.ConfigFile}, names...), tokenizerFiles()...) {
		if err := copyFile(files, name, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tokenizerFiles are the files beside the weights that transformers' tokenizers and generation read; each may be absent.
func tokenizerFiles() []string {
	return []string{
		tokenizer.File, tokenizer.ConfigFile, "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
		"tokenizer.model", chat.TemplateFile, "chat_template.json", "generation_config.json",
	}
}

// ExportedFiles are the names that exports give to what they write: an earlier export holds nothing else but shards.
func ExportedFiles() []string {
	return append([]string{
		weights.AdapterConfigFile, weights.AdapterWeightsFile, weights.ConfigFile, weights.ModelFile,
		weights.IndexFile,
	}, tokenizerFiles()...)
}

func copyFile(files fs.FS, name, dir string) error {
	if info, err := fs.Stat(files, name); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is no file that could be copied", trial.ErrInput, name)
	}
	from, err := files.Open(name)
	if err != nil {
		return err
	}
	err = trial.WriteAtomic(filepath.Join(dir, name), func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
	return errors.Join(err, from.Close())
}

func writeBytes(path string, text []byte) error {
	return trial.WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// editJSON replaces values of a JSON object and writes it as Hugging Face's libraries do: keys sorted, indented by two.
// What is not replaced keeps its spelling, such as 1e-05.
func editJSON(text []byte, values map[string]any) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	for key, v := range values {
		raw, err := trial.PlainJSON(v)
		if err != nil {
			return nil, err
		}
		object[key] = raw
	}
	compact, err := trial.PlainJSON(object)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
