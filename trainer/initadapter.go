package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// startingAdapter returns the trainable tensors that a trial starts from: fresh ones, or lora.init_adapter padded or truncated to the
// trial's ranks (model.Resize). Modules that only the trial targets start fresh, and so do biases and modules to save that only the
// trial trains. An adapter that has learnt something the trial has no place for is refused.
func startingAdapter(c model.Config, base map[string]weights.Array, targets []lora.Module, l lora.Spec,
	seed int64,
) (map[string]weights.Array, error) {
	fresh, err := model.InitAdapter(c, base, targets, l, seed)
	if err != nil || l.InitAdapter == "" {
		return fresh, err
	}
	from, err := readStart(c, targets, l)
	if err != nil {
		return nil, err
	}
	start, err := model.Resize(from, l, fresh)
	if err != nil {
		return nil, initError(l, err)
	}
	if l.UseDoRA && !from.LoRA.UseDoRA {
		// The lengths that leave the function as it is are those that the adapter has made.
		model.Lengths(c, base, from, start)
	}
	maps.Copy(fresh, start)
	return fresh, nil
}

// CheckStart reports why trials of this spec cannot start from lora.init_adapter, or what to warn of. It reads no base weight.
func CheckStart(m trial.ModelInfo, l lora.Spec) (warnings []string, err error) {
	if l.InitAdapter == "" {
		return nil, nil
	}
	files, err := Files(m)
	if err != nil {
		return nil, err
	}
	config, err := readConfig(files)
	if err != nil {
		return nil, err
	}
	if config, _, err = partHead(files, config); err != nil {
		return nil, err
	}
	targets, err := l.Match(m.Modules)
	if err != nil {
		return nil, err
	}
	from, err := readStart(config, targets, l)
	for _, w := range from.Warnings {
		warnings = append(warnings, fmt.Sprintf("lora.init_adapter %s: %s", l.InitAdapter, w))
	}
	if from.BaseName != "" && !sameName(from.BaseName, m.Reference) {
		warnings = append(warnings, fmt.Sprintf("lora.init_adapter %s: it was trained on %s, by its base_model_name_or_path, and the model here "+
			"is %s: on other weights what it has learnt is worth little", l.InitAdapter, from.BaseName, m.Reference))
	}
	return warnings, err
}

// sameName reports whether two references may mean one model: a hub id and a folder of its last part do.
func sameName(a, b string) bool {
	last := func(name string) string {
		return strings.TrimPrefix(path.Base(filepath.ToSlash(name)), trial.BuiltinPrefix)
	}
	return strings.EqualFold(last(a), last(b))
}

// readStart reads lora.init_adapter and checks that the trial has a place for all that it has learnt.
func readStart(c model.Config, targets []lora.Module, l lora.Spec) (model.Fitted, error) {
	if err := checkAdapterSum(l); err != nil {
		return model.Fitted{}, err
	}
	a, err := weights.ReadAdapter(l.InitAdapter)
	if err != nil {
		return model.Fitted{}, initError(l, missingAdapter(asInput(err)))
	}
	from, err := c.Fit(a)
	if err == nil {
		err = hasPlace(c, from, targets, l)
	}
	if err != nil {
		return model.Fitted{}, initError(l, fmt.Errorf("%w: %w", trial.ErrInput, err))
	}
	return from, nil
}

// hasPlace reports what an adapter has learnt that a trial would lose.
func hasPlace(c model.Config, from model.Fitted, targets []lora.Module, l lora.Spec) error {
	if from.LoRA.UseDoRA && !l.UseDoRA {
		return errors.New("it was trained with DoRA; write use_dora: true")
	}
	if len(from.Base) > 0 {
		return errors.New("it brings base weights of its own, which a trial does not take; merge them into the model first")
	}
	trained, err := c.Trainables(targets, l)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(from.Tensors)) {
		if !slices.ContainsFunc(trained, func(t lora.Trainable) bool { return t.Key == key }) {
			return fmt.Errorf("the trial does not train its tensor %s; target its modules, and write its bias and modules_to_save", key)
		}
	}
	return nil
}

func initError(l lora.Spec, err error) error {
	return fmt.Errorf("lora.init_adapter %s: %w", l.InitAdapter, err)
}

// missingAdapter says what an adapter folder is, where a file of it is not there.
func missingAdapter(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w; name a folder that holds %s and %s, as PEFT's save_pretrained and sweep export write them", err,
		weights.AdapterConfigFile, weights.AdapterWeightsFile)
}

// AdapterSum returns the SHA-256 over the two files of lora.init_adapter, for lora.Spec.InitAdapterSHA256.
func AdapterSum(dir string) (string, error) {
	sum := sha256.New()
	for _, name := range []string{weights.AdapterConfigFile, weights.AdapterWeightsFile} {
		f, err := trial.OpenInput(filepath.Join(dir, name))
		if err != nil {
			return "", missingAdapter(asInput(err))
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
func checkAdapterSum(l lora.Spec) error {
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
