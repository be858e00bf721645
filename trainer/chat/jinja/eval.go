package jinja

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"
)

// eval returns the value of e. All evaluation goes through here, so that depth and budget hold.
func (r *run) eval(e expression, s *scope) (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.leave()
	return e.eval(r, s)
}

// lineError is an error with the line of the template that it comes from, the innermost.
type lineError struct {
	line int
	err  error
}

func (e lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e lineError) Unwrap() error { return e.err }

// atLine adds a line to an error that has none.
func atLine(line int, err error) error {
	if _, placed := errors.AsType[lineError](err); err == nil || placed || errors.Is(err, errBreak) || errors.Is(err, errContinue) {
		return err
	}
	return lineError{line, err}
}

type constant struct{ value any }

func (c constant) eval(*run, *scope) (any, error) { return c.value, nil }

type variable struct{ name string }

func (v variable) eval(_ *run, s *scope) (any, error) { return s.get(v.name), nil }

type listLiteral struct{ items []expression }

func (l listLiteral) eval(r *run, s *scope) (any, error) { return r.evalAll(l.items, s) }

type tupleLiteral struct{ items []expression }

func (t tupleLiteral) eval(r *run, s *scope) (any, error) {
	items, err := r.evalAll(t.items, s)
	return tuple(items), err
}

func (r *run) evalAll(list []expression, s *scope) ([]any, error) {
	out := make([]any, len(list))
	for i, e := range list {
		v, err := r.eval(e, s)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

type dictLiteral struct{ keys, values []expression }

func (d dictLiteral) eval(r *run, s *scope) (any, error) {
	out := NewDict()
	for i := range d.keys {
		key, err := r.eval(d.keys[i], s)
		if err != nil {
			return nil, err
		}
		if err := hashable(key); err != nil {
			return nil, err
		}
		value, err := r.eval(d.values[i], s)
		if err != nil {
			return nil, err
		}
		out.set(key, value)
	}
	return out, nil
}

type conditional struct{ yes, test, no expression }

func (c conditional) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(c.test, s)
	switch {
	case err != nil:
		return nil, err
	case truth(v):
		return r.eval(c.yes, s)
	case c.no == nil:
		return undefined{"the value of an inline if without else"}, nil
	}
	return r.eval(c.no, s)
}

type logic struct {
	left, right expression
	isOr        bool
}

func (l logic) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(l.left, s)
	if err != nil || truth(v) == l.isOr {
		return v, err
	}
	return r.eval(l.right, s)
}

type negation struct{ operand expression }

func (n negation) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(n.operand, s)
	return !truth(v), err
}

// comparison is a < b == c, which holds if each of its parts does.
type comparison struct {
	first     expression
	operators []string
	operands  []expression
}

func (c comparison) eval(r *run, s *scope) (any, error) {
	left, err := r.eval(c.first, s)
	if err != nil {
		return nil, err
	}
	for i, op := range c.operators {
		right, err := r.eval(c.operands[i], s)
		if err != nil {
			return nil, err
		}
		ok, err := r.compare(op, left, right)
		if err != nil || !ok {
			return false, err
		}
		left = right
	}
	return true, nil
}

type signed struct {
	operand  expression
	negative bool
	line     int
}

func (n signed) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(n.operand, s)
	if err != nil {
		return nil, err
	}
	sign := int64(1)
	if n.negative {
		sign = -1
	}
	v, err = r.arithmetic("*", v, sign)
	if _, isText := v.(string); isText {
		err = errors.New("a str has no sign")
	}
	return v, atLine(n.line, err)
}

type binary struct {
	left, right expression
	operator    string
	line        int
}

func (b binary) eval(r *run, s *scope) (any, error) {
	left, err := r.eval(b.left, s)
	if err != nil {
		return nil, err
	}
	right, err := r.eval(b.right, s)
	if err != nil {
		return nil, err
	}
	v, err := r.operate(b.operator, left, right)
	return v, atLine(b.line, err)
}

type attribute struct {
	object expression
	name   string
	line   int
}

func (a attribute) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(a.object, s)
	if err != nil {
		return nil, err
	}
	v, err = r.attribute(v, a.name)
	return v, atLine(a.line, err)
}

type item struct {
	object, key expression
	line        int
}

