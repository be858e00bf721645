package jinja

import (
	"errors"
	"fmt"
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
