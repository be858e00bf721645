package jinja

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

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
