package report

import "github.com/ranksweep/ranksweep/sweep/report/prose"

// Term is a word with what it means.
type Term = prose.Term

// Glossary explains terms, each once.
type Glossary = prose.Glossary

// NewGlossary returns one that has explained nothing yet.
func NewGlossary() *Glossary { return prose.NewGlossary() }
