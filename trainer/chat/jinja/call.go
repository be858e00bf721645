package jinja

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// callArguments are the arguments of a call as they are written; arguments are their values.
type callArguments struct {
	positional, named []expression
	names             []string
}

type arguments struct {
	positional []any
	named      map[string]any
	names      []string // the keys of named in their order
}

func (c callArguments) eval(r *run, s *scope) (arguments, error) {
	positional, err := r.evalAll(c.positional, s)
	if err != nil {
		return arguments{}, err
	}
	args := arguments{positional: positional, named: make(map[string]any, len(c.names)), names: c.names}
	for i, name := range c.names {
		if _, twice := args.named[name]; twice {
			return args, fmt.Errorf("argument %s is given twice", name)
		}
		if args.named[name], err = r.eval(c.named[i], s); err != nil {
			return args, err
		}
	}
	return args, nil
}

// bind returns the arguments in the order of names, missing{} for those that are not given.
func (a arguments) bind(names ...string) ([]any, error) {
	if len(a.positional) > len(names) {
		return nil, fmt.Errorf("takes %d arguments, not %d", len(names), len(a.positional))
	}
	out := make([]any, len(names))
	found := 0
	for i, name := range names {
		v, named := a.named[name]
		switch {
		case i < len(a.positional) && named:
			return nil, fmt.Errorf("argument %s is given twice", name)
		case i < len(a.positional):
			v = a.positional[i]
		case named:
			found++
		default:
			v = missing{}
		}
		out[i] = v
	}
	if found < len(a.named) {
		return nil, fmt.Errorf("an argument is not supported: it takes %s", strings.Join(names, ", "))
	}
	return out, nil
}

// missing is an argument that was not given.
type missing struct{}

// given reports whether an argument was given.
func given(v any) bool { return v != missing{} }

type call struct {
	callee expression
	args   callArguments
	line   int
}

func (c call) eval(r *run, s *scope) (any, error) { return c.evalWith(r, s, nil) }

// evalWith calls with extra named arguments.
func (c call) evalWith(r *run, s *scope, extra map[string]any) (any, error) {
	callee, err := r.eval(c.callee, s)
	if err != nil {
		return nil, err
	}
	args, err := c.args.eval(r, s)
	if err != nil {
		return nil, err
	}
	maps.Copy(args.named, extra)
	v, err := r.call(callee, args)
	return v, atLine(c.line, err)
}

func (r *run) call(callee any, args arguments) (any, error) {
	switch f := callee.(type) {
	case undefined:
		return nil, f.err()
	case *function:
		v, err := f.call(r, args)
		if err != nil && f.name != "" {
			if _, placed := errors.AsType[lineError](err); !placed {
				err = fmt.Errorf("%s(): %w", f.name, err)
			}
		}
		return v, err
	case *loop:
		return f.call(r, args)
	}
	return nil, fmt.Errorf("a %s cannot be called", typeName(callee))
}

type filtered struct {
	value expression
	name  string
	args  callArguments
	line  int
}

func (f filtered) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(f.value, s)
	if err != nil {
		return nil, err
	}
	args, err := f.args.eval(r, s)
	if err != nil {
		return nil, err
	}
	v, err = r.filter(f.name, v, args)
	return v, atLine(f.line, err)
}

type tested struct {
	value expression
	name  string
	args  callArguments
	line  int
}

func (t tested) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(t.value, s)
	if err != nil {
		return nil, err
	}
	args, err := t.args.eval(r, s)
	if err != nil {
		return nil, err
	}
	ok, err := r.test(t.name, v, args)
	return ok, atLine(t.line, err)
}
