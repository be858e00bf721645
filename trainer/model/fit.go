package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Fitted is an adapter file that fits a model.
type Fitted struct {
	BaseName string    // what the file calls the model that it was trained on
	LoRA     lora.Spec // its targets are the modules that the file has tensors of
	Targets  []lora.Module
	Tensors  map[string]weights.Array // all that LoRA trains on those targets, and nothing else
	Base     map[string]weights.Array // weights of the base that the file brings along, by the base's names
	Warnings []string
}

// Fit checks that an adapter is one of this model: every tensor of the modules that it adapts is there with the model's shape, and no
// other. Modules that its target_modules select and that it has no tensors of stay as the base has them, as in PEFT, with a warning.
func (c Config) Fit(a weights.Adapter) (Fitted, error) {
	if err := c.checkTying(a); err != nil {
		return Fitted{}, err
	}
	f := Fitted{BaseName: a.Config.BaseModelNameOrPath, LoRA: a.Spec()}
	names := a.Modules()
	modules := c.Modules()
	for _, m := range modules {
		if slices.Contains(names, m.Name) {
			f.Targets = append(f.Targets, m)
		}
	}
	var errs []error
	for _, name := range names {
		if moduleOf(f.Targets, name).Name == "" {
			errs = append(errs, fmt.Errorf("its tensor %s is of a module that the model does not have", weights.KeyA(name)))
		}
	}
	if len(errs) > 0 {
		return Fitted{}, errors.Join(errs...)
	}
	var err error
	if f.Warnings, err = c.compareTargets(f.LoRA, names); err != nil {
		return Fitted{}, err
	}
	f.LoRA.TargetModules, f.LoRA.ExcludeModules = lora.Targets{List: names}, lora.Targets{}
	f.LoRA.LayersToTransform, f.LoRA.LayersPattern = nil, nil
	trained, err := c.Trainables(f.Targets, f.LoRA)
	if err != nil {
		return Fitted{}, err
	}
	if err := c.divide(&f, a.Tensors, trained); err != nil {
		return Fitted{}, err
	}
	if _, err := newLayout(specsOf(trained)).pack("the adapter", f.Tensors); err != nil {
		return Fitted{}, err
	}
	return f, c.shareHead(f.Base)
}

// FitFull checks that weights which trained in full are of this model.
func (c Config) FitFull(w weights.Full) (Fitted, error) {
	f := Fitted{BaseName: w.Base, LoRA: w.Spec, Tensors: make(map[string]weights.Array, len(w.Tensors))}
	for name, a := range w.Tensors {
		f.Tensors[lora.AdapterPrefix+name] = a
	}
	var err error
	if f.Targets, err = f.LoRA.Match(c.Modules()); err != nil {
		return Fitted{}, err
	}
	trained, err := c.Trainables(f.Targets, f.LoRA)
	if err != nil {
		return Fitted{}, err
	}
	_, err = newLayout(specsOf(trained)).pack(weights.FullWeightsFile, f.Tensors)
	return f, err
}

