package records

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// The built-in data sets: builtin:go-code and builtin:go-doc.
const (
	goCode = "go-code" // the standard library's source code, comments left out
	goDoc  = "go-doc"  // the prose of its doc comments
)

// goLimit is how many bytes of text a built-in data set has at most, so that preparing one takes seconds whatever the
// distribution. Go 1.26 has 9.6 MB of code and 3.4 MB of prose: 1.2 s and 1.0 s on one core, tokenising included.
const goLimit = 16 << 20

// goCorpus is one built-in data set: the source files of the standard library in a fixed, well-mixed order.
type goCorpus struct {
	set   string
	root  string
	files []goFile
	size  int64 // bytes of source
	key   string
}

// openGoCorpus lists the files. The key is made of the distribution's version and the names and sizes of the files, so that
// telling whether a cache is still good needs no parsing.
func openGoCorpus(set, root string) (goCorpus, error) {
	version, err := trial.ReadInput(filepath.Join(root, "VERSION"), trial.MostJSON)
	if err != nil {
		return goCorpus{}, fmt.Errorf("read the Go distribution's version: %w", err)
	}
	files, err := goFiles(root)
	if err != nil {
		return goCorpus{}, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s 1\n%s\n", set, version) // the number counts the releases whose text differs
	var size int64
	for _, f := range files {
		fmt.Fprintf(h, "%s %d\n", f.name, f.size)
		size += f.size
	}
	slices.SortFunc(files, func(a, b goFile) int {
		x, y := sha256.Sum256([]byte(a.name)), sha256.Sum256([]byte(b.name))
		return cmp.Or(slices.Compare(x[:], y[:]), strings.Compare(a.name, b.name))
	})
	return goCorpus{set: set, root: root, files: files, size: size, key: hex.EncodeToString(h.Sum(nil))}, nil
}

// documents yields the text of one source file after another, up to the set's limit.
func (c goCorpus) documents(ctx context.Context) iter.Seq2[Document, error] {
	extract := codeOf
	if c.set == goDoc {
		extract = proseOf
	}
	return func(yield func(Document, error) bool) {
		var text, read int64 // bytes yielded; bytes of source since the last document
		for _, f := range c.files {
			if err := ctx.Err(); err != nil {
				yield(Document{}, err)
				return
			}
			path := filepath.Join(c.root, "src", filepath.FromSlash(f.name))
			body, err := trial.ReadInput(path, trial.MostJSON)
			if err != nil {
				yield(Document{}, fmt.Errorf("read %s%s: %w", trial.BuiltinPrefix, c.set, err))
				return
			}
			doc := Document{Place: path}
			if !generated(body) {
				doc.Text, err = extract(path, body)
			}
			if err != nil {
				yield(Document{}, fmt.Errorf("read %s%s: %w", trial.BuiltinPrefix, c.set, err))
				return
			}
			read += f.size
			if doc.Text == "" {
				continue
			}
			text += int64(len(doc.Text))
			doc.Size, read = read, 0
			if !yield(doc, nil) || text >= goLimit {
				return
			}
		}
	}
}

// generated reports whether a source file says that a program wrote it: tables, not language.
func generated(body []byte) bool {
	head := string(body[:min(len(body), 4096)])
	at := strings.Index(head, "// Code generated ")
	if at < 0 || at > 0 && head[at-1] != '\n' {
		return false
	}
	line, _, _ := strings.Cut(head[at:], "\n")
	return strings.HasSuffix(strings.TrimRight(line, "\r"), "DO NOT EDIT.")
}

// codeOf returns a source file without its comments, so that code and prose are two domains, and without the lines that
// this leaves empty.
func codeOf(path string, body []byte) (string, error) {
	var s scanner.Scanner
	files := token.NewFileSet()
	file := files.AddFile(path, files.Base(), len(body))
	s.Init(file, body, nil, scanner.ScanComments)
	var kept strings.Builder
	from := 0
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok != token.COMMENT {
			continue
		}
		at := file.Offset(pos)
		kept.Write(body[from:at])
		from = at + len(literal)
	}
	if s.ErrorCount > 0 {
		return "", fmt.Errorf("%s: not Go", path)
	}
	kept.Write(body[from:])
	return squeeze(kept.String()), nil
}

// squeeze cuts white space from the ends of lines, and all but one of several empty lines.
func squeeze(text string) string {
	var out strings.Builder
	empty := true
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" && empty {
			continue
		}
		empty = line == ""
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return out.String()
}

// proseOf returns the doc comments of a source file, without the indented lines (examples and lists), a paragraph apart.
func proseOf(path string, body []byte) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, body, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	ast.Inspect(file, func(n ast.Node) bool {
		if text := prose(docOf(n)); text != "" {
			out.WriteString(text)
			out.WriteByte('\n')
		}
		_, body := n.(*ast.BlockStmt)
		return !body
	})
	return out.String(), nil
}

func docOf(n ast.Node) *ast.CommentGroup {
	switch n := n.(type) {
	case *ast.File:
		return n.Doc
	case *ast.GenDecl:
		return n.Doc
	case *ast.FuncDecl:
		return n.Doc
	case *ast.TypeSpec:
		return n.Doc
	case *ast.ValueSpec:
		return n.Doc
	case *ast.Field:
		return n.Doc
	}
	return nil
}

func prose(doc *ast.CommentGroup) string {
	var out strings.Builder
	for line := range strings.Lines(doc.Text()) {
		if !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, " ") {
			out.WriteString(line)
		}
	}
	return squeeze(strings.TrimRight(out.String(), "\n"))
}
