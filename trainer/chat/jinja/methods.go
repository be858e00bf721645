package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// method returns a method of a value, or nil. Those that would change it are refused, as in transformers' sandbox, and so are
// those that no published chat template calls.
func method(v any, name string) *function {
	var f func(*run, arguments) (any, error)
	switch v := v.(type) {
	case string:
		f = stringMethod(v, name)
	case *Dict:
		f = dictMethod(v, name)
	case []any:
		f = listMethod(name)
	case tuple:
		if name == "count" || name == "index" {
			f = notSupported("this method of a tuple")
		}
	}
	if f == nil {
		return nil
	}
	return &function{name: name, call: f}
}

func changes(*run, arguments) (any, error) {
	return nil, errors.New("a template may not change a value: only attributes of a namespace can be set")
}

// notSupported is what Python has and this package has not: without it a name would be an attribute with no value.
func notSupported(what string) func(*run, arguments) (any, error) {
	return func(*run, arguments) (any, error) { return nil, errors.New(what + " is not supported") }
}

func dictMethod(d *Dict, name string) func(*run, arguments) (any, error) {
	switch name {
	case "items":
		return simple(2*len(d.keys), func() any { return view(d.items()) })
	case "keys":
		return simple(2*len(d.keys), func() any { return view(slices.Clone(d.keys)) })
	case "get":
		return func(_ *run, args arguments) (any, error) {
			values, err := args.bind("key", "default")
			if err == nil {
				err = hashable(values[0])
			}
			if err != nil {
				return nil, err
			}
			if found, ok := d.get(values[0]); ok {
				return found, nil
			}
			if given(values[1]) {
				return values[1], nil
			}
			return nil, nil
		}
	case "clear", "pop", "popitem", "setdefault", "update":
		return changes
	case "copy", "fromkeys", "values":
		return notSupported("this method of a dict")
	}
	return nil
}

func listMethod(name string) func(*run, arguments) (any, error) {
	switch name {
	case "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort":
		return changes
	case "copy", "count", "index":
		return notSupported("this method of a list")
	}
	return nil
}

// simple is a method without arguments that costs this many units.
func simple(units int, f func() any) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		if _, err := args.bind(); err != nil {
			return nil, err
		}
		if err := r.spend(units); err != nil {
			return nil, err
		}
		return f(), nil
	}
}

func stringMethod(s, name string) func(*run, arguments) (any, error) {
	switch name {
	case "strip", "lstrip", "rstrip":
		return stripMethod(s, name)
	case "split", "rsplit":
		return splitMethod(s, name == "rsplit")
	case "startswith", "endswith":
		return affixMethod(s, name)
	case "find", "index":
		return findMethod(s, name == "index")
	case "replace":
		return replaceMethod(s)
	case "splitlines":
		return simple(len(s), func() any { return strs(splitLines(s)) })
	case "upper":
		return simple(len(s), func() any { return upper(s) })
	case "lower":
		return simple(len(s), func() any { return lower(s) })
	case "capitalize":
		return simple(len(s), func() any { return capitalize(s) })
	case "title":
		return simple(len(s), func() any { return titleWords(s) })
	}
	if slices.Contains([]string{
		"casefold", "center", "count", "encode", "expandtabs", "format", "format_map", "isalnum", "isalpha", "isascii", "isdecimal",
		"isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "maketrans",
		"partition", "removeprefix", "removesuffix", "rfind", "rindex", "rjust", "rpartition", "swapcase", "translate", "zfill",
	}, name) {
		return notSupported("this method of a str")
	}
	return nil
}

func stripMethod(s, name string) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		values, err := args.bind("chars")
		if err != nil {
			return nil, err
		}
		if chars, ok := values[0].(string); ok { // every character of s is looked up in chars
			err = r.spendTimes(len(chars), len(s))
		}
		if err == nil {
			err = r.spendBytes(len(s))
		}
		if err != nil {
			return nil, err
		}
		return trim(s, name, values[0])
	}
}

func splitMethod(s string, fromRight bool) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		values, err := args.bind("sep", "maxsplit")
		if err != nil {
			return nil, err
		}
		most := int64(-1)
		if given(values[1]) {
			var ok bool
			if most, ok = integer(values[1]); !ok {
				return nil, fmt.Errorf("maxsplit needs an int, not a %s", typeName(values[1]))
			}
		}
		if err := r.spend(len(s)); err != nil {
			return nil, err
		}
		sep, ok := values[0].(string)
		switch {
		case ok && sep == "":
			return nil, errors.New("the separator is empty")
		case ok:
			return strs(splitBy(s, sep, int(most), fromRight)), nil
		case values[0] == nil || !given(values[0]):
			return strs(splitWords(s, int(most), fromRight)), nil
		}
		return nil, fmt.Errorf("the separator must be a str, not a %s", typeName(values[0]))
	}
}

func affixMethod(s, name string) func(*run, arguments) (any, error) {
	has := strings.HasPrefix
	if name == "endswith" {
		has = strings.HasSuffix
	}
	return func(r *run, args arguments) (any, error) {
		values, err := args.bind("affix")
		if err != nil {
			return nil, err
		}
		options := tuple{values[0]}
		if several, ok := values[0].(tuple); ok {
			options = several
		}
		for _, option := range options {
			text, ok := option.(string)
			if !ok {
				return nil, fmt.Errorf("needs a str, not a %s", typeName(option))
			}
			if err := r.spendBytes(len(text)); err != nil {
				return nil, err
			}
			if has(s, text) {
				return true, nil
			}
		}
		return false, nil
	}
}

func findMethod(s string, must bool) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		values, err := args.bind("text")
		if err != nil {
			return nil, err
		}
		text, ok := values[0].(string)
		if !ok {
			return nil, fmt.Errorf("needs a str, not a %s", typeName(values[0]))
		}
		if err := r.spendBytes(len(s)); err != nil {
			return nil, err
		}
		at := strings.Index(s, text)
		if at < 0 && must {
			return nil, errors.New("the text does not occur")
		}
		if at > 0 {
			at = utf8.RuneCountInString(s[:at])
		}
		return int64(at), nil
	}
}

func replaceMethod(s string) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		values, err := args.bind("old", "new", "count")
		if err != nil {
			return nil, err
		}
		old, okOld := values[0].(string)
		replacement, okNew := values[1].(string)
		if !okOld || !okNew {
			return nil, errors.New("needs two str")
		}
		return r.replace(s, old, replacement, values[2])
	}
}

// replace replaces at most count occurrences, all without it.
func (r *run) replace(s, old, replacement string, count any) (any, error) {
	most := int64(-1)
	if given(count) && count != nil {
		var ok bool
		if most, ok = integer(count); !ok {
			return nil, fmt.Errorf("the count must be an int, not a %s", typeName(count))
		}
	}
	times := strings.Count(s, old)
	if most >= 0 {
		times = int(min(int64(times), most))
	}
	if err := errors.Join(r.spendBytes(len(s)), r.spendTimes(len(replacement), times)); err != nil {
		return nil, err
	}
	return strings.Replace(s, old, replacement, int(max(most, -1))), nil
}

// joinStrings is sep.join(items) of the texts of items.
func (r *run) joinStrings(sep string, items []any) (any, error) {
	parts := make([]string, len(items))
	size := 0
	for i, v := range items {
		text, err := r.str(v)
		if err != nil {
			return nil, err
		}
		parts[i] = text
		size += len(text)
	}
	if err := errors.Join(r.spendBytes(size), r.spendTimes(len(sep), len(items))); err != nil {
		return nil, err
	}
	return strings.Join(parts, sep), nil
}
