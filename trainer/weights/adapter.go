package weights

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Files of an adapter folder.
const (
	AdapterConfigFile  = "adapter_config.json"
	AdapterWeightsFile = "adapter_model.safetensors"
)

// maxAdapterConfig bounds an adapter_config.json; one that lists every expert of a large mixture has 2 MB.
const maxAdapterConfig = 8 << 20

// Adapter is a LoRA adapter as PEFT stores it. Tensors are keyed as in its file, all below base_model.model.<module>:
//
//	.lora_A.weight [r, in], .lora_B.weight [out, r]           of a linear module
//	.lora_embedding_A [r, vocabulary], .lora_embedding_B      of an embedding
//	.lora_magnitude_vector [out]                              of DoRA
//	.base_layer.bias, .bias                                   with bias: of a target, of any other module
//	.weight and whatever the module has                       of a module of modules_to_save
//	.base_layer.weight                                        the base's own, which PEFT stores with LoRA on an embedding
//	.weight                                                   likewise, of an embedding without LoRA (save_embedding_layers)
type Adapter struct {
	Config  AdapterConfig
	Tensors map[string]Array
}

// KeyA returns the file's key of a linear module's A.
func KeyA(module string) string { return keyPrefix + module + suffixA }

// KeyB returns the file's key of a linear module's B.
func KeyB(module string) string { return keyPrefix + module + suffixB }

const (
	keyPrefix       = lora.AdapterPrefix
	suffixA         = ".lora_A.weight"
	suffixB         = ".lora_B.weight"
	suffixEmbedA    = ".lora_embedding_A"
	suffixEmbedB    = ".lora_embedding_B"
	suffixMagnitude = ".lora_magnitude_vector"
	suffixBaseBias  = ".base_layer.bias"
	suffixBase      = ".base_layer.weight"
)

// moduleOf returns the module that an A, B or magnitude belongs to, and its role.
func moduleOf(key string) (string, lora.Role, bool) {
	name, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return "", "", false
	}
	for suffix, role := range map[string]lora.Role{
		suffixA: lora.RoleA, suffixB: lora.RoleB, suffixEmbedA: lora.RoleA, suffixEmbedB: lora.RoleB, suffixMagnitude: lora.RoleMagnitude,
	} {
		if module, ok := strings.CutSuffix(name, suffix); ok {
			return module, role, true
		}
	}
	return "", "", false
}

