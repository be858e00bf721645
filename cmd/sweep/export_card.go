package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
)

// baseName says how other programs find the base of an exported adapter.
type baseName struct {
	name      string // as the grid has it
	reference string // for adapter_config.json: a hub id or a path that works here
	load      string // what the card's snippet loads
	folder    string // of the export, as --to has it
	embedded  bool   // the export holds the base itself
}

// newBaseName takes the model as the grid has it where that works from here: a hub id, or a path. A path that is relative to
// another folder is made absolute, and a built-in model lies within the export.
func newBaseName(info sweep.Info, c chosenTrial, to, folder string) baseName {
	resolved := c.trial.Trial.Spec.Model
	b := baseName{name: resolved, reference: resolved, folder: folder}
	if i := slices.IndexFunc(c.ladder.Cell, func(s sweep.Setting) bool { return s.Name == "model" }); i >= 0 {
		b.name = c.ladder.Cell[i].Value
	}
	if strings.HasPrefix(resolved, "builtin:") {
		b.embedded = true
		b.reference, b.load = filepath.Join(to, baseFolder), filepath.Join(folder, baseFolder)
		return b
	}
	if here, err := filepath.Abs("."); err == nil && sweep.ResolveModel(here, b.name) == resolved {
		b.reference = b.name
	}
	b.load = b.reference
	return b
}

// card writes the model card.
func (e export) card(w io.Writer) error {
	spec := e.chosen.trial.Trial.Spec
	dir := filepath.Dir(e.sweep.GridPath)
	validation := names(dir, spec.Data.Validation)
	if spec.Data.ValidationSplit > 0 {
		validation = fmt.Sprintf("%g %% of the training documents", 100*spec.Data.ValidationSplit)
	}
	c := report.Card{
		Base: e.base.name, Last: e.request.last, Snippet: e.snippet(), Grid: e.sweep.GridText, Versions: e.versions,
		Train: names(dir, spec.Data.Train), Validation: validation,
	}
	if e.base.embedded {
		c.Note = fmt.Sprintf("The base model is part of ranksweep; a copy of it lies in %s/, for other programs.", baseFolder)
	}
	return e.chosen.report.Card(w, e.chosen.ladder, e.chosen.trial.Trial.ID, c)
}

// names lists data as a grid in dir names it.
func names(dir string, paths []string) string {
	var all []string
	for _, p := range paths {
		if relative, err := filepath.Rel(dir, p); err == nil && filepath.IsAbs(p) && filepath.IsLocal(relative) {
			p = relative
		}
		all = append(all, p)
	}
	return strings.Join(all, ", ")
}

// snippet is the Python that loads the export.
func (e export) snippet() string {
	dtype := "float32"
	if d := e.chosen.trial.Trial.Spec.Train.Dtype; d != "" {
		dtype = d
	}
	return fmt.Sprintf(`import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained(%q, dtype=torch.%s)
model = PeftModel.from_pretrained(base, %q)`, e.base.load, dtype, e.base.folder)
}
