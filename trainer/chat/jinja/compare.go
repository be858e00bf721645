package jinja

import (
	"cmp"
	"fmt"
	"strings"
)

// compare is ==, !=, <, <=, >, >=, in and not in.
func (r *run) compare(operator string, a, b any) (bool, error) {
	switch operator {
	case "==", "!=":
		same, err := r.equal(a, b)
		return same == (operator == "=="), err
	case "in", "not in":
		found, err := r.contains(b, a)
		return found == (operator == "in"), err
	}
	order, err := r.order(a, b)
	if err != nil {
		return false, err
	}
	switch operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// order tells which of two values comes first: negative for a.
func (r *run) order(a, b any) (int, error) {
	for _, v := range []any{a, b} {
		if u, ok := v.(undefined); ok {
			return 0, u.err()
		}
	}
	x, okX := number(a)
	y, okY := number(b)
	if okX && okY {
		i, okI := integer(a)
		j, okJ := integer(b)
		if okI && okJ {
			return cmp.Compare(i, j), nil
		}
		return cmp.Compare(x, y), nil
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), r.spendBytes(min(len(x), len(y)))
		}
	case []any:
		if y, ok := b.([]any); ok {
			return r.orderLists(x, y)
		}
	case tuple:
		if y, ok := b.(tuple); ok {
			return r.orderLists(x, y)
		}
	}
	return 0, fmt.Errorf("a %s and a %s have no order", typeName(a), typeName(b))
}

func (r *run) orderLists(a, b []any) (int, error) {
	if err := r.enter(); err != nil {
		return 0, err
	}
	defer r.leave()
	for i := range min(len(a), len(b)) {
		same, err := r.equal(a[i], b[i])
		if err != nil {
			return 0, err
		}
		if !same {
			return r.order(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b)), nil
}

func (r *run) equal(a, b any) (bool, error) {
	if err := r.enter(); err != nil {
		return false, err
	}
	defer r.leave()
	x, okX := number(a)
	y, okY := number(b)
	if okX && okY {
		i, okI := integer(a)
		j, okJ := integer(b)
		return x == y && (!okI || !okJ || i == j), nil
	}
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case undefined:
		_, ok := b.(undefined)
		return ok, nil
	case string:
		y, ok := b.(string)
		return ok && x == y, r.spendBytes(len(x))
	case []any:
		y, ok := b.([]any)
		return r.equalLists(x, y, ok)
	case tuple:
		y, ok := b.(tuple)
		return r.equalLists(x, y, ok)
	case *Dict:
		y, ok := b.(*Dict)
		return r.equalDicts(x, y, ok)
	case markup, view, numbers:
		return false, fmt.Errorf("== of a %s is not supported", typeName(a))
	case *generator, namespace, *function, *loop:
		return a == b, nil
	}
	return false, nil
}

func (r *run) equalLists(a, b []any, comparable bool) (bool, error) {
	if !comparable || len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if same, err := r.equal(a[i], b[i]); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

func (r *run) equalDicts(a, b *Dict, comparable bool) (bool, error) {
	if !comparable || len(a.keys) != len(b.keys) {
		return false, nil
	}
	for key, v := range a.values {
		other, ok := b.values[key]
		if !ok {
			return false, nil
		}
		if same, err := r.equal(v, other); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// contains is `v in container`.
func (r *run) contains(container, v any) (bool, error) {
	switch c := container.(type) {
	case string:
		part, ok := v.(string)
		if !ok {
			return false, fmt.Errorf("`in` a str needs a str, not a %s", typeName(v))
		}
		return strings.Contains(c, part), r.spendBytes(len(c))
	case *Dict:
		if err := hashable(v); err != nil {
			return false, err
		}
		_, ok := c.get(v)
		return ok, nil
	}
	items, err := r.iterate(container)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		if same, err := r.equal(item, v); err != nil || same {
			return same, err
		}
	}
	return false, nil
}
