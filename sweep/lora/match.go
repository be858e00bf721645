package lora

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Match returns the modules that LoRA adapts, in the order of modules: those that target_modules selects but for excluded ones,
// other layers, and modules to save (peft/tuners/tuners_utils.py, check_target_module_exists, 0.21). It fails where none is left.
func (l Spec) Match(modules []Module) ([]Module, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	matched, err := MatchTargets(modules, l.TargetModules)
	if err != nil {
		return nil, err
	}
	drops, err := l.drops()
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(matched), func(m Module) bool {
		return slices.ContainsFunc(drops, func(d drop) bool { return d.leavesOut(m) })
	})
	if len(left) == 0 {
		return nil, l.noneLeft(matched, drops)
	}
	return left, nil
}

// drop is a key that takes modules out of what target_modules selects.
type drop struct {
	key       string
	leavesOut func(Module) bool
}

func (l Spec) drops() ([]drop, error) {
	excluded, err := l.ExcludeModules.excluder()
	if err != nil {
		return nil, err
	}
	layers, saved := l.layerPatterns(), l.savedPatterns()
	return []drop{
		{"exclude_modules", excluded},
		{"layers_to_transform", func(m Module) bool {
			return !slices.Contains(l.TargetModules.List, m.Name) && !l.inLayers(m.Name, layers) // PEFT does not ask a whole name for its layer
		}},
		{"modules_to_save", func(m Module) bool {
			return slices.ContainsFunc(saved, func(re *regexp.Regexp) bool { return re.MatchString(m.Name) })
		}},
	}, nil
}

// noneLeft says which key leaves none of the matched modules, and what it could say instead.
func (l Spec) noneLeft(matched []Module, drops []drop) error {
	for _, d := range drops {
		if slices.ContainsFunc(matched, func(m Module) bool { return !d.leavesOut(m) }) {
			continue
		}
		all := fmt.Sprintf("the modules that target_modules %s match", l.TargetModules)
		if d.key != "layers_to_transform" {
			return keyErrorf(d.key, "%s: it takes out all of %s; name fewer", d.key, all)
		}
		layers := l.LayersOf(matched)
		if len(layers) == 0 && len(l.LayersPattern) > 0 {
			return keyErrorf("layers_pattern", "layers_pattern: %s stands before no number in the names of %s, such as %s",
				strings.Join(l.LayersPattern, ", "), all, matched[0].Name)
		}
		return keyErrorf(d.key, "%s: %s is none of the layers of %s: %s", d.key, JoinInts(l.LayersToTransform), all, LayerSpan(layers))
	}
	return fmt.Errorf("target_modules %s match %d of the modules, but exclude_modules, layers_to_transform and modules_to_save "+
		"together leave none of them",
		l.TargetModules, len(matched))
}

// LayersOf returns the numbers of the layers that modules lie in, ascending, as layers_to_transform counts them.
func (l Spec) LayersOf(modules []Module) []int {
	var layers []int
	patterns := l.layerPatterns()
	for _, m := range modules {
		if n, ok := layerIn(m.Name, patterns); ok && !slices.Contains(layers, n) {
			layers = append(layers, n)
		}
	}
	slices.Sort(layers)
	return layers
}

// LayerSpan writes layer numbers: 12 layers, 0 to 11.
func LayerSpan(layers []int) string {
	switch n := len(layers); n {
	case 0:
		return "they lie in no layer"
	case 1:
		return fmt.Sprintf("1 layer, %d", layers[0])
	default:
		return fmt.Sprintf("%d layers, %d to %d", n, layers[0], layers[n-1])
	}
}

// excluder returns the test that t makes of a module as exclude_modules.
func (t Targets) excluder() (func(Module) bool, error) {
	if t.Pattern == "" {
		return func(m Module) bool {
			return slices.ContainsFunc(t.List, func(entry string) bool { return hasSuffixName(m.Name, entry) })
		}, nil
	}
	if err := CheckPattern("exclude_modules", t.Pattern); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(`\A(?:` + t.Pattern + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("exclude_modules: %w", err)
	}
	return func(m Module) bool { return re.MatchString(m.Name) }, nil
}

// layerPatterns are the expressions that find a layer's number in a name; Validate has compiled their parts.
func (l Spec) layerPatterns() []*regexp.Regexp {
	if len(l.LayersPattern) == 0 {
		return []*regexp.Regexp{layerPattern}
	}
	var all []*regexp.Regexp
	for _, p := range l.LayersPattern {
		if re, err := regexp.Compile(`\A(?:(?:|.*?\.)` + p + `\.(?P<idx>\d+)\.)`); err == nil {
			all = append(all, re)
		}
	}
	return all
}

// inLayers reports whether a module lies in one of the layers to transform.
func (l Spec) inLayers(module string, patterns []*regexp.Regexp) bool {
	if len(l.LayersToTransform) == 0 {
		return true
	}
	layer, ok := layerIn(module, patterns)
	return ok && slices.Contains(l.LayersToTransform, layer)
}

// layerIn returns the layer's number that the first matching pattern finds in a module's name.
func layerIn(module string, patterns []*regexp.Regexp) (int, bool) {
	for _, re := range patterns {
		if m := re.FindStringSubmatch(module); m != nil {
			layer, err := strconv.Atoi(m[re.SubexpIndex("idx")])
			return layer, err == nil
		}
	}
	return 0, false
}

// savedPatterns are the expressions for modules that are saved or lie in one that is.
func (l Spec) savedPatterns() []*regexp.Regexp {
	var all []*regexp.Regexp
	for _, m := range l.ModulesToSave {
		if re, err := regexp.Compile(`\A(?:(?:|.*\.)` + m + `(?:\z|\..*))`); err == nil {
			all = append(all, re)
		}
	}
	return all
}
