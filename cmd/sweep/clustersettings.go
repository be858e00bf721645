package main

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// clusterSections are the sections of settings files that are no global flags, each of an executor.
var clusterSections = []string{"slurm", "ray"} //nolint:gochecknoglobals // a constant list

// sectionFile is a settings file with its sections: of a user (the settings file) or of a sweep (--cluster).
type sectionFile struct {
	path     string
	text     []byte
	sections map[string]*ast.MappingNode
	others   []*ast.MappingValueNode // top-level keys that are no section
}

// mostSettings bounds a settings file, far above what a person writes.
const mostSettings = 64 << 10

func readSettings(path string) ([]byte, error) {
	text, err := trial.ReadInput(path, mostSettings)
	if err != nil {
		return nil, usagef("settings file: %w", err)
	}
	return text, nil
}

// readSections reads a settings file.
func readSections(path string) (sectionFile, error) {
	text, err := readSettings(path)
	if err != nil {
		return sectionFile{}, err
	}
	return parseSections(path, text)
}

func parseSections(path string, text []byte) (sectionFile, error) {
	f := sectionFile{path: path, text: text, sections: map[string]*ast.MappingNode{}}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return f, usagef("settings file %s:%s", path, placedYAMLError(err))
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		root, err := mapping(doc.Body)
		if err != nil {
			return f, usagef("settings file %s:%w", path, err)
		}
		for _, pair := range root.Values {
			name := pair.Key.String()
			if !slices.Contains(clusterSections, name) {
				f.others = append(f.others, pair)
				continue
			}
			if _, isNull := pair.Value.(*ast.NullNode); isNull {
				continue
			}
			if f.sections[name], err = mapping(pair.Value); err != nil {
				return f, usagef("settings file %s:%w", path, err)
			}
		}
	}
	return f, nil
}

// mapping is a node of keys and values; of one pair alone the parser makes no mapping.
func mapping(n ast.Node) (*ast.MappingNode, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n, nil
	case *ast.MappingValueNode:
		return &ast.MappingNode{Values: []*ast.MappingValueNode{n}}, nil
	}
	return nil, fmt.Errorf("%s: want keys with values", place(n))
}

// place is a node's line and column.
func place(n ast.Node) string {
	p := n.GetToken().Position
	return fmt.Sprintf("%d:%d", p.Line, p.Column)
}

// decode writes a section's values over those of a struct whose fields are tagged with the keys' names. An unknown key, and a value of
// another kind, is an error with its place.
func (f sectionFile) decode(section string, into any) error {
	node := f.sections[section]
	if node == nil {
		return nil
	}
	fields := map[string]reflect.Value{}
	v := reflect.ValueOf(into).Elem()
	for field, value := range v.Fields() {
		fields[settingName(field)] = value
	}
	var errs []error
	fail := func(n ast.Node, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%s: "+format, append([]any{f.path, place(n)}, args...)...))
	}
	for _, pair := range node.Values {
		name := pair.Key.String()
		field, known := fields[name]
		switch {
		case !known:
			fail(pair.Key, "unknown key %s of %s%s; sweep help cluster lists the keys", name, section, meantKey(name, fields))
		default:
			if err := yaml.NodeToValue(pair.Value, field.Addr().Interface(), yaml.Strict()); err != nil {
				fail(pair.Value, "%s.%s: %s", section, name, unlike(pair.Value, field, err))
			}
		}
	}
	if len(errs) > 0 {
		return usagef("%w", errors.Join(errs...))
	}
	return nil
}

// unlike says how a value is none of a field's kind. A field that reads its own text says it best.
func unlike(n ast.Node, field reflect.Value, err error) string {
	if _, reads := reflect.TypeAssert[encoding.TextUnmarshaler](field.Addr()); reads {
		return plainYAMLError(err)
	}
	want := map[reflect.Type]string{
		reflect.TypeFor[time.Duration](): "a time with its unit, such as 90m or 12h",
		reflect.TypeFor[int]():           "a whole number",
		reflect.TypeFor[float64]():       "a number",
		reflect.TypeFor[string]():        "one text",
		reflect.TypeFor[[]string]():      "a list of texts, such as [a, b]",
	}[field.Type()]
	if want == "" {
		return plainYAMLError(err)
	}
	return fmt.Sprintf("got %s, want %s", strings.Join(strings.Fields(n.String()), " "), want)
}

// checked is what an executor finds wrong with its settings, line by line with the files that say them.
func checked(section string, sources []sectionFile, err error) error {
	if err == nil {
		return nil
	}
	var files []string
	for _, f := range sources {
		if f.sections[section] != nil {
			files = append(files, f.path)
		}
	}
	at := ""
	if len(files) > 0 {
		at = strings.Join(files, " and ") + ": "
	}
	return usagef("%s%s", at, strings.ReplaceAll(err.Error(), "\n", "\n"+at))
}

// placesOf are where settings of a section are said, or where they could be.
func placesOf(section string, sources []sectionFile, keys []string) string {
	var said, unsaid []string
	for _, key := range keys {
		at := ""
		for _, f := range sources {
			if node := f.sections[section]; node != nil {
				for _, pair := range node.Values {
					if pair.Key.String() == key {
						at = f.path + ":" + place(pair.Value)
					}
				}
			}
		}
		if at == "" {
			unsaid = append(unsaid, section+"."+key)
			continue
		}
		said = append(said, fmt.Sprintf("%s.%s (%s)", section, key, at))
	}
	switch {
	case len(said) > 0:
		return strings.Join(said, " or ")
	case len(unsaid) > 0:
		return strings.Join(unsaid, " or ") + ", which nothing says yet"
	}
	return "the settings of " + section
}

// settingName is the key of a field.
func settingName(f reflect.StructField) string {
	for _, tag := range []string{"mapstructure", "yaml"} {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" {
			return name
		}
	}
	return strings.ToLower(f.Name)
}

func meantKey(name string, fields map[string]reflect.Value) string {
	var names []string
	for known := range fields {
		names = append(names, known)
	}
	slices.Sort(names)
	if meant, ok := grid.Nearest(name, names); ok {
		return "; did you mean " + meant + "?"
	}
	return ""
}

// placedYAMLError is a parser's error as LINE:COLUMN: TEXT.
func placedYAMLError(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(yaml.FormatError(err, false, false)), "\n")
	if at, text, ok := strings.Cut(strings.TrimPrefix(line, "["), "] "); ok {
		return at + ": " + text
	}
	return " " + line
}

// plainYAMLError is a decoder's error without the place in the part that it saw, and the excerpt.
func plainYAMLError(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(yaml.FormatError(err, false, false)), "\n")
	if _, after, ok := strings.Cut(line, "] "); ok && strings.HasPrefix(line, "[") {
		return after
	}
	return line
}

// onlySections refuses keys beside the sections.
func (f sectionFile) onlySections() error {
	if len(f.others) == 0 {
		return nil
	}
	name := f.others[0].Key.String()
	hint := "its keys are " + strings.Join(clusterSections, " and ") + ", with an executor's settings below"
	if meant, ok := grid.Nearest(name, clusterSections); ok {
		hint = "did you mean " + meant + "?"
	}
	return usagef("%s:%s: unknown key %s; %s", f.path, place(f.others[0].Key), name, hint)
}

// configPath is the user's settings file: the named one, else the usual one; empty where there is none.
func configPath(config string) string {
	if config != "" {
		return config
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "" // no home directory means no usual settings file
	}
	config = filepath.Join(dir, "sweep", "config.yaml")
	if _, err := os.Stat(config); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return config
}
