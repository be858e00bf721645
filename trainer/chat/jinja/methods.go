package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// method returns a method of a value, or nil. Those that would change it are refused, as in transformers' sandbox.
func method(v any, name string) *function {
	var f func(*run, arguments) (any, error)
	switch v := v.(type) {
	case string:
		f = stringMethod(v, name)
	case *Dict:
		f = dictMethod(v, name)
	case []any:
		f = listMethod(v, name, "append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear")
	case tuple:
		f = listMethod(v, name)
	}
	if f == nil {
		return nil
	}
	return &function{name: name, call: f}
}

func changes(*run, arguments) (any, error) {
	return nil, errors.New("a template may not change a value: only attributes of a namespace can be set")
}

func dictMethod(d *Dict, name string) func(*run, arguments) (any, error) {
	switch name {
	case "items":
		return listed(len(d.keys), func() any { return view(d.items()) })
	case "keys":
		return listed(len(d.keys), func() any { return view(slices.Clone(d.keys)) })
	case "values":
		return listed(len(d.keys), func() any {
			out := make(view, len(d.keys))
			for i, key := range d.keys {
				out[i] = d.values[hashKey(key)]
			}
			return out
		})
	case "copy":
		return listed(len(d.keys), func() any { return d })
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
	}
	return nil
}

// listed is a method without arguments that makes n items.
func listed(n int, f func() any) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		if _, err := args.bind(); err != nil {
			return nil, err
		}
		if err := r.spend(2 * n); err != nil {
			return nil, err
		}
		return f(), nil
	}
}

func listMethod(list []any, name string, changing ...string) func(*run, arguments) (any, error) {
	if slices.Contains(changing, name) {
		return changes
	}
	switch name {
	case "copy":
		return listed(0, func() any { return list })
	case "index", "count":
		return func(r *run, args arguments) (any, error) {
			values, err := args.bind("value")
			if err != nil {
				return nil, err
			}
			count := int64(0)
			for i, item := range list {
				same, err := r.equal(item, values[0])
				if err != nil {
					return nil, err
				}
				if same && name == "index" {
					return int64(i), nil
				}
				count += toInt(same)
			}
			if name == "index" {
				return nil, errors.New("the list has no such item")
			}
			return count, nil
		}
	}
	return nil
}

func stringMethod(s, name string) func(*run, arguments) (any, error) {
	switch name {
	case "strip", "lstrip", "rstrip":
		return stripMethod(s, name)
	case "split", "rsplit":
		return splitMethod(s, name == "rsplit")
	case "startswith", "endswith":
		return affixMethod(s, name)
	case "removeprefix", "removesuffix":
		return textMethod(s, 1, func(args []string) any {
			if name == "removeprefix" {
				return strings.TrimPrefix(s, args[0])
			}
			return strings.TrimSuffix(s, args[0])
		})
	case "partition", "rpartition":
		return partitionMethod(s, name == "rpartition")
	case "find", "rfind", "index", "rindex":
		return findMethod(s, name)
	case "replace":
		return replaceMethod(s)
	case "join":
		return func(r *run, args arguments) (any, error) {
			values, err := args.bind("items")
			if err != nil {
				return nil, err
			}
			return r.joinStrings(s, values[0], false)
		}
	case "count":
		return textMethod(s, 1, func(args []string) any { return int64(strings.Count(s, args[0])) })
	case "splitlines":
		return textMethod(s, 0, func([]string) any { return strs(splitLines(s)) })
	}
	if f := caseMethod(s, name); f != nil {
		return textMethod(s, 0, func([]string) any { return f() })
	}
	if slices.Contains([]string{
		"capitalize", "casefold", "center", "encode", "expandtabs", "format", "format_map", "isascii", "isidentifier", "isprintable",
		"istitle", "ljust", "maketrans", "rjust", "swapcase", "translate", "zfill",
	}, name) {
		return func(*run, arguments) (any, error) { return nil, errors.New("this method of a str is not supported") }
	}
	return nil
}

// caseMethod is the methods without arguments.
func caseMethod(s, name string) func() any {
	every := func(f func(rune) bool) func() any {
		return func() any { return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !f(r) }) }
	}
	switch name {
	case "upper":
		return func() any { return upper(s) }
	case "lower":
		return func() any { return lower(s) }
	case "capitalize":
		return func() any { return capitalize(s) }
	case "title":
		return func() any { return titleWords(s) }
	case "isspace":
		return every(isSpace)
	case "isalpha":
		return every(unicode.IsLetter)
	case "isdigit", "isdecimal":
		return every(unicode.IsDigit)
	case "isnumeric":
		return every(unicode.IsNumber)
	case "isalnum":
		return every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
	case "isupper", "islower":
		return func() any { return cased(s, name == "isupper") }
	}
	return nil
}

func upper(s string) string { return cases.Upper(language.Und).String(s) }
func lower(s string) string { return cases.Lower(language.Und).String(s) }

func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return title(s[:n]) + lower(s[n:])
}

// title is one character's title case.
func title(s string) string { return cases.Title(language.Und, cases.NoLower).String(s) }

