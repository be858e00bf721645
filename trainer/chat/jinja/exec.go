package jinja

import (
	"errors"
	"fmt"
	"slices"
)

var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

func (r *run) execAll(body []statement, s *scope) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	for _, st := range body {
		if err := r.spend(1); err != nil {
			return err
		}
		if err := st.exec(r, s); err != nil {
			return err
		}
	}
	return nil
}

type text string

func (t text) exec(r *run, _ *scope) error { return r.write(string(t)) }

type output struct{ value expression }

func (o output) exec(r *run, s *scope) error {
	v, err := r.eval(o.value, s)
	if err != nil {
		return err
	}
	return r.print(v)
}

// print writes a value as {{ }} does.
func (r *run) print(v any) error {
	written, err := r.str(v)
	if err != nil {
		return err
	}
	return r.write(written)
}

type ifStatement struct {
	tests     []expression
	bodies    [][]statement
	otherwise []statement
}

func (i ifStatement) exec(r *run, s *scope) error {
	for n, test := range i.tests {
		v, err := r.eval(test, s)
		if err != nil {
			return err
		}
		if truth(v) {
			return r.execAll(i.bodies[n], s)
		}
	}
	return r.execAll(i.otherwise, s)
}

type loopControl struct{ isBreak bool }

func (l loopControl) exec(*run, *scope) error {
	if l.isBreak {
		return errBreak
	}
	return errContinue
}

type forStatement struct {
	target          target
	items, filter   expression
	recursive       bool
	body, otherwise []statement
	line            int
}

// loop is the variable of that name in a for.
type loop struct {
	statement *forStatement
	scope     *scope // of the statement
	items     []any
	index     int
	depth     int
}

func (f *forStatement) exec(r *run, s *scope) error {
	items, err := r.eval(f.items, s)
	if err != nil {
		return err
	}
	return f.iterate(r, s, items, 1)
}

func (f *forStatement) iterate(r *run, s *scope, of any, depth int) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	items, err := r.iterate(of)
	if err == nil {
		items, err = f.filterItems(r, s, items)
	}
	if err != nil {
		return atLine(f.line, err)
	}
	if len(items) == 0 {
		return r.execAll(f.otherwise, s.inner())
	}
	l := &loop{statement: f, scope: s, items: items, depth: depth}
	for l.index = range items {
		inner := s.inner()
		inner.names["loop"] = l
		if err := r.assign(f.target, items[l.index], inner); err != nil {
			return atLine(f.line, err)
		}
		switch err := r.execAll(f.body, inner); {
		case errors.Is(err, errBreak):
			return nil
		case err != nil && !errors.Is(err, errContinue):
			return err
		}
	}
	return nil
}

// filterItems keeps the items for which `if` holds.
func (f *forStatement) filterItems(r *run, s *scope, items []any) ([]any, error) {
	if f.filter == nil {
		return items, nil
	}
	var kept []any
	for _, v := range items {
		inner := s.inner()
		if err := r.assign(f.target, v, inner); err != nil {
			return nil, err
		}
		keep, err := r.eval(f.filter, inner)
		if err != nil {
			return nil, err
		}
		if truth(keep) {
			kept = append(kept, v)
		}
	}
	return kept, nil
}

// target is what is assigned to; unpack tells `a, = x` from `a = x`.
type target struct {
	names  []targetName
	unpack bool
}

type targetName struct{ name, attribute string }

func (r *run) assign(t target, value any, s *scope) error {
	if !t.unpack {
		return t.names[0].set(value, s)
	}
	values, err := r.iterate(value)
	if err != nil {
		return err
	}
	if len(values) != len(t.names) {
		return fmt.Errorf("%d values cannot be assigned to %d names", len(values), len(t.names))
	}
	for i, name := range t.names {
		if err := name.set(values[i], s); err != nil {
			return err
		}
	}
	return nil
}

func (t targetName) set(value any, s *scope) error {
	if t.attribute == "" {
		s.names[t.name] = value
		return nil
	}
	ns, ok := s.get(t.name).(namespace)
	if !ok {
		return fmt.Errorf("cannot set %s.%s: only a namespace can be changed", t.name, t.attribute)
	}
	ns.Set(t.attribute, value)
	return nil
}