func (i item) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(i.object, s)
	if err != nil {
		return nil, err
	}
	key, err := r.eval(i.key, s)
	if err != nil {
		return nil, err
	}
	v, err = r.item(v, key)
	return v, atLine(i.line, err)
}

// attribute is v.name: a method, else a key.
func (r *run) attribute(v any, name string) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, v.err()
	case namespace:
		if found, ok := v.get(name); ok {
			return found, nil
		}
	case *loop:
		if found, ok := v.attribute(name); ok {
			return found, nil
		}
	default:
		if f := method(v, name); f != nil {
			return f, nil
		}
		if d, ok := v.(*Dict); ok {
			if found, ok := d.get(name); ok {
				return found, nil
			}
		}
	}
	return undefined{fmt.Sprintf("attribute '%s' of a %s", name, typeName(v))}, nil
}

// item is v[key]: an item, else for a string an attribute.
func (r *run) item(v, key any) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, v.err()
	case *Dict:
		if hashable(key) == nil {
			if found, ok := v.get(key); ok {
				return found, nil
			}
		}
	case []any:
		if i, ok := index(key, len(v)); ok {
			return v[i], nil
		}
	case tuple:
		if i, ok := index(key, len(v)); ok {
			return v[i], nil
		}
	case numbers:
		if i, ok := index(key, int(v.count)); ok {
			return v.start + int64(i)*v.step, nil
		}
	case string:
		if err := r.spendBytes(len(v)); err != nil {
			return nil, err
		}
		if i, ok := index(key, utf8.RuneCountInString(v)); ok {
			return string([]rune(v)[i]), nil
		}
	}
	if name, ok := key.(string); ok {
		return r.attribute(v, name)
	}
	return undefined{fmt.Sprintf("an item of a %s", typeName(v))}, nil
}

// index resolves an index that may count from the end.
func index(key any, length int) (int, bool) {
	i, ok := integer(key)
	if ok && i < 0 {
		i += int64(length)
	}
	return int(i), ok && 0 <= i && i < int64(length)
}

// integer is the value of an int or bool.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		return toInt(v), true
	}
	return 0, false
}

type slice struct {
	object, from, to, step expression
	line                   int
}

func (c slice) eval(r *run, s *scope) (any, error) {
	v, err := r.eval(c.object, s)
	if err != nil {
		return nil, err
	}
	var bounds [3]any
	for i, e := range []expression{c.from, c.to, c.step} {
		if e == nil {
			continue
		}
		if bounds[i], err = r.eval(e, s); err != nil {
			return nil, err
		}
	}
	v, err = r.slice(v, bounds)
	return v, atLine(c.line, err)
}

func (r *run) slice(v any, bounds [3]any) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, v.err()
	case []any:
		return sliced(r, v, bounds)
	case tuple:
		out, err := sliced(r, v, bounds)
		return tuple(out), err
	case string:
		out, err := sliced(r, []rune(v), bounds)
		return string(out), err
	}
	return undefined{fmt.Sprintf("a slice of a %s", typeName(v))}, nil
}

// sliced is Python's list[from:to:step].
func sliced[T any](r *run, list []T, bounds [3]any) ([]T, error) {
	var n [3]int64
	for i, b := range bounds {
		var ok bool
		if n[i], ok = integer(b); !ok && b != nil {
			return nil, fmt.Errorf("a slice needs int, not %s", typeName(b))
		}
	}
	length, step := int64(len(list)), n[2]
	if bounds[2] == nil {
		step = 1
	}
	if step == 0 {
		return nil, errors.New("the step of a slice is 0")
	}
	step = min(max(step, -length-1), length+1) // an absurd step must not overflow
	low, high := int64(0), length              // between which bounds are clamped
	if step < 0 {
		low, high = -1, length-1
	}
	clamp := func(given any, v, standard int64) int64 {
		if given == nil {
			return standard
		}
		if v < 0 {
			v += length
		}
		return min(max(v, low), high)
	}
	from, to := clamp(bounds[0], n[0], low), clamp(bounds[1], n[1], high)
	if step < 0 {
		from, to = clamp(bounds[0], n[0], high), clamp(bounds[1], n[1], low)
	}
	if err := r.spend(len(list)); err != nil {
		return nil, err
	}
	out := []T{}
	for at := from; step > 0 && at < to || step < 0 && at > to; at += step {
		out = append(out, list[at])
	}
	return out, nil
}

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
