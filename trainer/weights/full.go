package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// The files that stand in an adapter's folder where a trial trained in full: no adapter of PEFT, so neither file has its name.
const (
	FullConfigFile  = "full_config.json"
	FullWeightsFile = "full_weights.safetensors"
)

// Full is what a trial trained without an adapter: weights that take the place of the base's.
type Full struct {
	Base    string           `json:"base_model_name_or_path"`
	Spec    lora.Spec        `json:"spec"`
	Tensors map[string]Array `json:"-"` // by the base's names, so that PyTorch's load_state_dict(strict=False) takes the file
}

// WriteFull writes the weights and, last, the file that says what they are into the folder dir.
func WriteFull(dir string, f Full) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(dir, FullWeightsFile), f.Tensors, F32, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return trial.WriteAtomic(filepath.Join(dir, FullConfigFile), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// ReadFull reads what WriteFull wrote; ok is false where the folder holds none.
func ReadFull(dir string) (f Full, ok bool, err error) {
	path := filepath.Join(dir, FullConfigFile)
	text, err := trial.ReadInput(path, maxAdapterConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return Full{}, false, nil
	}
	if err != nil {
		return Full{}, false, err
	}
	if err := CheckSeal(dir); err != nil {
		return Full{}, false, fmt.Errorf("read the weights: %w", err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return Full{}, false, fmt.Errorf("%s: %w", path, err)
	}
	if !f.Spec.Full {
		return Full{}, false, fmt.Errorf("%s: spec.full is not true, so it says nothing about %s; restore the file", path, FullWeightsFile)
	}
	f.Tensors, err = ReadFile(filepath.Join(dir, FullWeightsFile))
	return f, err == nil, err
}