// titleWords is Python's str.title: every letter that follows none is in title case, the others in lower case.
func titleWords(s string) string {
	var b strings.Builder
	for s != "" {
		word := strings.IndexFunc(s, unicode.IsLetter)
		if word < 0 {
			word = len(s)
		}
		b.WriteString(s[:word])
		s = s[word:]
		end := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
		if end < 0 {
			end = len(s)
		}
		b.WriteString(capitalize(s[:end]))
		s = s[end:]
	}
	return b.String()
}

// textMethod wraps a method that takes n strings and makes no more than a few times the length of s.
func textMethod(s string, n int, f func([]string) any) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		if len(args.positional) != n || len(args.named) > 0 {
			return nil, fmt.Errorf("takes %d arguments here", n)
		}
		texts := make([]string, n)
		for i, v := range args.positional {
			var ok bool
			if texts[i], ok = v.(string); !ok {
				return nil, fmt.Errorf("needs a str, not a %s", typeName(v))
			}
		}
		if err := r.spend(len(s)); err != nil {
			return nil, err
		}
		return f(texts), nil
	}
}

func strs(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// trim is str.strip: white space, or the characters of chars.
func trim(s, name string, chars any) (string, error) {
	in := isSpace
	switch c := chars.(type) {
	case string:
		in = func(r rune) bool { return strings.ContainsRune(c, r) }
	case nil, missing:
	default:
		return "", fmt.Errorf("needs a str, not a %s", typeName(chars))
	}
	if name != "rstrip" {
		s = strings.TrimLeftFunc(s, in)
	}
	if name != "lstrip" {
		s = strings.TrimRightFunc(s, in)
	}
	return s, nil
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

// splitBy splits at most so many times; a negative number is no bound.
func splitBy(s, sep string, most int, fromRight bool) []string {
	if most < 0 {
		return strings.Split(s, sep)
	}
	if !fromRight {
		return strings.SplitN(s, sep, most+1)
	}
	var out []string
	for range most {
		at := strings.LastIndex(s, sep)
		if at < 0 {
			break
		}
		out = append(out, s[at+len(sep):])
		s = s[:at]
	}
	out = append(out, s)
	slices.Reverse(out)
	return out
}

func splitWords(s string, most int, fromRight bool) []string {
	if most < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	trimNear, find := strings.TrimLeftFunc, strings.IndexFunc
	if fromRight {
		trimNear, find = strings.TrimRightFunc, strings.LastIndexFunc
	}
	var out []string
	for s = trimNear(s, isSpace); s != ""; s = trimNear(s, isSpace) {
		at := find(s, isSpace)
		if at < 0 || len(out) == most { // the rest keeps its white space
			out = append(out, s)
			break
		}
		if fromRight {
			_, size := utf8.DecodeRuneInString(s[at:])
			out, s = append(out, s[at+size:]), s[:at]
		} else {
			out, s = append(out, s[:at]), s[at:]
		}
	}
	if fromRight {
		slices.Reverse(out)
	}
	return out
}

// splitLines is str.splitlines.
func splitLines(s string) []string {
	var out []string
	for s != "" {
		at := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if at < 0 {
			return append(out, s)
		}
		out = append(out, s[:at])
		_, size := utf8.DecodeRuneInString(s[at:])
		if strings.HasPrefix(s[at:], "\r\n") {
			size = 2
		}
		s = s[at+size:]
	}
	return out
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

func partitionMethod(s string, fromRight bool) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		values, err := args.bind("sep")
		if err != nil {
			return nil, err
		}
		sep, ok := values[0].(string)
		if !ok || sep == "" {
			return nil, errors.New("needs a separator")
		}
		at := strings.Index(s, sep)
		if fromRight {
			at = strings.LastIndex(s, sep)
		}
		if err := r.spendBytes(len(s)); err != nil {
			return nil, err
		}
		switch {
		case at >= 0:
			return tuple{s[:at], sep, s[at+len(sep):]}, nil
		case fromRight:
			return tuple{"", "", s}, nil
		}
		return tuple{s, "", ""}, nil
	}
}

func findMethod(s, name string) func(*run, arguments) (any, error) {
	return func(r *run, args arguments) (any, error) {
		values, err := args.bind("text")
		if err != nil {
			return nil, err
		}
		text, ok := values[0].(string)
		if !ok {
			return nil, fmt.Errorf("needs a str, not a %s", typeName(values[0]))
		}
		at := strings.Index(s, text)
		if name[0] == 'r' {
			at = strings.LastIndex(s, text)
		}
		if err := r.spendBytes(len(s)); err != nil {
			return nil, err
		}
		if at < 0 && strings.HasSuffix(name, "index") {
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

// joinStrings is sep.join(items); convert takes any value, as the filter does.
func (r *run) joinStrings(sep string, of any, convert bool) (any, error) {
	items, err := r.iterate(of)
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(items))
	size := 0
	for i, v := range items {
		text, ok := v.(string)
		if !ok && !convert {
			return nil, fmt.Errorf("needs str, not %s", typeName(v))
		}
		if !ok {
			if text, err = r.str(v); err != nil {
				return nil, err
			}
		}
		parts[i] = text
		size += len(text)
	}
	if err := errors.Join(r.spendBytes(size), r.spendTimes(len(sep), len(items))); err != nil {
		return nil, err
	}
	return strings.Join(parts, sep), nil
}
