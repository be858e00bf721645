package main

import (
	"encoding/json"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

const module = "github.com/ranksweep/ranksweep/"

// TestSchemaDocs holds schemadocs.json to the sources: comments of the types and fields of outputs, and the constants of string types.
func TestSchemaDocs(t *testing.T) {
	t.Parallel()
	types := map[string]reflect.Type{}
	for _, of := range outputTypes() {
		for _, output := range of {
			gather(output, types)
		}
	}
	for _, of := range []reflect.Type{ // that fields name by their tag
		reflect.TypeFor[plateau.State](), reflect.TypeFor[sweep.TrialState](), reflect.TypeFor[trial.OutcomeState](),
	} {
		types[typeName(of)] = of
	}
	sources, got := map[string]*doc.Package{}, map[string]typeDoc{}
	for name, of := range types {
		pkg, ok := sources[of.PkgPath()]
		if !ok {
			pkg = source(t, of.PkgPath())
			sources[of.PkgPath()] = pkg
		}
		if d := docOf(t, pkg, of); d.Doc != "" || len(d.Fields)+len(d.Values) > 0 {
			got[name] = d
		}
	}
	if *update {
		body, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("schemadocs.json", append(body, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := typeDocs()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("schemadocs.json differs from the sources (-want +got), rewrite it with -update, and then the schemas:\n%s", diff)
	}
}

// gather collects the named types of this module that a type's JSON is made of.
func gather(t reflect.Type, into map[string]reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	ours := strings.HasPrefix(t.PkgPath(), module) || t.PkgPath() == "main"
	if !ours || into[typeName(t)] != nil || t == reflect.TypeFor[time.Time]() {
		return
	}
	if t.Name() != "" {
		into[typeName(t)] = t
	}
	if t.Kind() == reflect.Struct {
		for f := range t.Fields() {
			if f.IsExported() || f.Anonymous {
				gather(f.Type, into)
			}
		}
	}
}

// source reads the sources of a package.
func source(t *testing.T, path string) *doc.Package {
	t.Helper()
	dir := "."
	if rest, ok := strings.CutPrefix(path, module); ok && rest != "cmd/sweep" {
		dir = fromTop(rest)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(set, files, path, doc.AllDecls)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

// docOf is what the sources say of a type.
func docOf(t *testing.T, pkg *doc.Package, of reflect.Type) typeDoc {
	t.Helper()
	var d typeDoc
	for _, declared := range pkg.Types {
		if declared.Name != of.Name() {
			continue
		}
		d.Doc = oneLine(declared.Doc)
		if fields, ok := declared.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType); ok {
			d.Fields = map[string]string{}
			for _, f := range fields.Fields.List {
				text := oneLine(f.Doc.Text() + " " + f.Comment.Text())
				for _, name := range f.Names {
					if text != "" && name.IsExported() {
						d.Fields[name.Name] = text
					}
				}
			}
		}
		if of.Kind() == reflect.String {
			for _, block := range declared.Consts {
				d.Values = append(d.Values, constants(t, block, of.Name())...)
			}
		}
	}
	return d
}

// constants are the values of a block that are of a type.
func constants(t *testing.T, block *doc.Value, of string) []string {
	t.Helper()
	var values []string
	for _, spec := range block.Decl.Specs {
		v := spec.(*ast.ValueSpec)
		if name, ok := v.Type.(*ast.Ident); !ok || name.Name != of {
			continue
		}
		for _, value := range v.Values {
			text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, text)
		}
	}
	return values
}

// oneLine writes a comment as a description: JSON calls nil null.
func oneLine(text string) string {
	return regexp.MustCompile(`\bnil\b`).ReplaceAllString(strings.Join(strings.Fields(text), " "), "null")
}
