package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/report"
)

// jsonSchema is a JSON Schema, or a part of one.
type jsonSchema map[string]any

// schemaWriter turns types into JSON Schemas by the rules of encoding/json. Named structs become definitions.
type schemaWriter struct {
	defs jsonSchema
	docs map[string]typeDoc
}

// outputSchema describes what emit writes of a result that is of one of the types.
func outputSchema(what string, types []reflect.Type) (jsonSchema, error) {
	docs, err := typeDocs()
	if err != nil {
		return nil, err
	}
	w := schemaWriter{defs: jsonSchema{}, docs: docs}
	var forms []jsonSchema
	for _, t := range types {
		form := w.object(t)
		form["properties"].(jsonSchema)["schema"] = jsonSchema{"const": schemaName(what)}
		form["required"] = append([]string{"schema"}, form["required"].([]string)...)
		forms = append(forms, form)
	}
	s := forms[0]
	if len(forms) > 1 {
		s = jsonSchema{"oneOf": forms}
	}
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = schemaName(what)
	if len(w.defs) > 0 {
		s["$defs"] = w.defs
	}
	return s, nil
}

// of describes the JSON of a type's values.
func (w schemaWriter) of(t reflect.Type) jsonSchema {
	if s, ok := customSchema(t); ok {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(w.of(t.Elem()))
	case reflect.Struct:
		return w.definition(t)
	case reflect.Slice, reflect.Array:
		return jsonSchema{"type": "array", "items": w.of(t.Elem())}
	case reflect.Map:
		return jsonSchema{"type": "object", "additionalProperties": w.of(t.Elem())}
	case reflect.String:
		return w.oneOf(w.docs[typeName(t)].Values)
	case reflect.Bool:
		return jsonSchema{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return jsonSchema{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return jsonSchema{"type": "integer"}
	default:
		panic(fmt.Sprintf("no JSON Schema of %s", t)) // every result has one in the tests
	}
}

// customSchema describes types that write their JSON themselves.
func customSchema(t reflect.Type) (jsonSchema, bool) {
	number := jsonSchema{"type": "number"}
	text := jsonSchema{"type": "string"}
	switch t {
	case reflect.TypeFor[time.Time]():
		return jsonSchema{"type": "string", "format": "date-time"}, true
	case reflect.TypeFor[json.RawMessage]():
		return jsonSchema{}, true
	case reflect.TypeFor[report.Cell]():
		return jsonSchema{"type": "object", "additionalProperties": jsonSchema{"type": []string{"string", "number", "boolean"}}}, true
	case reflect.TypeFor[lora.Targets]():
		return jsonSchema{"anyOf": []jsonSchema{text, {"type": "array", "items": text}}}, true
	case reflect.TypeFor[lora.Patterns]():
		return jsonSchema{"type": "object", "additionalProperties": number}, true
	case reflect.TypeFor[shownMetrics]():
		names, properties := []string{"perplexity"}, jsonSchema{"perplexity": number}
		for _, m := range judgedMeasures() {
			names = append(names, m.Name)
			properties[m.Name] = nullable(number)
		}
		return jsonSchema{"type": "object", "properties": properties, "required": names}, true
	}
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		panic(fmt.Sprintf("%s writes its JSON itself; describe it here", t)) // every result has a schema in the tests
	}
	return nil, false
}

// nullable also admits null.
func nullable(s jsonSchema) jsonSchema {
	if name, ok := s["type"].(string); ok && s["enum"] == nil {
		s = maps.Clone(s)
		s["type"] = []string{name, "null"}
		return s
	}
	return jsonSchema{"anyOf": []jsonSchema{s, {"type": "null"}}}
}

// definition describes a struct: where it has a name by a reference to it, so that each is written once.
func (w schemaWriter) definition(t reflect.Type) jsonSchema {
	if t.Name() == "" {
		return w.object(t)
	}
	name := typeName(t)
	if _, known := w.defs[name]; !known {
		w.defs[name] = nil // it may hold itself
		w.defs[name] = w.object(t)
	}
	return jsonSchema{"$ref": "#/$defs/" + name}
}

// typeName is how schemas call a type.
func typeName(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[jsonSchema]().PkgPath() {
		return t.Name()
	}
	return path.Base(t.PkgPath()) + "." + t.Name()
}

// oneOf describes text that is one of some values; any text where there are none.
func (w schemaWriter) oneOf(values []string) jsonSchema {
	if len(values) == 0 {
		return jsonSchema{"type": "string"}
	}
	return jsonSchema{"type": "string", "enum": values}
}

// object describes a struct by its fields.
func (w schemaWriter) object(t reflect.Type) jsonSchema {
	properties, required := jsonSchema{}, []string{}
	for _, f := range jsonFields(t) {
		property := w.of(f.of)
		if f.values != "" {
			property = w.oneOf(w.listed(f.values))
		}
		if doc := w.docs[f.owner].Fields[f.goName]; doc != "" {
			property = maps.Clone(property)
			if rest, ok := strings.CutPrefix(doc, f.goName+" "); ok {
				doc = f.name + " " + rest
			}
			property["description"] = doc
		}
		properties[f.name] = property
		if !f.optional {
			required = append(required, f.name)
		}
	}
	s := jsonSchema{"type": "object", "properties": properties, "required": required}
	if doc := w.docs[typeName(t)].Doc; doc != "" {
		s["description"] = doc
	}
	return s
}

// listed are the values that a field's tag names: "plateau.State,interrupted" has those of the type, and one more.
func (w schemaWriter) listed(tag string) []string {
	var values []string
	for name := range strings.SplitSeq(tag, ",") {
		if of := w.docs[name].Values; len(of) > 0 {
			values = append(values, of...)
			continue
		}
		values = append(values, name)
	}
	return values
}

// jsonField is a struct's field as encoding/json sees it.
type jsonField struct {
	name     string
	of       reflect.Type
	goName   string
	owner    string // the struct that declares it
	values   string // its tag of that name
	optional bool   // left out where it is empty
	depth    int    // of structs embedded in each other
}

// jsonFields returns the fields of a struct and of those embedded in it. A field hides one of its name that lies deeper.
func jsonFields(t reflect.Type) []jsonField {
	var fields []jsonField
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch inner := f.Type; {
		case tag == "-":
		case f.Anonymous && name == "":
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			for _, deeper := range jsonFields(inner) {
				deeper.depth++
				deeper.optional = deeper.optional || f.Type.Kind() == reflect.Pointer
				fields = append(fields, deeper)
			}
		case f.IsExported():
			if name == "" {
				name = f.Name
			}
			fields = append(fields, jsonField{
				name: name, of: f.Type, goName: f.Name, owner: typeName(t), values: f.Tag.Get("values"), optional: strings.HasPrefix(options, "omit"),
			})
		}
	}
	return slices.DeleteFunc(slices.Clone(fields), func(f jsonField) bool {
		return slices.ContainsFunc(fields, func(other jsonField) bool { return other.name == f.name && other.depth < f.depth })
	})
}
