package jinja

import (
	"fmt"
	"strings"
	"unicode"
)

// test is `v is name`.
func (r *run) test(name string, v any, args arguments) (bool, error) {
	switch name {
	case "eq", "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt", "greaterthan", ">", "ge", ">=", "in", "divisibleby", "sameas":
		other, err := args.bind("other")
		if err == nil && !given(other[0]) {
			err = fmt.Errorf("it needs a value to compare with")
		}
		if err != nil {
			return false, fmt.Errorf("test %s: %w", name, err)
		}
		return r.binaryTest(name, v, other[0])
	}
	if len(args.positional)+len(args.named) > 0 {
		return false, fmt.Errorf("test %s takes no argument", name)
	}
	return r.unaryTest(name, v)
}

func (r *run) binaryTest(name string, v, other any) (bool, error) {
	switch name {
	case "eq", "equalto", "==":
		return r.compare("==", v, other)
	case "ne", "!=":
		return r.compare("!=", v, other)
	case "lt", "lessthan", "<":
		return r.compare("<", v, other)
	case "le", "<=":
		return r.compare("<=", v, other)
	case "gt", "greaterthan", ">":
		return r.compare(">", v, other)
	case "ge", ">=":
		return r.compare(">=", v, other)
	case "in":
		return r.contains(other, v)
	case "divisibleby":
		rest, err := r.arithmetic("%", v, other)
		if err != nil {
			return false, err
		}
		return r.equal(rest, int64(0))
	}
	switch v.(type) { // sameas: identity, which only these have for certain
	case nil, bool:
		return v == other, nil
	}
	return false, fmt.Errorf("test sameas is supported for none, true and false, not for a %s", typeName(v))
}

func (r *run) unaryTest(name string, v any) (bool, error) {
	_, isNumber := number(v)
	_, isInteger := v.(int64)
	_, isFloat := v.(float64)
	_, isUndefined := v.(undefined)
	flag, isBool := v.(bool)
	switch name {
	case "defined":
		return !isUndefined, nil
	case "undefined":
		return isUndefined, nil
	case "none":
		return v == nil, nil
	case "boolean":
		return isBool, nil
	case "true":
		return isBool && flag, nil
	case "false":
		return isBool && !flag, nil
	case "integer":
		return isInteger, nil
	case "float":
		return isFloat, nil
	case "number":
		return isNumber, nil
	case "odd", "even":
		rest, err := r.arithmetic("%", v, int64(2))
		if err != nil {
			return false, err
		}
		return r.equal(rest, map[string]int64{"odd": 1}[name])
	case "string":
		_, ok := v.(string)
		_, safe := v.(markup)
		return ok || safe, nil
	case "mapping":
		_, ok := v.(*Dict)
		return ok, nil
	case "iterable":
		return isIterable(v), nil
	case "sequence":
		_, isGenerator := v.(*generator)
		_, isView := v.(view)
		return isIterable(v) && !isGenerator && !isView, nil
	case "callable":
		switch v.(type) {
		case *function, *loop:
			return true, nil
		}
		return isUndefined, nil
	case "lower", "upper":
		text, err := r.str(v)
		return err == nil && cased(text, name == "upper"), err
	}
	return false, fmt.Errorf("test %q is not supported", name)
}

func isIterable(v any) bool {
	switch v.(type) {
	case string, markup, []any, tuple, view, *Dict, numbers, *generator, undefined, *loop:
		return true
	}
	return false
}

// cased is Python's isupper and islower: there is a letter with case, and none of the other case.
func cased(s string, upper bool) bool {
	wanted, other := unicode.IsLower, unicode.IsUpper
	if upper {
		wanted, other = other, wanted
	}
	return strings.ContainsFunc(s, wanted) && !strings.ContainsFunc(s, func(r rune) bool { return other(r) || unicode.IsTitle(r) })
}
