package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// StartingAdapter returns the adapter that a trial starts from: a fresh one, or lora.init_adapter padded to the trial's
// rank. Padding does not change the function: the added columns of B are zero, the added rows of A are those a fresh
// adapter has there, and where alpha, r or rsLoRA give another scaling than the adapter was trained with, the ratio is
// folded into B. An adapter of a larger rank, or on modules that the trial does not target, would lose what it has learnt
// and is refused. Modules that only the trial targets start fresh.
func StartingAdapter(targets []sweep.Module, l sweep.LoRASpec, seed int64) (map[string]weights.Array, error) {
	fresh := model.InitAdapter(targets, l, seed)
	if l.InitAdapter == "" {
		return fresh, nil
	}
	if err := checkAdapterSum(l); err != nil {
		return nil, err
	}
	from, err := weights.ReadAdapter(l.InitAdapter)
	if err != nil {
		return nil, initError(l, asInput(err))
	}
	if from.Config.R > l.Rank {
		return nil, initError(l, fmt.Errorf("%w: its rank %d is larger than rank %d; a ladder that starts from it has to start at %d",
			sweep.ErrInput, from.Config.R, l.Rank, from.Config.R))
	}
	if err := fits(from, targets); err != nil {
		return nil, initError(l, fmt.Errorf("%w: %w", sweep.ErrInput, err))
	}
	ratio := from.Config.Scaling() / l.Scaling()
	for _, module := range from.Modules() {
		padA(fresh[weights.KeyA(module)], from.Tensors[weights.KeyA(module)])
		padB(fresh[weights.KeyB(module)], from.Tensors[weights.KeyB(module)], ratio)
	}
	return fresh, nil
}

func initError(l sweep.LoRASpec, err error) error {
	return fmt.Errorf("lora.init_adapter %s: %w", l.InitAdapter, err)
}

// fits verifies that an adapter's modules are among the targets and have their shapes.
func fits(a weights.Adapter, targets []sweep.Module) error {
	for _, name := range a.Modules() {
		i := slices.IndexFunc(targets, func(m sweep.Module) bool { return m.Name == name })
		if i < 0 {
			return fmt.Errorf("its tensor %s is for a module that is not among those to adapt", weights.KeyA(name))
		}
		for key, want := range map[string][]int{weights.KeyA(name): {a.Config.R, targets[i].In}, weights.KeyB(name): {targets[i].Out, a.Config.R}} {
			if got := a.Tensors[key].Shape; !slices.Equal(got, want) {
				return fmt.Errorf("tensor %s has shape %v; this model needs %v", key, got, want)
			}
		}
	}
	return nil
}

// padA copies A [r0, in] over the first rows of a fresh [r, in].
func padA(to, from weights.Array) { copy(to.Data, from.Data) }

// padB copies B [out, r0] times ratio into the first columns of zeros [out, r].
func padB(to, from weights.Array, ratio float64) {
	r, r0 := to.Shape[1], from.Shape[1]
	for i := range from.Shape[0] {
		for j := range r0 {
			to.Data[i*r+j] = float32(float64(from.Data[i*r0+j]) * ratio)
		}
	}
}

// AdapterSum returns the SHA-256 over an adapter folder's two files, for LoRASpec.InitAdapterSHA256.
func AdapterSum(dir string) (string, error) {
	sum := sha256.New()
	for _, name := range []string{"adapter_config.json", "adapter_model.safetensors"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return "", asInput(err)
		}
		fmt.Fprintf(sum, "%s\n", name)
		_, err = io.Copy(sum, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// checkAdapterSum refuses an adapter that is not the one the sweep was registered with.
func checkAdapterSum(l sweep.LoRASpec) error {
	if l.InitAdapterSHA256 == "" {
		return nil
	}
	sum, err := AdapterSum(l.InitAdapter)
	if err != nil {
		return initError(l, err)
	}
	if sum != l.InitAdapterSHA256 {
		return initError(l, errors.New("its files have changed since the sweep was registered"))
	}
	return nil
}
