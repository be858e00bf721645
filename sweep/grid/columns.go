package grid

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// columnForms are the columns that rows are made of, by form: those of two forms cannot be named together.
func columnForms() [][]string {
	return [][]string{{"text"}, {"messages"}, {"prompt", "completion"}, {"instruction", "input", "output", "system"}}
}

// columnsKey is data.columns, a mapping from the names here to those in the files.
func columnsKey() key {
	const path = "data.columns"
	field := func(g *Grid) *map[string]string { return &g.data.Columns }
	var forms []schemaObject
	for _, names := range columnForms() {
		form := objectSchema("")
		for _, name := range names {
			properties(form)[name] = textCodec("").schema
		}
		form["minProperties"] = 1
		forms = append(forms, form)
	}
	return key{
		path: path, schema: schemaObject{"anyOf": forms},
		doc: "Names of the columns in the files, where they are not those here, as {prompt: question, completion: answer}: text; messages; " +
			"prompt and completion, joined as they are; or instruction, input, output and system, which become a chat, or Alpaca's prompt for " +
			"a model without a chat template.",
		read: func(r *reader, n ast.Node) { *field(&r.grid) = readColumns(r, path, n) },
		text: func(g *Grid) string {
			columns := *field(g)
			var parts []string
			for _, name := range slices.Sorted(maps.Keys(columns)) {
				parts = append(parts, name+": "+lora.QuoteText(columns[name]))
			}
			if parts == nil {
				return ""
			}
			return "{" + strings.Join(parts, ", ") + "}"
		},
	}
}

func readColumns(r *reader, path string, n ast.Node) map[string]string {
	m, ok := n.(*ast.MappingNode)
	if !ok || len(m.Values) == 0 {
		r.fail(n, "%s: got %s, want a mapping from names here to columns of the files, such as {prompt: question, completion: answer}", path,
			describe(n))
		return nil
	}
	names, columns := slices.Concat(columnForms()...), map[string]string{}
	for _, entry := range m.Values {
		name, ok := keyName(entry.Key)
		if !ok || !slices.Contains(names, name) {
			meant := ""
			if best, near := Nearest(name, names); near {
				meant = "; did you mean " + best + "?"
			}
			r.fail(entry.Key, "%s: no column %s here%s (there are %s; the name in the files comes second)", path, name, meant,
				strings.Join(names, ", "))
			continue
		}
		if columns[name] != "" {
			r.fail(entry.Key, "%s: %s is repeated; remove one", path, name)
			continue
		}
		if v, ok := textCodec("the name of a column").value(r, path+"."+name, entry.Value); ok {
			columns[name] = v
		}
	}
	r.oneForm(path, n, columns)
	return columns
}

// oneForm refuses columns of two forms.
func (r *reader) oneForm(path string, n ast.Node, columns map[string]string) {
	var found []string
	for _, form := range columnForms() {
		if i := slices.IndexFunc(form, func(name string) bool { return columns[name] != "" }); i >= 0 {
			found = append(found, form[i])
		}
	}
	if len(found) > 1 {
		r.fail(n, "%s: %s and %s belong to two forms of rows; name the columns of one", path, found[0], found[1])
	}
}

// longRowsCodec reads what becomes of long rows; cut, the default, is empty in a trial's spec.
func longRowsCodec() codec[string] {
	c := choiceCodec(trial.LongRowsCut, trial.LongRowsDrop, trial.LongRowsError)
	read, format := c.read, c.format
	c.read = func(n ast.Node) (string, bool) {
		v, ok := read(n)
		if v == trial.LongRowsCut {
			v = ""
		}
		return v, ok
	}
	c.format = func(v string) string {
		if v == "" {
			v = trial.LongRowsCut
		}
		return format(v)
	}
	return c
}
