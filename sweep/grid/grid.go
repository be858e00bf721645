package grid

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Grid is a parsed and defaulted grid file. Name and Seeds are what a sweep is registered with; the axes become ladders
// by Expand.
type Grid struct {
	Name  string
	Seeds []int64

	file string              // for messages
	at   map[string]position // where the keys that were given stand, the ranks, by rankPath, and tuned values, by tunePath

	model       []string       // as written
	data        trial.DataSpec // paths as written
	fraction    []float64
	rank        ranks
	alpha       []alpha
	dropout     []float64
	targets     []lora.Targets
	rsLoRA      []bool
	init        []string
	initAdapter string // as written
	exclude     []lora.Targets
	layers      [][]int
	layersName  [][]string // layers_pattern
	save        [][]string // modules_to_save
	dora        []bool
	bias        []string
	rankOf      lora.Patterns
	alphaOf     lora.Patterns
	plusRatio   float64
	plusEmbed   float64 // learning rate; 0 means LoRA+'s standard
	train       trainAxes
	checkpoints bool      // gradient_checkpointing
	compute     string    // compute_dtype
	fullRate    []float64 // learning rates of the reference; none: a tenth of the ladder's
	tune        []string  // names of axes, in the order of the keys
	strategy    sweep.Strategy
	race        bool
	rule        plateau.Rule
	limits      sweep.Limits
}

// trainAxes are the scalars of the train section, each an axis.
type trainAxes struct {
	steps                                  []int     // 0 means that epochs are given
	epochs                                 []float64 // 0 means that steps are given
	batchSize, accumulation, warmup        []int
	warmupRatio                            []float64 // 0 means that warmup is given
	evalSteps                              []int     // 0 means a tenth of steps
	learningRate, weightDecay, maxGradNorm []float64
	scheduler, dtype                       []string
}

// Parse reads a grid file strictly. name is its path: messages start with it and its base names the sweep where the
// file does not. The error joins every problem of the file as an Error each, in the file's order, and wraps ErrInput.
func Parse(name string, text []byte) (Grid, error) {
	r := newReader(name)
	return r.read(r.document(text))
}

// With reads a grid file with some keys taken out and those of lines, a part of a grid, in the place of its own.
func With(name string, text []byte, lines string, without ...string) (Grid, error) {
	r := newReader(name)
	root, edit := r.document(text), r.document([]byte(lines))
	if root != nil && edit != nil {
		replace(root, edit, "", without)
	}
	return r.read(root)
}

// replace does what With says in a section.
func replace(m, edit *ast.MappingNode, prefix string, without []string) {
	named := func(v *ast.MappingValueNode) string {
		name, _ := keyName(v.Key)
		return prefix + name
	}
	for _, e := range edit.Values {
		i := slices.IndexFunc(m.Values, func(v *ast.MappingValueNode) bool { return named(v) == named(e) })
		if i < 0 {
			m.Values = append(m.Values, e)
			continue
		}
		own, _ := m.Values[i].Value.(*ast.MappingNode)
		lines, _ := e.Value.(*ast.MappingNode)
		if own != nil && lines != nil && slices.Contains(sectionNames(), named(e)) {
			replace(own, lines, named(e)+".", without)
			continue
		}
		m.Values[i] = e
	}
	m.Values = slices.DeleteFunc(m.Values, func(v *ast.MappingValueNode) bool { return slices.Contains(without, named(v)) })
}

// Gives reports whether the file has a key, such as train.steps.
func (g Grid) Gives(key string) bool {
	_, given := g.at[key]
	return given
}

// Hash identifies what the grid says: comments, formatting, the order of keys and spelled-out defaults do not matter.
// Keys at their default are left out, so that a new key does not change the hash of older grids.
func (g Grid) Hash() string {
	standard := defaultGrid(g.file)
	standard.Name = ""
	h := sha256.New()
	for _, k := range gridKeys() {
		if text := k.text(&g); text != k.text(&standard) {
			fmt.Fprintf(h, "%s=%s\n", k.path, text)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Diff returns one line for each key whose value in other is not the one in g, for people.
func (g Grid) Diff(other Grid) []string {
	var lines []string
	for _, k := range gridKeys() {
		before, after := k.text(&g), k.text(&other)
		if before != after {
			if k.list && isList(before) != isList(after) {
				before, after = asList(before), asList(after)
			}
			lines = append(lines, fmt.Sprintf("%s was %s, is now %s", k.path, orNothing(before), orNothing(after)))
		}
	}
	return lines
}

func isList(text string) bool { return strings.HasPrefix(text, "[") }

// asList writes one value as the list that it means.
func asList(text string) string {
	if text == "" || isList(text) {
		return text
	}
	return "[" + text + "]"
}

func orNothing(text string) string {
	if text == "" {
		return "not set"
	}
	return text
}

// Rule is the plateau rule of the grid.
func (g Grid) Rule() plateau.Rule {
	rule := g.rule
	if rule.NoiseSD > 0 {
		rule.NoiseSource = plateau.NoiseFromGrid
	}
	return rule
}

// Strategy is how the grid's ladders are climbed.
func (g Grid) Strategy() sweep.Strategy { return g.strategy }

// Race reports whether cells that certainly cannot reach the best one stop.
func (g Grid) Race() bool { return g.race }

// Limits are the limits of the grid.
func (g Grid) Limits() sweep.Limits { return g.limits }

// Error is one thing that is wrong with a grid file, where it stands, and what to write instead. It wraps ErrInput.
type Error struct {
	File         string
	Line, Column int // from 1; 0 when the problem is in no one place
	Message      string
}

// Error writes file:line:column: message.
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	return b.String() + ": " + e.Message
}

// ErrorAt places an error about a key of the grid, such as model, in its file. Its kind (ErrInput or another) stays, and so does
// an error about a key that the file does not have.
func (g Grid) ErrorAt(key string, err error) error {
	at, given := g.at[key]
	if !given {
		return err
	}
	return fmt.Errorf("%s:%d:%d: %w", g.file, at.line, at.column, err)
}

// Is reports whether target is ErrInput: only a person can fix a grid.
func (e Error) Is(target error) bool { return target == trial.ErrInput }
