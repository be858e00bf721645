package lora

import (
	"errors"
	"slices"
	"strings"
)

// Tensor is a weight or bias of a base model, under the name that save_pretrained writes.
type Tensor struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// AdapterPrefix begins every key of an adapter file.
const AdapterPrefix = "base_model.model."

// Role says what a trainable tensor is to its module.
type Role string

// The roles.
const (
	RoleA         Role = "A"         // [r, in]; [r, vocabulary] on an embedding
	RoleB         Role = "B"         // [out, r]
	RoleMagnitude Role = "magnitude" // DoRA's, [out]
	RoleBias      Role = "bias"      // replaces a bias of the base
	RoleSaved     Role = "saved"     // replaces a tensor of a module of modules_to_save, or of a target that trains in full
)

// Trainable is one tensor that a trial trains.
type Trainable struct {
	Key    string // as in PEFT's adapter files
	Role   Role
	Module string
	Tensor string // of the base, that this one replaces (bias, saved)
	Shape  []int
}

// Size is the number of its parameters.
func (t Trainable) Size() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}

// TrainingBytes is what a trainable parameter takes during training: itself, its gradient and Adam's two moments, each in float32.
const TrainingBytes = 4 * 4

// TrainableParams counts what a trial trains on a model of these modules and tensors.
func (l Spec) TrainableParams(modules []Module, tensors []Tensor) (int64, error) {
	targets, err := l.Match(modules)
	if err != nil {
		return 0, err
	}
	all, err := l.Trainables(targets, modules, tensors)
	var n int64
	for _, t := range all {
		n += t.Size()
	}
	return n, err
}

// ParamsOf counts what LoRA adds to one target.
func (l Spec) ParamsOf(m Module) int64 {
	var n int64
	for _, t := range l.adapterOf(m) {
		n += t.Size()
	}
	return n
}

// Trainables lists the tensors that a trial trains: A, B and magnitude of each target, or its weight where it trains in full, then
// biases, then modules to save. targets are those that Match selected of modules; tensors are all of the base's.
func (l Spec) Trainables(targets, modules []Module, tensors []Tensor) ([]Trainable, error) {
	var all []Trainable
	if l.Full {
		var err error
		if all, err = l.weights(targets, modules, tensors); err != nil {
			return nil, err
		}
	}
	for _, m := range targets {
		all = append(all, l.adapterOf(m)...)
	}
	saved, err := l.saved(targets, modules, tensors)
	if err != nil {
		return nil, err
	}
	return append(append(all, l.biases(targets, tensors, saved)...), saved...), nil
}

// adapterOf lists what LoRA adds to a module.
func (l Spec) adapterOf(m Module) []Trainable {
	if l.Full {
		return nil
	}
	r, a, b := l.RankOf(m.Name), ".lora_A.weight", ".lora_B.weight"
	if m.Embedding {
		a, b = ".lora_embedding_A", ".lora_embedding_B"
	}
	parts := []Trainable{
		{Key: AdapterPrefix + m.Name + a, Role: RoleA, Module: m.Name, Shape: []int{r, m.In}},
		{Key: AdapterPrefix + m.Name + b, Role: RoleB, Module: m.Name, Shape: []int{m.Out, r}},
	}
	if l.UseDoRA {
		parts = append(parts, Trainable{
			Key: AdapterPrefix + m.Name + ".lora_magnitude_vector", Role: RoleMagnitude, Module: m.Name,
			Shape: []int{m.Out},
		})
	}
	return parts
}

// biases lists the biases that train beside LoRA. PEFT wraps a target, so that its bias is that of a base_layer.
func (l Spec) biases(targets []Module, tensors []Tensor, saved []Trainable) []Trainable {
	if l.Bias == "" {
		return nil
	}
	var all []Trainable
	for _, t := range tensors {
		module, isBias := strings.CutSuffix(t.Name, ".bias")
		if !isBias || slices.ContainsFunc(saved, func(s Trainable) bool { return s.Tensor == t.Name }) {
			continue
		}
		key := AdapterPrefix + t.Name
		if slices.ContainsFunc(targets, func(m Module) bool { return m.Name == module }) {
			if !l.Full {
				key = AdapterPrefix + module + ".base_layer.bias"
			}
		} else if l.Bias == BiasLoRAOnly {
			continue
		}
		all = append(all, Trainable{Key: key, Role: RoleBias, Module: module, Tensor: t.Name, Shape: t.Shape})
	}
	return all
}

// saved lists the tensors below the modules to save. As in PEFT an entry is the end of a module's name, here with or without a
// dot before it, and the module may hold others: mlp stands for all that lies below.
func (l Spec) saved(targets, modules []Module, tensors []Tensor) ([]Trainable, error) {
	if len(l.ModulesToSave) == 0 {
		return nil, nil
	}
	tensors = withTiedHead(modules, tensors)
	names := moduleNames(tensors)
	var errs []error
	var wrapped []string
	for _, entry := range l.ModulesToSave {
		matched := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasSuffix(name, entry) })
		if len(matched) == 0 {
			errs = append(errs, keyErrorf("modules_to_save", "modules_to_save: %s is the end of no module's name; there are %s", entry,
				strings.Join(holderKinds(tensors), ", ")))
		}
		wrapped = append(wrapped, matched...)
	}
	slices.Sort(wrapped)
	wrapped = slices.Compact(wrapped)
	for _, name := range wrapped {
		for _, other := range wrapped {
			if strings.HasPrefix(other, name+".") {
				errs = append(errs, keyErrorf("modules_to_save", "modules_to_save: %s lies within %s; name one of the two", other, name))
			}
		}
		if i := slices.IndexFunc(targets, func(m Module) bool { return m.Name == name || strings.HasPrefix(m.Name, name+".") }); i >= 0 {
			errs = append(errs, keyErrorf("modules_to_save",
				"modules_to_save: %s is also a target of LoRA; write its whole last name, or take %s out of the targets", name, targets[i].Name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var all []Trainable
	for _, t := range tensors {
		i := slices.IndexFunc(wrapped, func(name string) bool { return strings.HasPrefix(t.Name, name+".") })
		if i >= 0 {
			all = append(all, Trainable{Key: AdapterPrefix + t.Name, Role: RoleSaved, Module: wrapped[i], Tensor: t.Name, Shape: t.Shape})
		}
	}
	return all, nil
}

// withTiedHead adds the output head where it is the token embedding and so no tensor of its own: to save it makes a copy.
func withTiedHead(modules []Module, tensors []Tensor) []Tensor {
	for _, m := range modules {
		name := m.Name + ".weight"
		if m.Head && !slices.ContainsFunc(tensors, func(t Tensor) bool { return t.Name == name }) {
			tensors = append(slices.Clone(tensors), Tensor{name, []int{m.Out, m.In}})
		}
	}
	return tensors
}

// moduleNames returns the modules that hold tensors, and those that hold such modules.
func moduleNames(tensors []Tensor) []string {
	seen := map[string]bool{}
	var names []string
	for _, t := range tensors {
		for name := t.Name; strings.Contains(name, "."); {
			name = name[:strings.LastIndexByte(name, '.')]
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// holderKinds returns the kinds of the modules that hold tensors themselves, each once, in the model's order.
func holderKinds(tensors []Tensor) []string {
	var kinds []string
	for _, t := range tensors {
		at := strings.LastIndexByte(t.Name, '.')
		if at < 0 {
			continue
		}
		if kind := (Module{Name: t.Name[:at]}).Kind(); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
