package jinja

import (
	"errors"
	"fmt"
)

// test is `v is name`: the tests that published chat templates use, and every comparison.
func (r *run) test(name string, v any, args arguments) (bool, error) {
	if operator := comparisonTest(name); operator != "" {
		other, err := args.bind("other")
		if err == nil && !given(other[0]) {
			err = errors.New("it needs a value to compare with")
		}
		if err != nil {
			return false, fmt.Errorf("test %s: %w", name, err)
		}
		return r.compare(operator, v, other[0])
	}
	if len(args.positional)+len(args.named) > 0 {
		return false, fmt.Errorf("test %s takes no argument", name)
	}
	return unaryTest(name, v)
}

// comparisonTest returns the operator that a test stands for, "" where it compares nothing.
func comparisonTest(name string) string {
	switch name {
	case "eq", "equalto":
		return "=="
	case "ne":
		return "!="
	case "lt", "lessthan":
		return "<"
	case "le":
		return "<="
	case "gt", "greaterthan":
		return ">"
	case "ge":
		return ">="
	case "in", "==", "!=", "<", "<=", ">", ">=":
		return name
	}
	return ""
}

func unaryTest(name string, v any) (bool, error) {
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
