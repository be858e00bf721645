package jinja

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Template is a parsed template. It may be used by several goroutines.
type Template struct {
	body []statement
}

// Parse reads a template. Its errors name the line.
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%w: %d bytes of template, at most %d are read", errLimit, len(source), maxSource)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens}
	body, err := p.body()
	if err != nil {
		return nil, err
	}
	return &Template{body: body}, nil
}

// Render returns the template's text. values are the names it can use (see the package comment for their types); now is
// what strftime_now answers. A template that calls raise_exception, does what Python would refuse, uses something that is
// not supported, or exceeds its budget is an error.
func (t *Template) Render(values map[string]any, now time.Time) (string, error) {
	text, _, err := t.RenderMarked(values, now)
	return text, err
}

// Span is a part of a text, from one byte to before another.
type Span struct{ From, To int }

// RenderMarked is Render, and also returns what {% generation %} blocks wrote, in the order in which they ended. As in transformers, a
// block within a macro or another captured text begins where the template was when it called that.
func (t *Template) RenderMarked(values map[string]any, now time.Time) (string, []Span, error) {
	size := 0
	for _, v := range values {
		size += inputSize(v)
	}
	r := &run{now: now, budget: budget + inputShare*size}
	r.left = r.budget
	globals := builtins()
	maps.Copy(globals, values)
	root := &scope{names: map[string]any{}, parent: &scope{names: globals}}
	if err := r.execAll(t.body, root); err != nil {
		if errors.Is(err, errBreak) || errors.Is(err, errContinue) {
			return "", nil, errors.New("break or continue outside of a loop")
		}
		return "", nil, err
	}
	return r.out.String(), r.spans, nil
}

// run is one rendering.
type run struct {
	out      strings.Builder
	now      time.Time
	budget   int // units of limits.go in all
	left     int
	depth    int
	captures int // within each other
	written  int // bytes of the text when the outermost capture began
	spans    []Span
}

// scope is what names mean; a loop, a macro and a block have their own, an if has not.
type scope struct {
	names  map[string]any
	parent *scope
}

func (s *scope) inner() *scope { return &scope{names: map[string]any{}, parent: s} }

func (s *scope) get(name string) any {
	for at := s; at != nil; at = at.parent {
		if v, ok := at.names[name]; ok {
			return v
		}
	}
	return undefined{"'" + name + "'"}
}

func (r *run) write(text string) error {
	if err := r.spendBytes(len(text)); err != nil {
		return err
	}
	r.out.WriteString(text)
	return nil
}

// capture runs a body and returns what it writes.
func (r *run) capture(body []statement, s *scope) (string, error) {
	return r.captured(func() error { return r.execAll(body, s) })
}

// captured returns what do writes.
func (r *run) captured(do func() error) (string, error) {
	if r.captures == 0 {
		r.written = r.out.Len()
	}
	r.captures++
	outer := r.out
	r.out = strings.Builder{}
	err := do()
	text := r.out.String()
	r.out = outer
	r.captures--
	return text, err
}