// setStatement is {% set x = value %}, or with a body {% set x %}…{% endset %}.
type setStatement struct {
	target target
	value  expression
	filter expression // of the body; may be nil
	body   []statement
	line   int
}

func (st setStatement) exec(r *run, s *scope) error {
	var v any
	var err error
	if st.value != nil {
		v, err = r.eval(st.value, s)
	} else {
		v, err = r.blockValue(st.body, st.filter, s)
	}
	if err != nil {
		return err
	}
	return atLine(st.line, r.assign(st.target, v, s))
}

// blockText stands for the text of a block, to which filters are applied.
type blockText struct{}

const blockName = "\x00block"

func (blockText) eval(_ *run, s *scope) (any, error) { return s.get(blockName), nil }

func (r *run) blockValue(body []statement, filter expression, s *scope) (any, error) {
	written, err := r.capture(body, s.inner())
	if err != nil || filter == nil {
		return written, err
	}
	inner := s.inner()
	inner.names[blockName] = written
	return r.eval(filter, inner)
}

type filterStatement struct {
	filter expression
	body   []statement
}

func (f filterStatement) exec(r *run, s *scope) error {
	v, err := r.blockValue(f.body, f.filter, s)
	if err != nil {
		return err
	}
	return r.print(v)
}

// generation is a body whose text the assistant is to write.
type generation struct{ body []statement }

func (g generation) exec(r *run, s *scope) error {
	written, err := r.capture(g.body, s.inner())
	if err != nil {
		return err
	}
	from := r.out.Len()
	if r.captures > 0 {
		from = r.written
	}
	r.spans = append(r.spans, Span{from, from + len(written)})
	return r.write(written)
}

// group is with: a body with names of its own.
type group struct {
	targets []string
	values  []expression
	body    []statement
}

func (g group) exec(r *run, s *scope) error {
	inner := s.inner()
	for i, name := range g.targets {
		v, err := r.eval(g.values[i], s)
		if err != nil {
			return err
		}
		inner.names[name] = v
	}
	return r.execAll(g.body, inner)
}

type parameter struct {
	name     string
	standard expression // nil where there is none
}

type macroStatement struct {
	name       string
	parameters []parameter
	body       []statement
}

func (m macroStatement) exec(_ *run, s *scope) error {
	s.names[m.name] = macro(m.name, m.parameters, m.body, s)
	return nil
}

// macro makes a function that returns what body writes; names from where it is written are seen as they are when it is called.
func macro(name string, parameters []parameter, body []statement, s *scope) *function {
	return &function{name: name, call: func(r *run, args arguments) (any, error) {
		inner := s.inner()
		if len(args.positional) > len(parameters) {
			return nil, fmt.Errorf("macro %s takes %d arguments, not %d", name, len(parameters), len(args.positional))
		}
		for i, p := range parameters {
			v, named := args.named[p.name]
			switch {
			case i < len(args.positional) && named:
				return nil, fmt.Errorf("macro %s was given %s twice", name, p.name)
			case i < len(args.positional):
				v = args.positional[i]
			case !named && p.standard != nil:
				var err error
				if v, err = r.eval(p.standard, inner); err != nil {
					return nil, err
				}
			case !named:
				v = undefined{fmt.Sprintf("parameter '%s'", p.name)}
			}
			inner.names[p.name] = v
		}
		for given, v := range args.named {
			known := slices.ContainsFunc(parameters, func(p parameter) bool { return p.name == given })
			if !known && given != "caller" {
				return nil, fmt.Errorf("macro %s has no parameter %s", name, given)
			}
			inner.names[given] = v
		}
		return r.capture(body, inner)
	}}
}

// callStatement is {% call(x) name() %}…{% endcall %}: the macro finds the body as caller.
type callStatement struct {
	parameters []parameter
	call       call
	body       []statement
}

func (c callStatement) exec(r *run, s *scope) error {
	v, err := c.call.evalWith(r, s, map[string]any{"caller": macro("caller", c.parameters, c.body, s)})
	if err != nil {
		return err
	}
	return r.print(v)
}
