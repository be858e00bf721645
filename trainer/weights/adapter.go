package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
)

const (
	adapterConfigFile  = "adapter_config.json"
	adapterWeightsFile = "adapter_model.safetensors"
	keyPrefix          = "base_model.model."
)

// Adapter is a LoRA adapter as PEFT stores it. Tensors are keyed as in its file:
// base_model.model.<module>.lora_A.weight [r, in] and lora_B.weight [out, r].
type Adapter struct {
	Config  AdapterConfig
	Tensors map[string]Array
}

// KeyA returns the file's key of a module's A.
func KeyA(module string) string { return keyPrefix + module + ".lora_A.weight" }

// KeyB returns the file's key of a module's B.
func KeyB(module string) string { return keyPrefix + module + ".lora_B.weight" }

// moduleOf returns the module that a tensor of an adapter file belongs to.
func moduleOf(key string) (string, bool) {
	name, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return "", false
	}
	for _, suffix := range []string{".lora_A.weight", ".lora_B.weight"} {
		if module, ok := strings.CutSuffix(name, suffix); ok {
			return module, true
		}
	}
	return "", false
}

// Modules lists the modules the adapter changes, sorted.
func (a Adapter) Modules() []string {
	var out []string
	for key := range a.Tensors {
		if module, ok := moduleOf(key); ok {
			out = append(out, module)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ReadAdapter reads a PEFT adapter folder, those of older PEFT releases included. What the trainer cannot compute (DoRA,
// biases, patterns of ranks, modules to save) is an error that names the setting.
func ReadAdapter(dir string) (Adapter, error) {
	text, err := os.ReadFile(filepath.Join(dir, adapterConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Adapter{}, fmt.Errorf("read adapter %s: %w: it has no %s", dir, fs.ErrNotExist, adapterConfigFile)
	}
	if err != nil {
		return Adapter{}, fmt.Errorf("read adapter: %w", err)
	}
	config, err := parseAdapterConfig(text)
	if err != nil {
		return Adapter{}, fmt.Errorf("read adapter %s: %w", filepath.Join(dir, adapterConfigFile), err)
	}
	tensors, err := ReadFile(filepath.Join(dir, adapterWeightsFile))
	if err != nil {
		return Adapter{}, fmt.Errorf("read adapter %s: %w", dir, err)
	}
	a := Adapter{Config: config, Tensors: tensors}
	if err := a.check(); err != nil {
		return Adapter{}, fmt.Errorf("read adapter %s: %w: %w", dir, ErrFormat, err)
	}
	return a, nil
}

// WriteAdapter writes a PEFT adapter folder that replaces what was there. The folder is complete before it takes its name;
// a crash between removing an old adapter and renaming the new one leaves none, never a mixture.
func WriteAdapter(dir string, a Adapter) error {
	if err := a.check(); err != nil {
		return fmt.Errorf("write adapter %s: %w", dir, err)
	}
	temp := dir + ".tmp"
	if err := writeAdapterFiles(temp, a); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("write adapter: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return fmt.Errorf("write adapter: %w", err)
	}
	return sweep.SyncFolder(filepath.Dir(dir))
}

func writeAdapterFiles(dir string, a Adapter) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("write adapter: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write adapter: %w", err)
	}
	text, err := json.MarshalIndent(a.Config, "", "  ")
	if err != nil {
		return fmt.Errorf("write adapter %s: %w", dir, err)
	}
	if err := writeText(filepath.Join(dir, adapterConfigFile), text); err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, adapterWeightsFile), a.Tensors, F32, map[string]string{"format": "pt"})
}

// check verifies that every tensor is an A or a B, that each has its counterpart, and that all have the config's rank.
func (a Adapter) check() error {
	for key, tensor := range a.Tensors {
		if _, ok := moduleOf(key); !ok {
			return fmt.Errorf("tensor %s is neither a LoRA A nor a LoRA B", key)
		}
		if len(tensor.Shape) != 2 {
			return fmt.Errorf("tensor %s has shape %v, not two dimensions", key, tensor.Shape)
		}
	}
	modules := a.Modules()
	if len(modules) == 0 {
		return errors.New("the adapter has no LoRA tensors")
	}
	for _, m := range modules {
		x, okA := a.Tensors[KeyA(m)]
		y, okB := a.Tensors[KeyB(m)]
		if !okA || !okB {
			return fmt.Errorf("module %s has only one of lora_A and lora_B", m)
		}
		if x.Shape[0] != a.Config.R || y.Shape[1] != a.Config.R {
			return fmt.Errorf("module %s: lora_A %v and lora_B %v do not have rank %d", m, x.Shape, y.Shape, a.Config.R)
		}
	}
	return nil
}

// Spec returns the adapter's settings in the domain's words.
func (a Adapter) Spec() sweep.LoRASpec {
	return sweep.LoRASpec{
		Rank: a.Config.R, Alpha: a.Config.LoraAlpha, Dropout: float64(a.Config.LoraDropout),
		TargetModules: a.Config.TargetModules, UseRSLoRA: a.Config.UseRSLoRA, Init: "kaiming",
	}
}
