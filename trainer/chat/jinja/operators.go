package jinja

import (
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
		if _, ok := a.(string); ok {
			return nil, errors.New("formatting a str with % is not supported")
		}
	}
	return nil, mismatch(operator, a, b)
}

func mismatch(operator string, a, b any) error {
	return fmt.Errorf("%s is not defined between a %s and a %s", operator, typeName(a), typeName(b))
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