// compareTargets compares the modules that an adapter's settings select with those that its file has tensors of. PEFT takes the
// settings' word: of a module that they leave out it ignores the tensors, and one that has none it adapts with an update of zero.
func (c Config) compareTargets(l lora.Spec, names []string) ([]string, error) {
	if l.TargetModules.Pattern == "" && len(l.TargetModules.List) == 0 {
		return nil, nil // older files leave the choice to PEFT's table of architectures
	}
	if err := lora.CheckPattern("target_modules", l.TargetModules.Pattern); err != nil {
		return []string{fmt.Sprintf("whether the adapter lacks modules cannot be told: %v", err)}, nil
	}
	selected, err := l.Match(c.Modules())
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, m := range selected {
		if !slices.Contains(names, m.Name) {
			missing = append(missing, m.Name)
		}
	}
	for _, name := range names {
		if moduleOf(selected, name).Name == "" {
			return nil, fmt.Errorf("its tensor %s is of a module that its target_modules %s do not select, so PEFT would leave it out; add the "+
				"module to adapter_config.json, or take the tensor out", weights.KeyA(name), l.TargetModules)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("the adapter has no tensors for %d of the %d modules that its target_modules select, which stay as the "+
		"base has them: %s", len(missing), len(selected), firstOf(missing))}, nil
}

// firstOf lists the first few names.
func firstOf(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// divide tells an adapter's tensors: those that train, and those of the base that PEFT has stored with them (save_embedding_layers,
// and beside LoRA on an embedding or the head).
func (c Config) divide(f *Fitted, tensors map[string]weights.Array, trained []lora.Trainable) error {
	f.Tensors, f.Base = map[string]weights.Array{}, map[string]weights.Array{}
	for _, key := range slices.Sorted(maps.Keys(tensors)) {
		if slices.ContainsFunc(trained, func(t lora.Trainable) bool { return t.Key == key }) {
			f.Tensors[key] = tensors[key]
			continue
		}
		name := c.baseName(key, f.Targets)
		want := c.tensorShape(name)
		if name == "" || want == nil {
			return fmt.Errorf("its tensor %s is neither of LoRA nor of the model", key)
		}
		if got := tensors[key].Shape; !slices.Equal(got, want) {
			return fmt.Errorf("its base weight %s has shape %v, the model's %v: was the vocabulary resized? Then name the resized model",
				name, got, want)
		}
		f.Base[name] = tensors[key]
	}
	return nil
}

// baseName returns the name of the base's tensor that an adapter's key stands for in PEFT's module tree, where LoRA wraps its targets;
// "" for none.
func (c Config) baseName(key string, targets []lora.Module) string {
	name, ok := strings.CutPrefix(key, lora.AdapterPrefix)
	module, isWeight := strings.CutSuffix(name, ".weight")
	if !ok || !isWeight {
		return ""
	}
	inner, wrapped := strings.CutSuffix(module, ".base_layer")
	if target := moduleOf(targets, inner).Name != ""; target != wrapped {
		return ""
	}
	return inner + ".weight"
}

// shareHead gives the token embedding the weights of a tied output head that an adapter brings along: the two are one tensor.
func (c Config) shareHead(base map[string]weights.Array) error {
	head, tokens := headName+".weight", c.arch().tokens+".weight"
	own, ok := base[head]
	if !ok || !c.TieHead {
		return nil
	}
	if other, both := base[tokens]; both && !slices.Equal(own.Data, other.Data) {
		return fmt.Errorf("it brings a %s and a %s that differ, and the model has one tensor for both: it was trained on a model whose "+
			"output head is not tied; name that one", tokens, head)
	}
	delete(base, head)
	base[tokens] = own
	return nil
}

// checkTying refuses ensure_weight_tying where it matters: PEFT then trains one update for the token embedding and the output head,
// where this package trains each on its own.
func (c Config) checkTying(a weights.Adapter) error {
	if !a.Config.EnsureWeightTying || !c.TieHead {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(a.Tensors)) {
		for _, module := range []string{headName, c.arch().tokens} {
			rest, of := strings.CutPrefix(key, lora.AdapterPrefix+module+".")
			if of && (strings.HasPrefix(rest, "lora_") || len(a.Config.ModulesToSave) > 0) {
				return fmt.Errorf("it sets ensure_weight_tying and adapts %s, which the model ties: one update for both the token embedding and "+
					"the output head is not supported; train it without ensure_weight_tying", module)
			}
		}
	}
	return nil
}

// tensorShape returns the shape of a tensor of the model, a tied output head's included; nil where there is none.
func (c Config) tensorShape(name string) []int {
	if name == headName+".weight" && c.TieHead {
		return []int{c.VocabSize, c.Embed}
	}
	for _, t := range c.Tensors() {
		if t.Name == name {
			return t.Shape
		}
	}
	return nil
}
