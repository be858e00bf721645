package grid

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// reader collects a grid and everything that is wrong with it.
type reader struct {
	file     string
	grid     Grid
	given    map[string]position // keys that were there, good or bad; also ranks, by rankPath, and tuned values, by tunePath
	broken   []string            // sections that are no mapping
	problems []Error
}

func newReader(file string) *reader {
	return &reader{file: file, grid: defaultGrid(file), given: map[string]position{}}
}

// read reads the grid from its root mapping, nil where the reason is reported.
func (r *reader) read(root *ast.MappingNode) (Grid, error) {
	if root != nil {
		r.section("", root)
		r.finish()
	}
	if err := r.err(); err != nil {
		return Grid{}, err
	}
	r.grid.at = r.given
	return r.grid, nil
}

func (r *reader) fail(n ast.Node, format string, args ...any) { r.failAt(where(n), format, args...) }

func (r *reader) failAt(at position, format string, args ...any) {
	r.problems = append(r.problems, Error{r.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// err joins the problems in the file's order.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if len(r.problems) > maxProblems {
		r.problems = append(r.problems[:maxProblems], Error{File: r.file, Message: "and more problems; fix these first"})
	}
	errs := make([]error, len(r.problems))
	for i, p := range r.problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// section reads the keys of one mapping; prefix is "" or the section's name with a dot.
func (r *reader) section(prefix string, m *ast.MappingNode) {
	for _, entry := range m.Values {
		if len(r.problems) > maxProblems {
			return
		}
		name, ok := keyName(entry.Key)
		if !ok {
			r.fail(entry.Key, "a key must be a plain name; write it as name: value")
			continue
		}
		path := prefix + name
		if first, repeated := r.given[path]; repeated {
			r.fail(entry.Key, "%s is repeated; it stands at %d:%d already, remove one", path, first.line, first.column)
			continue
		}
		if r.entry(path, entry) {
			r.given[path] = where(entry.Key)
		}
	}
}

func keyName(n ast.Node) (string, bool) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return s.Value, true
}

// entry reads one key with its value, and reports whether the key is one of a grid's.
func (r *reader) entry(path string, entry *ast.MappingValueNode) bool {
	known, isKey := findKey(path)
	isSection := slices.Contains(sectionNames(), path)
	if !isKey && !isSection {
		r.fail(entry.Key, "%s", unknownKey(path))
		return false
	}
	if _, null := entry.Value.(*ast.NullNode); null || entry.Value == nil {
		r.fail(entry.Key, "%s has no value; write one or remove the key", path)
		return true
	}
	if isKey {
		known.read(r, entry.Value)
		return true
	}
	m, ok := entry.Value.(*ast.MappingNode)
	if !ok {
		r.fail(entry.Value, "%s: got %s, want a mapping of %s", path, describe(entry.Value), strings.Join(keysOf(path), ", "))
		r.broken = append(r.broken, path)
		return true
	}
	r.section(path+".", m)
	return true
}

// finish checks what no key can see alone.
func (r *reader) finish() {
	r.required()
	if len(r.problems) > 0 {
		return // what follows looks at several keys, which must be right by themselves first
	}
	g := &r.grid
	if _, given := r.given["lora.alpha"]; !given && g.rank.varies() {
		r.failAt(r.given["lora.rank"], "lora.alpha is missing; where rank varies it decides what is compared: write alpha: 16 (the same for "+
			"every rank) or alpha: 2r (it grows with rank)")
	}
	r.contradictions()
	r.either("train.num_train_epochs", "train.steps")
	r.either("train.warmup_ratio", "train.warmup_steps")
	r.validationSource()
	r.tuned()
	r.seedBounds()
	if warmup, steps := slices.Max(g.train.warmup), slices.Min(g.train.steps); warmup > steps && steps > 0 {
		r.failAt(r.given["train.warmup_steps"], "train.warmup_steps: %d is more than train.steps %d, so the learning rate would never be "+
			"reached; lower it", warmup, steps)
	}
	if g.cells() > maxLadders {
		r.failAt(position{1, 1}, "the axes multiply to more than %d ladders; split the grid", maxLadders)
	} else if rungs := len(g.rank.upTo(maxWhole)) + g.references(); g.cells()*g.tunings()*rungs*len(g.Seeds) > maxTrials {
		r.failAt(position{1, 1}, "axes, ranks and seeds multiply to more than %d trials; split the grid", maxTrials)
	}
	if !namePattern.MatchString(g.Name) || len(g.Name) > maxName {
		r.failAt(position{1, 1}, "the file's name makes no sweep name; write name: with at most %d letters, digits, '.', '_' and '-', the "+
			"first not '-'", maxName)
	}
}

// required reports the keys that must be there and are not.
func (r *reader) required() {
	for _, k := range gridKeys() {
		section, _ := splitPath(k.path)
		_, given := r.given[k.path]
		_, epochs := r.given["train.num_train_epochs"]
		if given || k.example == "" || slices.Contains(r.broken, section) || k.path == "train.steps" && epochs {
			continue
		}
		at, example := position{1, 1}, k.example
		if p, ok := r.given[section]; ok {
			at = p
		} else if section != "" {
			example = fmt.Sprintf("%s: {%s}", section, example)
		}
		r.failAt(at, "%s is missing; write for example %s", k.path, example)
	}
}

// either reports two keys that say the same thing in different ways.
func (r *reader) either(path, other string) {
	at, one := r.given[path]
	first, two := r.given[other]
	if one && two {
		r.failAt(at, "%s and %s (%d:%d) exclude each other; remove one", path, other, first.line, first.column)
	}
}

func (r *reader) validationSource() {
	r.either("data.validation_split", "data.validation")
	_, hasFile := r.given["data.validation"]
	_, hasSplit := r.given["data.validation_split"]
	if !hasFile && !hasSplit {
		r.failAt(r.given["data"], "data.validation is missing; name files, or write validation_split: 0.1")
	}
}
