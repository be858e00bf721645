package lora

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// AllLinear is the target_modules value that means every linear module but embeddings and the output head.
const AllLinear = "all-linear"

// Targets selects modules as PEFT's target_modules does: a list matches by suffix, a pattern matches the whole module
// name as a regular expression, and the pattern "all-linear" means every linear module but the output head.
// At most one of the two is set. In JSON it is a list or a string, as in adapter_config.json.
type Targets struct {
	List    []string
	Pattern string
}

// MarshalJSON writes a list or a string, as PEFT does.
func (t Targets) MarshalJSON() ([]byte, error) {
	if t.Pattern != "" {
		return json.Marshal(t.Pattern)
	}
	return json.Marshal(t.List)
}

// UnmarshalJSON reads a list or a string.
func (t *Targets) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &t.Pattern)
	}
	return json.Unmarshal(b, &t.List)
}

// MatchTargets returns the modules that t selects, in the order of modules, by PEFT's rules
// (peft/tuners/tuners_utils.py, check_target_module_exists, 0.21): an entry of a list is a module's whole name or its
// end after a dot; a pattern must match the whole name. Patterns are in Go's RE2 syntax, which lacks look-around and
// back-references. It fails where nothing matches, and lists what there is.
func MatchTargets(modules []Module, t Targets) ([]Module, error) {
	match, err := t.matcher()
	if err != nil {
		return nil, err
	}
	var matched []Module
	for _, m := range modules {
		if match(m) {
			matched = append(matched, m)
		}
	}
	if len(matched) == 0 {
		return nil, fmt.Errorf("target_modules %s match no module of the model, which has %s%s",
			t, strings.Join(moduleKinds(modules), ", "), t.hint(modules))
	}
	return matched, nil
}

// hint says what was probably meant by a pattern that is the end of a name: PEFT takes such ends only in a list.
func (t Targets) hint(modules []Module) string {
	if slices.ContainsFunc(modules, func(m Module) bool { return hasSuffixName(m.Name, t.Pattern) }) {
		return fmt.Sprintf("; a text is a pattern for whole names, did you mean [%s]?", t.Pattern)
	}
	return ""
}

// matcher returns the test that t makes of a module.
func (t Targets) matcher() (func(Module) bool, error) {
	switch {
	case t.Pattern == AllLinear:
		return func(m Module) bool { return !m.Head && !m.Embedding }, nil
	case t.Pattern != "":
		re, err := regexp.Compile(`\A(?:` + t.Pattern + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("target_modules %s is not a regular expression in Go's RE2 syntax: %w", t, err)
		}
		return func(m Module) bool { return re.MatchString(m.Name) }, nil
	}
	return func(m Module) bool {
		return slices.ContainsFunc(t.List, func(entry string) bool { return hasSuffixName(m.Name, entry) })
	}, nil
}

// Unmatched returns the entries of a list that select no module.
func (t Targets) Unmatched(modules []Module) []string {
	var missing []string
	for _, entry := range t.List {
		if !slices.ContainsFunc(modules, func(m Module) bool { return hasSuffixName(m.Name, entry) }) {
			missing = append(missing, entry)
		}
	}
	return missing
}

// hasSuffixName reports whether entry is name or its end after a dot.
func hasSuffixName(name, entry string) bool {
	return name == entry || strings.HasSuffix(name, "."+entry)
}

// String writes the targets as a grid file would: a pattern bare, a list in brackets.
func (t Targets) String() string {
	if t.Pattern != "" {
		return t.Pattern
	}
	return "[" + strings.Join(t.List, ", ") + "]"
}

// moduleKinds returns the names of modules without the layer number and what comes before it, each once, in order:
// attn.c_attn stands for transformer.h.0.attn.c_attn, transformer.h.1.attn.c_attn and so on. The output head and
// embeddings are left out: a mistyped target was hardly meant for those.
func moduleKinds(modules []Module) []string {
	var kinds []string
	for _, m := range modules {
		if m.Head || m.Embedding {
			continue
		}
		if kind := m.Kind(); !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
