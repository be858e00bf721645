package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// filter is `v | name(args)`.
func (r *run) filter(name string, v any, args arguments) (any, error) {
	f, ok := filters(name)
	if !ok {
		return nil, fmt.Errorf("filter %q is not supported", name)
	}
	out, err := f(r, v, args)
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", name, err)
	}
	return out, nil
}

type filterFunc func(r *run, v any, args arguments) (any, error)

// filters is the table of what is supported: the filters that published chat templates use, and other names and opposites of
// theirs (count, d, max, select).
func filters(name string) (filterFunc, bool) {
	switch name {
	case "capitalize":
		return textFilter(capitalize), true
	case "default", "d":
		return filterDefault, true
	case "dictsort":
		return filterDictsort, true
	case "first", "last":
		return filterEnd(name == "last"), true
	case "float":
		return filterFloat, true
	case "indent":
		return filterIndent, true
	case "int":
		return filterInt, true
	case "items":
		return filterItems, true
	case "join":
		return filterJoin, true
	case "length", "count":
		return func(_ *run, v any, _ arguments) (any, error) { n, err := length(v); return int64(n), err }, true
	case "list":
		return filterList, true
	case "lower":
		return textFilter(lower), true
	case "map":
		return filterMap, true
	case "max", "min":
		return filterExtreme(name == "max"), true
	case "reject", "select":
		return filterSelect(name == "select"), true
	case "rejectattr", "selectattr":
		return filterSelectAttribute(name == "selectattr"), true
	case "replace":
		return filterReplace, true
	case "round":
		return filterRound, true
	case "safe":
		return func(r *run, v any, _ arguments) (any, error) { text, err := r.str(v); return markup(text), err }, true
	case "sort":
		return filterSort, true
	case "string":
		return textFilter(func(s string) string { return s }), true
	case "title":
		return textFilter(titleFilter), true
	case "tojson":
		return filterJSON, true
	case "trim":
		return filterTrim, true
	case "unique":
		return filterUnique, true
	case "upper":
		return textFilter(upper), true
	}
	return nil, false
}

// textFilter is a filter of a string, to which any value is converted.
func textFilter(f func(string) string) filterFunc {
	return func(r *run, v any, args arguments) (any, error) {
		if _, err := args.bind(); err != nil {
			return nil, err
		}
		s, err := r.str(v)
		if err == nil {
			err = r.spend(1 + len(s))
		}
		if err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func filterDefault(_ *run, v any, args arguments) (any, error) {
	values, err := args.bind("default_value", "boolean")
	if err != nil {
		return nil, err
	}
	_, missingValue := v.(undefined)
	if !missingValue && (!given(values[1]) || !truth(values[1]) || truth(v)) {
		return v, nil
	}
	if !given(values[0]) {
		return "", nil
	}
	return values[0], nil
}

// parseFloat reads a string as Python's float() does, but for underscores.
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "_xXpP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

func filterFloat(_ *run, v any, args arguments) (any, error) {
	values, err := args.bind("default")
	if err != nil {
		return nil, err
	}
	if u, ok := v.(undefined); ok {
		return nil, u.err()
	}
	if f, ok := number(v); ok {
		return f, nil
	}
	if s, ok := v.(string); ok {
		if f, ok := parseFloat(s); ok {
			return f, nil
		}
	}
	if given(values[0]) {
		return values[0], nil
	}
	return 0.0, nil
}

func filterInt(_ *run, v any, args arguments) (any, error) {
	values, err := args.bind("default")
	if err != nil {
		return nil, err
	}
	f, isNumber := number(v)
	switch v := v.(type) {
	case undefined:
		return nil, v.err()
	case int64:
		return v, nil
	case string:
		if i, err := strconv.ParseInt(strings.TrimFunc(v, isSpace), 10, 64); err == nil {
			return i, nil
		}
		f, isNumber = parseFloat(v)
	}
	switch {
	case isNumber && math.Abs(f) < 1<<62:
		return int64(f), nil
	case isNumber && !math.IsInf(f, 0) && !math.IsNaN(f):
		return nil, fmt.Errorf("%v is too large", f)
	case given(values[0]):
		return values[0], nil
	}
	return int64(0), nil
}

func filterIndent(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("width", "first", "blank")
	if err != nil {
		return nil, err
	}
	switch v.(type) {
	case string, markup:
	default:
		return nil, fmt.Errorf("needs a str, not a %s", typeName(v))
	}
	s, err := r.str(v)
	if err != nil {
		return nil, err
	}
	indent := "    "
	if text, ok := values[0].(string); ok {
		indent = text
	} else if given(values[0]) {
		width, ok := integer(values[0])
		if !ok {
			return nil, fmt.Errorf("width must be an int, not a %s", typeName(values[0]))
		}
		width = max(0, width)
		if err := r.spendTimes(1, int(min(width, math.MaxInt32))); err != nil {
			return nil, err
		}
		indent = strings.Repeat(" ", int(width))
	}
	lines := splitLines(s + "\n") // as jinja2 does, so that a line end at the end stays
	if err := errors.Join(r.spendTimes(len(indent), len(lines)), r.spendBytes(len(s)), r.spend(len(lines))); err != nil {
		return nil, err
	}
	first, blank := given(values[1]) && truth(values[1]), given(values[2]) && truth(values[2])
	for i, line := range lines {
		if i == 0 && first || i > 0 && (blank || line != "") {
			lines[i] = indent + line
		}
	}
	return strings.Join(lines, "\n"), nil
}

func filterReplace(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("old", "new", "count")
	if err != nil {
		return nil, err
	}
	var texts [3]string
	for i, value := range []any{v, values[0], values[1]} {
		if !given(value) {
			return nil, errors.New("needs what to replace and by what")
		}
		if texts[i], err = r.str(value); err != nil {
			return nil, err
		}
	}
	return r.replace(texts[0], texts[1], texts[2], values[2])
}

func filterRound(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("precision", "method")
	if err != nil {
		return nil, err
	}
	precision := int64(0)
	if given(values[0]) {
		var ok bool
		if precision, ok = integer(values[0]); !ok || precision < 0 || precision > 15 {
			return nil, errors.New("precision must be an int from 0 to 15")
		}
	}
	f, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("needs a number, not a %s", typeName(v))
	}
	scale := math.Pow10(int(precision))
	switch values[1] {
	case missing{}, "common":
		if i, ok := integer(v); ok {
			return i, nil
		}
		return strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64) // exact, half to even, as Python
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	}
	return nil, errors.New("method must be common, ceil or floor")
}

func filterTrim(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("chars")
	if err != nil {
		return nil, err
	}
	s, err := r.str(v)
	if err != nil {
		return nil, err
	}
	return stripMethod(s, "strip")(r, arguments{positional: values})
}
