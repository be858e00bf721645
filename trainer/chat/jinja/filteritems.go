package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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
	key := func(pair any) (any, error) { return foldCase(pair.(tuple)[at], fold), nil }
	return r.sorted(d.items(), given(values[2]) && truth(values[2]), key)
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
	return r.joinStrings(separator, items)
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

// filterMap is map(attribute=…, default=…) or map("filter", arguments…). Like select and its like it gives nothing of what is false,
// be it none, and then does not look at its arguments.
func filterMap(r *run, v any, args arguments) (any, error) {
	if !truth(v) {
		return &generator{}, nil
	}
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
		if !truth(v) {
			return &generator{}, nil
		}
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
	if !truth(v) {
		return &generator{}, nil
	}
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
		return []any{foldCase(k, fold)}, err // a list, as in jinja2: equal keys need no order
	})
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
		if _, ok := k.(undefined); ok {
			k = undefined{} // all are one
		} else if err := hashable(k); err != nil {
			return nil, err
		}
		if !seen[hashKey(k)] {
			seen[hashKey(k)] = true
			out = append(out, item)
		}
	}
	return &generator{out}, nil
}
