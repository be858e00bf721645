package jinja

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// builtins are the names that every template knows: jinja2's, and those that transformers adds.
func builtins() map[string]any {
	globals := map[string]any{}
	for name, f := range map[string]func(*run, arguments) (any, error){
		"range":     rangeFunction,
		"dict":      dictFunction,
		"namespace": namespaceFunction,
		"raise_exception": func(r *run, args arguments) (any, error) {
			values, err := args.bind("message")
			if err != nil {
				return nil, err
			}
			message, err := r.str(values[0])
			return nil, errors.Join(err, fmt.Errorf("the template refuses this conversation: %s", message))
		},
		"strftime_now": func(r *run, args arguments) (any, error) {
			values, err := args.bind("format")
			if err != nil {
				return nil, err
			}
			format, ok := values[0].(string)
			if !ok {
				return nil, errors.New("want a format")
			}
			return strftime(r.now, format)
		},
	} {
		globals[name] = &function{name: name, call: f}
	}
	for _, name := range []string{"cycler", "joiner", "lipsum"} {
		globals[name] = &function{name: name, call: notSupported("it")}
	}
	return globals
}

func rangeFunction(_ *run, args arguments) (any, error) {
	values, err := args.bind("start", "stop", "step")
	if err != nil {
		return nil, err
	}
	n := [3]int64{0, 0, 1}
	count := 0
	for i, v := range values {
		if !given(v) {
			break
		}
		var ok bool
		if n[i], ok = integer(v); !ok {
			return nil, fmt.Errorf("needs int, not %s", typeName(v))
		}
		count++
	}
	if count == 0 || n[2] == 0 {
		return nil, errors.New("needs an end, and a step other than 0")
	}
	if count == 1 {
		n[0], n[1] = 0, n[0]
	}
	out := numbers{start: n[0], step: n[2]}
	if distance := float64(n[1]) - float64(n[0]); distance/float64(n[2]) > maxRange {
		return nil, fmt.Errorf("%w: a range of more than %d", errLimit, maxRange)
	} else if distance/float64(n[2]) > 0 {
		step, whole := n[2], n[1]-n[0]
		out.count = whole / step
		if whole%step != 0 {
			out.count++
		}
	}
	return out, nil
}

func dictFunction(r *run, args arguments) (any, error) {
	out := NewDict()
	if len(args.positional) > 1 {
		return nil, errors.New("takes one dictionary or list of pairs")
	}
	for _, from := range args.positional {
		pairs := from
		if d, ok := from.(*Dict); ok {
			pairs = d.items()
		}
		items, err := r.iterate(pairs)
		if err != nil {
			return nil, err
		}
		for _, pair := range items {
			two, err := r.iterate(pair)
			if err != nil {
				return nil, err
			}
			if len(two) != 2 {
				return nil, errors.New("needs pairs")
			}
			if err := hashable(two[0]); err != nil {
				return nil, err
			}
			out.set(two[0], two[1])
		}
	}
	for _, name := range args.names {
		out.set(name, args.named[name])
	}
	return out, r.spend(len(args.named))
}

func namespaceFunction(r *run, args arguments) (any, error) {
	d, err := dictFunction(r, args)
	if err != nil {
		return nil, err
	}
	return namespace{d.(*Dict)}, nil
}

// strftime writes a time in C's English locale. %-d and its like have no leading zero, as in glibc.
func strftime(t time.Time, format string) (string, error) {
	layouts := map[byte]string{
		'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'B': "January", 'b': "Jan", 'A': "Monday", 'a': "Mon",
		'p': "PM", 'I': "03", 'y': "06", 'j': "002", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'e': "_2",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		short := i < len(format) && format[i] == '-'
		if short {
			i++
		}
		if i < len(format) && format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if i >= len(format) || layouts[format[i]] == "" {
			return "", fmt.Errorf("date format %q is not supported", format)
		}
		text := t.Format(layouts[format[i]])
		if number, err := strconv.Atoi(text); short && err == nil {
			text = strconv.Itoa(number)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// attribute is loop.name.
func (l *loop) attribute(name string) (any, bool) {
	n, i := int64(len(l.items)), int64(l.index)
	neighbour := func(at int64) any {
		if at < 0 || at >= n {
			return undefined{"there is no item before or after this one, which"}
		}
		return l.items[at]
	}
	switch name {
	case "index":
		return i + 1, true
	case "index0":
		return i, true
	case "revindex":
		return n - i, true
	case "revindex0":
		return n - i - 1, true
	case "first":
		return i == 0, true
	case "last":
		return i == n-1, true
	case "length":
		return n, true
	case "depth":
		return int64(l.depth), true
	case "depth0":
		return int64(l.depth - 1), true
	case "previtem":
		return neighbour(i - 1), true
	case "nextitem":
		return neighbour(i + 1), true
	case "cycle", "changed":
		return &function{name: "loop." + name, call: notSupported("it")}, true
	}
	return nil, false
}

// call is loop(items) of a recursive for.
func (l *loop) call(r *run, args arguments) (any, error) {
	values, err := args.bind("items")
	if err != nil {
		return nil, err
	}
	if !l.statement.recursive || !given(values[0]) {
		return nil, errors.New("loop() needs items, and a for that ends in recursive")
	}
	return r.captured(func() error { return l.statement.iterate(r, l.scope, values[0], l.depth+1) })
}
