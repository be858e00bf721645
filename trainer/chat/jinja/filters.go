package jinja

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
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

// filters is the table of what is supported.
func filters(name string) (filterFunc, bool) {
	switch name {
	case "abs":
		return filterAbs, true
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
	case "reverse":
		return filterReverse, true
	case "round":
		return filterRound, true
	case "safe":
		return func(r *run, v any, _ arguments) (any, error) { text, err := r.str(v); return markup(text), err }, true
	case "sort":
		return filterSort, true
	case "string":
		return textFilter(func(s string) string { return s }), true
	case "sum":
		return filterSum, true
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
	case "wordcount":
		return filterWordcount, true
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

// titleFilter is jinja2's title, where other words begin than in str.title.
func titleFilter(s string) string {
	var b strings.Builder
	begins := true
	for _, r := range s {
		switch {
		case begins && !titleBreak(r):
			b.WriteString(upper(string(r)))
			begins = false
		default:
			b.WriteString(lower(string(r)))
			begins = titleBreak(r)
		}
	}
	return b.String()
}

func titleBreak(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) }

func filterAbs(r *run, v any, _ arguments) (any, error) {
	negative, err := r.order(v, int64(0))
	if err != nil || negative >= 0 {
		return v, err
	}
	return r.arithmetic("*", v, int64(-1))
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

func filterDictsort(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("case_sensitive", "by", "reverse")
	if err != nil {
		return nil, err
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("needs a dict, not a %s", typeName(v))
	}
	at := 0
	switch values[1] {
	case missing{}, "key":
	case "value":
		at = 1
	default:
		return nil, errors.New(`by must be "key" or "value"`)
	}
	fold := !given(values[0]) || !truth(values[0])
	return r.sorted(d.items(), given(values[2]) && truth(values[2]), func(pair any) (any, error) { return foldCase(pair.(tuple)[at], fold), nil })
}

// foldCase lowers a string where case does not count.
func foldCase(v any, fold bool) any {
	if s, ok := v.(string); ok && fold {
		return lower(s)
	}
	return v
}

// sorted returns a sorted copy; equals stay in their order, also in reverse.
func (r *run) sorted(items []any, reverse bool, key func(any) (any, error)) ([]any, error) {
	type keyed struct{ key, item any }
	list := make([]keyed, len(items))
	for i, v := range items {
		k, err := key(v)
		if err != nil {
			return nil, err
		}
		list[i] = keyed{k, v}
	}
	var failed error
	slices.SortStableFunc(list, func(a, b keyed) int {
		order, err := r.order(a.key, b.key)
		if err == nil {
			err = r.spend(1)
		}
		if failed == nil {
			failed = err
		}
		if reverse {
			return -order
		}
		return order
	})
	out := make([]any, len(list))
	for i, k := range list {
		out[i] = k.item
	}
	return out, failed
}

// attributeKey returns a function that takes an attribute, or a path of them as "a.b.0", of a value; the value itself without one.
func (r *run) attributeKey(name any) (func(any) (any, error), error) {
	if !given(name) || name == nil {
		return func(v any) (any, error) { return v, nil }, nil
	}
	if i, ok := integer(name); ok {
		return func(v any) (any, error) { return r.item(v, i) }, nil
	}
	path, ok := name.(string)
	if !ok {
		return nil, fmt.Errorf("attribute must be a str, not a %s", typeName(name))
	}
	parts := strings.Split(path, ".")
	if err := r.spend(len(parts)); err != nil {
		return nil, err
	}
	return func(v any) (any, error) {
		if err := r.spend(len(parts)); err != nil {
			return nil, err
		}
		for _, part := range parts {
			var key any = part
			if n, err := strconv.ParseInt(part, 10, 64); err == nil && n >= 0 {
				key = n
			}
			var err error
			if v, err = r.item(v, key); err != nil {
				return nil, err
			}
		}
		return v, nil
	}, nil
}

func filterEnd(last bool) filterFunc {
	return func(r *run, v any, args arguments) (any, error) {
		if _, err := args.bind(); err != nil {
			return nil, err
		}
		if g, ok := v.(*generator); ok && last {
			return nil, fmt.Errorf("of a %s", typeName(g))
		}
		items, err := r.iterate(v)
		switch {
		case err != nil:
			return nil, err
		case len(items) == 0:
			return undefined{"an item of something empty"}, nil
		case last:
			return items[len(items)-1], nil
		}
		if g, ok := v.(*generator); ok {
			g.items = items[1:]
		}
		return items[0], nil
	}
}

// parseNumber reads a string as Python's int() or float() does, but for underscores.
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

func filterItems(r *run, v any, args arguments) (any, error) {
	if _, err := args.bind(); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case undefined:
		return &generator{}, nil
	case *Dict:
		return &generator{v.items()}, r.spend(2 * len(v.keys))
	}
	return nil, fmt.Errorf("needs a dict, not a %s", typeName(v))
}

func filterJoin(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("d", "attribute")
	if err != nil {
		return nil, err
	}
	separator := ""
	if given(values[0]) {
		if separator, err = r.str(values[0]); err != nil {
			return nil, err
		}
	}
	key, err := r.attributeKey(values[1])
	if err != nil {
		return nil, err
	}
	items, err := r.apply(v, key)
	if err != nil {
		return nil, err
	}
	return r.joinStrings(separator, items, true)
}

// apply goes through a value and returns what f makes of each item.
func (r *run) apply(v any, f func(any) (any, error)) ([]any, error) {
	items, err := r.iterate(v)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(items))
	for i, item := range items {
		if out[i], err = f(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func filterList(r *run, v any, args arguments) (any, error) {
	if _, err := args.bind(); err != nil {
		return nil, err
	}
	items, err := r.iterate(v)
	if items == nil {
		items = []any{}
	}
	return items, err
}

// filterMap is map(attribute=…, default=…) or map("filter", arguments…).
func filterMap(r *run, v any, args arguments) (any, error) {
	var f func(item any) (any, error)
	if len(args.positional) == 0 {
		values, err := args.bind("attribute", "default")
		if err != nil {
			return nil, err
		}
		if !given(values[0]) {
			return nil, errors.New("needs an attribute or a filter")
		}
		key, err := r.attributeKey(values[0])
		if err != nil {
			return nil, err
		}
		f = func(item any) (any, error) {
			out, err := key(item)
			if _, ok := out.(undefined); ok && given(values[1]) {
				return values[1], nil
			}
			return out, err
		}
	} else {
		name, ok := args.positional[0].(string)
		if !ok {
			return nil, fmt.Errorf("needs the name of a filter, not a %s", typeName(args.positional[0]))
		}
		rest := arguments{positional: args.positional[1:], named: args.named, names: args.names}
		f = func(item any) (any, error) {
			if err := r.enter(); err != nil { // map("map", "map", …) nests
				return nil, err
			}
			defer r.leave()
			return r.filter(name, item, rest)
		}
	}
	items, err := r.apply(v, f)
	return &generator{items}, err
}

// compared returns what min, max and unique look at: the items, and the key of each, which case_sensitive and attribute decide.
func (r *run) compared(v any, args arguments) (items []any, key func(any) (any, error), err error) {
	values, err := args.bind("case_sensitive", "attribute")
	if err != nil {
		return nil, nil, err
	}
	attribute, err := r.attributeKey(values[1])
	if err != nil {
		return nil, nil, err
	}
	fold := !given(values[0]) || !truth(values[0])
	items, err = r.iterate(v)
	return items, func(item any) (any, error) {
		k, err := attribute(item)
		return foldCase(k, fold), err
	}, err
}

func filterExtreme(largest bool) filterFunc {
	return func(r *run, v any, args arguments) (any, error) {
		items, key, err := r.compared(v, args)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return undefined{"the largest or smallest item of something empty"}, nil
		}
		var best, bestKey any
		for i, item := range items {
			k, err := key(item)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				order, err := r.order(k, bestKey)
				if err != nil {
					return nil, err
				}
				if order == 0 || (order > 0) != largest {
					continue
				}
			}
			best, bestKey = item, k
		}
		return best, nil
	}
}

// filterSelect is select(test, arguments…); without a test, truth counts.
func filterSelect(keep bool) filterFunc {
	return func(r *run, v any, args arguments) (any, error) {
		return r.selectBy(v, keep, args, func(item any) (any, error) { return item, nil })
	}
}

func filterSelectAttribute(keep bool) filterFunc {
	return func(r *run, v any, args arguments) (any, error) {
		if len(args.positional) == 0 {
			return nil, errors.New("needs an attribute")
		}
		key, err := r.attributeKey(args.positional[0])
		if err != nil {
			return nil, err
		}
		args.positional = args.positional[1:]
		return r.selectBy(v, keep, args, key)
	}
}

func (r *run) selectBy(v any, keep bool, args arguments, key func(any) (any, error)) (any, error) {
	test := func(v any) (bool, error) { return truth(v), nil }
	if len(args.positional) > 0 {
		name, ok := args.positional[0].(string)
		if !ok {
			return nil, fmt.Errorf("needs the name of a test, not a %s", typeName(args.positional[0]))
		}
		rest := arguments{positional: args.positional[1:], named: args.named, names: args.names}
		test = func(v any) (bool, error) { return r.test(name, v, rest) }
	}
	items, err := r.iterate(v)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		ok, err := test(k)
		if err != nil {
			return nil, err
		}
		if ok == keep {
			out = append(out, item)
		}
	}
	return &generator{out}, nil
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

func filterReverse(r *run, v any, args arguments) (any, error) {
	if _, err := args.bind(); err != nil {
		return nil, err
	}
	items, err := r.iterate(v)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	switch v.(type) {
	case string:
		return r.joinStrings("", items, false)
	case *generator:
		return items, nil // as jinja2: what cannot be gone through backwards becomes a list
	}
	return &generator{items}, nil
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

func filterSort(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("reverse", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	if path, ok := values[2].(string); ok && strings.Contains(path, ",") {
		return nil, errors.New("several attributes are not supported")
	}
	key, err := r.attributeKey(values[2])
	if err != nil {
		return nil, err
	}
	items, err := r.iterate(v)
	if err != nil {
		return nil, err
	}
	fold := !given(values[1]) || !truth(values[1])
	return r.sorted(items, given(values[0]) && truth(values[0]), func(item any) (any, error) {
		k, err := key(item)
		return foldCase(k, fold), err
	})
}

func filterSum(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("attribute", "start")
	if err != nil {
		return nil, err
	}
	key, err := r.attributeKey(values[0])
	if err != nil {
		return nil, err
	}
	items, err := r.apply(v, key)
	if err != nil {
		return nil, err
	}
	var total any = int64(0)
	if given(values[1]) {
		total = values[1]
	}
	if _, isText := total.(string); isText {
		return nil, errors.New("cannot add up str")
	}
	for _, item := range items {
		if total, err = r.arithmetic("+", total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// filterJSON is json.dumps with the arguments that transformers lets through.
func filterJSON(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("ensure_ascii", "indent", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	style := jsonStyle{ascii: given(values[0]) && truth(values[0]), item: ", ", key: ": ", sorted: given(values[3]) && truth(values[3])}
	if given(values[1]) && values[1] != nil {
		style.lines, style.item = true, ","
		if text, ok := values[1].(string); ok {
			style.indent = text
		} else {
			width, ok := integer(values[1])
			if !ok || width > 100 {
				return nil, errors.New("indent must be a str or an int up to 100")
			}
			style.indent = strings.Repeat(" ", int(max(0, width)))
		}
	}
	if given(values[2]) && values[2] != nil {
		pair, err := r.iterate(values[2])
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 {
			return nil, errors.New("separators must be two str")
		}
		var okItem, okKey bool
		style.item, okItem = pair[0].(string)
		style.key, okKey = pair[1].(string)
		if !okItem || !okKey {
			return nil, errors.New("separators must be two str")
		}
	}
	w := writer{run: r}
	if err := w.json(v, style); err != nil {
		return nil, err
	}
	return w.text.String(), nil
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

func filterUnique(r *run, v any, args arguments) (any, error) {
	items, key, err := r.compared(v, args)
	if err != nil {
		return nil, err
	}
	seen := map[any]bool{}
	out := []any{}
	for _, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		if err := hashable(k); err != nil {
			return nil, err
		}
		if !seen[hashKey(k)] {
			seen[hashKey(k)] = true
			out = append(out, item)
		}
	}
	return &generator{out}, nil
}

func filterWordcount(r *run, v any, args arguments) (any, error) {
	if _, err := args.bind(); err != nil {
		return nil, err
	}
	s, err := r.str(v)
	if err == nil {
		err = r.spend(len(s))
	}
	words := strings.FieldsFunc(s, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c) })
	return int64(len(words)), err
}
