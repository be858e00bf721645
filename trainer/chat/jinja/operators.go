package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
)

// operate applies a binary operator as Python does.
func (r *run) operate(operator string, a, b any) (any, error) {
	if operator == "~" {
		left, err := r.str(a)
		if err != nil {
			return nil, err
		}
		right, err := r.str(b)
		if err != nil {
			return nil, err
		}
		return left + right, r.spendBytes(len(left) + len(right))
	}
	return r.arithmetic(operator, a, b)
}

func (r *run) arithmetic(operator string, a, b any) (any, error) {
	for _, v := range []any{a, b} {
		if u, ok := v.(undefined); ok {
			return nil, u.err()
		}
	}
	i, okI := integer(a)
	j, okJ := integer(b)
	if okI && okJ {
		return intArithmetic(operator, i, j)
	}
	x, okX := number(a)
	y, okY := number(b)
	if okX && okY {
		return floatArithmetic(operator, x, y)
	}
	switch operator {
	case "+":
		return r.join(a, b)
	case "*":
		if okI {
			a, b, j = b, a, i
		}
		if okI || okJ {
			return r.repeat(a, j, b)
		}
	case "%":
		if format, ok := a.(string); ok {
			return r.format(format, b)
		}
	}
	return nil, mismatch(operator, a, b)
}

func mismatch(operator string, a, b any) error {
	return fmt.Errorf("%s is not defined between a %s and a %s", operator, typeName(a), typeName(b))
}

// number is the value of an int, float or bool.
func number(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i, ok := integer(v)
	return float64(i), ok
}

// join is + of strings, lists and tuples.
func (r *run) join(a, b any) (any, error) {
	switch x := a.(type) {
	case markup:
		return r.joinMarkup(x, b)
	case string:
		switch y := b.(type) {
		case string:
			return x + y, r.spendBytes(len(x) + len(y))
		case markup:
			return r.joinMarkup(escape(x), y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			if err := r.spend(len(x) + len(y)); err != nil {
				return nil, err
			}
			return append(append(make([]any, 0, len(x)+len(y)), x...), y...), nil
		}
	case tuple:
		if y, ok := b.(tuple); ok {
			if err := r.spend(len(x) + len(y)); err != nil {
				return nil, err
			}
			return append(append(make(tuple, 0, len(x)+len(y)), x...), y...), nil
		}
	}
	return nil, mismatch("+", a, b)
}

// joinMarkup adds to what went through safe: what did not is escaped, as markupsafe does.
func (r *run) joinMarkup(a markup, b any) (any, error) {
	if s, ok := b.(string); ok {
		b = escape(s)
	}
	if y, ok := b.(markup); ok {
		return a + y, r.spendBytes(len(a) + len(y))
	}
	return nil, mismatch("+", a, b)
}

func escape(s string) markup {
	return markup(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace(s))
}

// repeat is * of a string or list with a count.
func (r *run) repeat(v any, count int64, by any) (any, error) {
	n := int(min(max(count, 0), math.MaxInt32))
	switch x := v.(type) {
	case string:
		if err := r.spendTimes(len(x), n); err != nil {
			return nil, err
		}
		return strings.Repeat(x, n), nil
	case []any:
		if err := r.spendTimes(len(x)*bytesPerUnit, n); err != nil {
			return nil, err
		}
		out := make([]any, 0, len(x)*n)
		for range n {
			out = append(out, x...)
		}
		return out, nil
	}
	return nil, mismatch("*", v, by)
}

var errDivision = errors.New("division by zero")

func intArithmetic(operator string, a, b int64) (any, error) {
	switch operator {
	case "+":
		if s := a + b; (s > a) == (b > 0) {
			return s, nil
		}
	case "-":
		if d := a - b; (d < a) == (b > 0) {
			return d, nil
		}
	case "*":
		if p := a * b; a == 0 || p/a == b && (a != -1 || b != math.MinInt64) {
			return p, nil
		}
	case "/":
		if b == 0 {
			return nil, errDivision
		}
		return float64(a) / float64(b), nil
	case "//", "%":
		if b == 0 {
			return nil, errDivision
		}
		quotient, rest := a/b, a%b
		if rest != 0 && (rest < 0) != (b < 0) { // Python rounds down
			quotient, rest = quotient-1, rest+b
		}
		if operator == "%" {
			return rest, nil
		}
		return quotient, nil
	case "**":
		return intPower(a, b)
	}
	return nil, fmt.Errorf("%d %s %d is too large", a, operator, b)
}

func intPower(a, b int64) (any, error) {
	if b < 0 {
		return floatArithmetic("**", float64(a), float64(b))
	}
	result := int64(1)
	for ; b > 0; b-- {
		next, err := intArithmetic("*", result, a)
		if err != nil {
			return nil, err
		}
		if result = next.(int64); a >= -1 && a <= 1 {
			b = min(b, 2+b%2) // the rest only changes the sign
		}
	}
	return result, nil
}

func floatArithmetic(operator string, a, b float64) (any, error) {
	switch operator {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "**":
		if a == 0 && b < 0 {
			return nil, errDivision
		}
		return math.Pow(a, b), nil
	}
	if b == 0 {
		return nil, errDivision
	}
	rest := math.Mod(a, b)
	if rest != 0 && (rest < 0) != (b < 0) {
		rest += b
	}
	switch operator {
	case "/":
		return a / b, nil
	case "%":
		return rest, nil
	}
	return math.Round((a - rest) / b), nil
}

// format is Python's "…" % values with %s, %d and %%.
func (r *run) format(format string, values any) (any, error) {
	list, ok := values.(tuple)
	if !ok {
		list = tuple{values}
	}
	w := writer{run: r}
	used := 0
	for {
		before, after, found := strings.Cut(format, "%")
		if err := w.write(before); err != nil {
			return nil, err
		}
		if !found {
			break
		}
		if strings.HasPrefix(after, "%") {
			format = after[1:]
			if err := w.write("%"); err != nil {
				return nil, err
			}
			continue
		}
		if used >= len(list) || after == "" || after[0] != 's' && after[0] != 'd' {
			return nil, fmt.Errorf("format %%%.5s is not supported, or has no value: there are %%s, %%d and %%%%", after)
		}
		v := list[used]
		if _, isInt := integer(v); after[0] == 'd' && !isInt {
			return nil, fmt.Errorf("%%d needs an int, not a %s", typeName(v))
		}
		if b, isBool := v.(bool); isBool && after[0] == 'd' {
			v = toInt(b)
		}
		written, err := r.str(v)
		if err == nil {
			err = w.write(written)
		}
		if err != nil {
			return nil, err
		}
		used++
		format = after[1:]
	}
	if used < len(list) {
		return nil, errors.New("a format has fewer places than values")
	}
	return w.text.String(), nil
}

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
