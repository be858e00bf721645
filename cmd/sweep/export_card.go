package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// baseName says how other programs find the base of an exported adapter.
type baseName struct {
	name      string // as the grid has it
	reference string // for adapter_config.json: a hub id or a path that works here
	load      string // what the card's snippet loads
	folder    string // of the export, as --to has it
	embedded  bool   // the export holds the base itself, which only this program has
}

// newBaseName takes the model as the grid has it where that works from here: a hub id, or a path. A path that is relative to
// another folder is made absolute, and a built-in model lies within the export.
func newBaseName(c chosenTrial, to string, r exportRequest) baseName {
	resolved := c.trial.Trial.Spec().Model
	b := baseName{name: resolved, reference: resolved, folder: r.to}
	if i := slices.IndexFunc(c.ladder.Cell, func(s sweep.Setting) bool { return s.Name == "model" }); i >= 0 {
		b.name = c.ladder.Cell[i].Value
	}
	if strings.HasPrefix(resolved, trial.BuiltinPrefix) {
		if !r.merged {
			b.embedded = true
			b.reference, b.load = filepath.Join(to, baseFolder), filepath.Join(r.to, baseFolder)
		}
		return b
	}
	if here, err := filepath.Abs("."); err == nil && trial.ResolveModel(here, b.name) == resolved {
		b.reference = b.name
	}
	b.load = b.reference
	return b
}

// fromGGUF reports whether the base is a GGUF file, whose tokenizer no exported folder holds.
func (e export) fromGGUF() bool { return strings.HasSuffix(e.base.load, trial.GGUFSuffix) }

// arguments are what from_pretrained takes to load the base: of a GGUF file its folder and its name.
func (b baseName) arguments() string {
	if strings.HasSuffix(b.load, trial.GGUFSuffix) {
		return fmt.Sprintf("%q, gguf_file=%q", filepath.Dir(b.load), filepath.Base(b.load))
	}
	return strconv.Quote(b.load)
}

// card writes the model card.
func (e export) card(w io.Writer) error {
	spec := e.chosen.trial.Trial.Spec()
	dir := filepath.Dir(e.sweep.GridPath)
	validation := names(dir, spec.Data.Validation)
	if spec.Data.ValidationSplit > 0 {
		validation = fmt.Sprintf("%g %% of the training documents", 100*spec.Data.ValidationSplit)
	}
	c := report.Card{
		Base: e.base.name, Merged: e.request.merged, Dtype: cmp.Or(e.request.dtype, "the base's number format"), Last: e.request.last,
		Snippet: e.snippet(), Grid: e.sweep.GridText, Versions: e.versions,
		Train: names(dir, spec.Data.Train), Validation: validation,
	}
	if e.base.embedded {
		c.Note = fmt.Sprintf("The base model is part of ranksweep; a copy of it lies in %s/, for other programs.", baseFolder)
	}
	switch {
	case e.fromGGUF() && !e.request.merged:
		c.Note = "The base is a GGUF file, which transformers reads with the package gguf (pip install gguf)."
	case e.fromGGUF():
		c.Note = fmt.Sprintf("The tokenizer is not in this folder but in the base's GGUF file: AutoTokenizer.from_pretrained(%s) reads it.",
			e.base.arguments())
	}
	c.Note = strings.TrimSpace(c.Note + " " + e.quantisedNote())
	return e.chosen.report.Card(w, e.chosen.ladder, e.chosen.trial.Trial.ID, c)
}

// fullCard writes the model card of weights that trained without an adapter.
func (e export) fullCard(w io.Writer) error {
	t, l := e.chosen.trial, e.chosen.ladder
	base, err := json.Marshal(e.base.name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `---
base_model: %s
library_name: transformers
pipeline_tag: text-generation
tags:
- ranksweep
---

# %s: full fine-tuning

%s with the weights of %s trained in full, by ranksweep, as the reference of a ladder of LoRA ranks. Trial %s, seed %d: val_loss %s
nats per token. Over its seeds, %s

%s

## How to load it

`+"```python\n%s\n```\n", base, e.sweep.Name, e.base.name, t.Trial.Spec().LoRA.TargetModules, t.Trial.ID, t.Trial.Seed,
		formatMeasured(t.Final().ValLoss), l.Reference.Sentence(l), e.chosen.report.Recommendation.Summary, e.snippet())
	return err
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

// quantisedNote says what the adapter was trained on where that is not the base as other programs load it.
func (e export) quantisedNote() string {
	quantised := map[string]string{
		trial.DtypeNF4:  "NF4 in blocks of 64 (bitsandbytes: load_in_4bit with bnb_4bit_quant_type nf4)",
		trial.DtypeINT8: "int8 in blocks of 64 with one scale each",
	}[e.chosen.trial.Trial.Spec().Train.Dtype]
	switch {
	case quantised == "":
		return ""
	case e.request.merged:
		return "The adapter was trained on the linear modules of the base's blocks in " + quantised + ", and is merged into these values."
	}
	return "While the adapter was trained, the linear modules of the base's blocks were in " + quantised + ", and the losses are of that base."
}

// snippet is the Python that loads the export.
func (e export) snippet() string {
	dtype := e.chosen.trial.Trial.Spec().Train.Computes()
	if e.request.merged {
		return fmt.Sprintf(`import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(%q, dtype=torch.%s)`, e.base.folder, dtype)
	}
	return fmt.Sprintf(`import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained(%s, dtype=torch.%s)
model = PeftModel.from_pretrained(base, %q)`, e.base.arguments(), dtype, e.base.folder)
}