// Modules lists the modules that have an A and a B, sorted.
func (a Adapter) Modules() []string {
	var out []string
	for key := range a.Tensors {
		if module, _, ok := moduleOf(key); ok {
			out = append(out, module)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Trained returns the tensors but for the base's own that PEFT stores with LoRA on an embedding.
func (a Adapter) Trained() map[string]Array {
	trained := maps.Clone(a.Tensors)
	maps.DeleteFunc(trained, func(key string, _ Array) bool { return strings.HasSuffix(key, suffixBase) })
	return trained
}

// ReadAdapter reads a PEFT adapter folder, those of older PEFT releases included. What the trainer cannot compute is an error that
// names the setting.
func ReadAdapter(dir string) (Adapter, error) {
	if err := CheckSeal(dir); err != nil {
		return Adapter{}, fmt.Errorf("read adapter: %w", err)
	}
	text, err := ReadAdapterConfig(dir)
	if _, full := os.Stat(filepath.Join(dir, FullConfigFile)); full == nil {
		return Adapter{}, fmt.Errorf("read adapter %s: %w: it holds weights that trained in full, no adapter; put them into the model with "+
			"sweep export --full --merged, or load %s with PyTorch", dir, ErrFormat, FullWeightsFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Adapter{}, fmt.Errorf("read adapter %s: %w: it has no %s", dir, fs.ErrNotExist, AdapterConfigFile)
	}
	if err != nil {
		return Adapter{}, fmt.Errorf("read adapter: %w", err)
	}
	config, err := parseAdapterConfig(text)
	if err != nil {
		return Adapter{}, fmt.Errorf("read adapter %s: %w", filepath.Join(dir, AdapterConfigFile), err)
	}
	tensors, err := ReadFile(filepath.Join(dir, AdapterWeightsFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = cmp.Or(pickledOnly(dir), err)
	}
	if err != nil {
		return Adapter{}, fmt.Errorf("read adapter %s: %w", dir, err)
	}
	a := Adapter{Config: config, Tensors: tensors}
	a.rename()
	if err := a.check(); err != nil {
		return Adapter{}, fmt.Errorf("read adapter %s: %w: %w", dir, ErrFormat, err)
	}
	return a, nil
}

// pickledFile holds the tensors of adapters that PEFT saved before 0.6, or with safe_serialization=False.
const pickledFile = "adapter_model.bin"

// pickledOnly says how to convert an adapter whose tensors are in a pickle, which this package does not read: it can run any code.
func pickledOnly(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, pickledFile)); err != nil {
		return nil //nolint:nilerr // it is not there
	}
	return fmt.Errorf("%w: it has %s but no %s; convert it in its folder: python -c \"import torch, safetensors.torch as s; "+
		"s.save_file({k: v.contiguous().clone() for k, v in torch.load('%[2]s', map_location='cpu', weights_only=True).items()}, "+
		"'%[3]s', metadata={'format': 'pt'})\"", ErrFormat, pickledFile, AdapterWeightsFile)
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
	return trial.SyncFolder(filepath.Dir(dir))
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
	if err := writeText(filepath.Join(dir, AdapterConfigFile), text); err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, AdapterWeightsFile), a.Tensors, F32, map[string]string{"format": "pt"})
}

// ReadAdapterConfig reads the text of a folder's adapter_config.json.
func ReadAdapterConfig(dir string) ([]byte, error) {
	path := filepath.Join(dir, AdapterConfigFile)
	text, err := trial.ReadInput(path, maxAdapterConfig)
	if err == nil {
		err = PointerError(path, text)
	}
	return text, err
}

// rename gives the keys of other PEFT releases today's form: the magnitude had a weight below it, and the bias of a target no
// base_layer above.
func (a Adapter) rename() {
	for key, tensor := range maps.Clone(a.Tensors) {
		name := key
		if short, ok := strings.CutSuffix(key, suffixMagnitude+".weight"); ok {
			name = short + suffixMagnitude
		}
		if module, ok := strings.CutSuffix(key, ".bias"); ok && !strings.HasSuffix(key, suffixBaseBias) {
			if _, target := a.Tensors[module+suffixA]; target {
				name = module + suffixBaseBias
			}
		}
		if name != key {
			delete(a.Tensors, key)
			a.Tensors[name] = tensor
		}
	}
}

// check verifies that every tensor is one that the config speaks of, that A and B have each other and their module's rank.
// Whether they are those of a model, only the model can tell.
func (a Adapter) check() error {
	for key := range a.Tensors {
		if err := a.checkKey(key); err != nil {
			return err
		}
	}
	modules := a.Modules()
	if len(modules) == 0 {
		return errors.New("the adapter has no LoRA tensors")
	}
	spec := a.Config.Spec()
	for _, m := range modules {
		x, y, ok := a.pair(m)
		if !ok {
			return fmt.Errorf("module %s has only one of lora_A and lora_B", m)
		}
		if len(x.Shape) != 2 || len(y.Shape) != 2 {
			return fmt.Errorf("module %s: lora_A has shape %v and lora_B %v, not two dimensions each", m, x.Shape, y.Shape)
		}
		if r := spec.RankOf(m); x.Shape[0] != r || y.Shape[1] != r {
			return fmt.Errorf("module %s: lora_A %v and lora_B %v do not have rank %d", m, x.Shape, y.Shape, r)
		}
		if _, ok := a.Tensors[keyPrefix+m+suffixMagnitude]; ok != spec.UseDoRA {
			return fmt.Errorf("module %s: use_dora is %t, and a magnitude vector is there: %t", m, spec.UseDoRA, ok)
		}
	}
	return nil
}

func (a Adapter) checkKey(key string) error {
	if _, _, ok := moduleOf(key); ok {
		return nil
	}
	isBias := strings.HasSuffix(key, ".bias") && a.Config.Spec().Bias != ""
	isWeight := strings.HasSuffix(key, ".weight") && !strings.Contains(key, ".lora_") // which may be the base's: the model can tell
	if strings.HasPrefix(key, keyPrefix) && (isBias || isWeight || len(a.Config.ModulesToSave) > 0) {
		return nil
	}
	return fmt.Errorf("tensor %s is neither of LoRA nor of what adapter_config.json says is stored with it", key)
}

// pair returns a module's A and B.
func (a Adapter) pair(module string) (x, y Array, ok bool) {
	for _, s := range [][2]string{{suffixA, suffixB}, {suffixEmbedA, suffixEmbedB}} {
		x, okA := a.Tensors[keyPrefix+module+s[0]]
		y, okB := a.Tensors[keyPrefix+module+s[1]]
		if okA && okB {
			return x, y, true
		}
	}
	return Array{}, Array{}, false
}

// Spec returns the adapter's settings in the domain's words.
func (a Adapter) Spec() lora.Spec { return a.Config.Spec() }
