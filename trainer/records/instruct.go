package records

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/chat"
)

// instruction is a row that asks for something and has the answer: Alpaca's instruction, input and output (tatsu-lab/stanford_alpaca),
// and other pairs of names. prompt with completion is none, for TRL joins these two as they are.
type instruction struct {
	system  string
	history [][2]string // earlier instructions with their outputs (LLaMA-Factory)
	ask     string
	input   string // what the instruction is about
	output  string
}

// The names of an instruction's columns, the wanted one first. system_prompt is OpenOrca's, context Dolly's.
func askNames() []string {
	return []string{"instruction", "question", "prompt", "query", "problem", "user", "human"}
}

func inputNames() []string { return []string{"input", "context"} }

func outputNames() []string {
	return []string{"output", "response", "completion", "answer", "solution", "assistant"}
}

func systemNames() []string { return []string{"system", "system_prompt"} }

// isOptional reports whether a column that data.columns names may be missing in a row.
func isOptional(name string) bool { return name == "input" || name == "system" }

// Groups of columns that make a form, for data.columns.
func formGroups() [][]string {
	return [][]string{
		{"text"},
		{"messages", "tools", "chat_template_kwargs"},
		{"prompt", "completion", "tools", "chat_template_kwargs"},
		{"instruction", "input", "output", "system", "history"},
	}
}

// formColumns are all columns that are read, or that say what a row is.
func formColumns() []string {
	return slices.Concat([]string{"text", "messages", "conversations", "conversation", "input_ids", "history", "label", "kto_tag"},
		askNames(), inputNames(), outputNames(), systemNames(), refusedColumns())
}

// otherForms returns the columns that would make another form than those that are named.
func otherForms(named map[string]string) []string {
	for _, group := range formGroups() {
		for name := range named {
			if slices.Contains(group, name) && name != "system" && name != "input" {
				return slices.DeleteFunc(formColumns(), func(column string) bool { return slices.Contains(group, column) })
			}
		}
	}
	return nil
}

// instructionColumns finds an instruction's columns among the names of a row: what asks, what answers, and what goes with them by its
// name here. ok is false where they are not there. Two columns that could be the same thing are an error.
func instructionColumns(has func(string) bool) (columns map[string]string, ok bool, err error) {
	columns = map[string]string{}
	for _, part := range []struct {
		name  string
		names []string
	}{
		{"input", inputNames()},
		{"output", outputNames()},
		{"instruction", askNames()},
		{"system", systemNames()},
		{"history", []string{"history"}},
	} {
		found := slices.DeleteFunc(slices.Clone(part.names), func(name string) bool { return !has(name) })
		if len(found) > 1 && found[0] != part.name {
			err = errors.Join(err, fmt.Errorf("%s and %s could both be the %s: say which with data.columns, for instance {%s: %s}", found[0],
				found[1], part.name, part.name, found[0]))
		}
		if len(found) > 0 {
			columns[part.name] = found[0]
		}
	}
	if columns["instruction"] == "" && columns["input"] == "input" { // input with output
		columns["instruction"] = "input"
		delete(columns, "input")
		if has("context") {
			columns["input"] = "context"
		}
	}
	if columns["instruction"] == "" || columns["output"] == "" {
		return nil, false, nil
	}
	return columns, true, err
}

// instruction reads a row of that form; nil where it is none. used are the columns' names.
func (j jsonRow) instruction() (r *instruction, used []string, err error) {
	columns, ok, err := instructionColumns(func(name string) bool { return j[name] != nil })
	if !ok || err != nil {
		return nil, nil, err
	}
	r = &instruction{}
	for _, part := range []struct {
		name string
		into *string
	}{{"system", &r.system}, {"instruction", &r.ask}, {"input", &r.input}, {"output", &r.output}} {
		column := columns[part.name]
		if column == "" {
			continue
		}
		used = append(used, column)
		text, err := decodeColumn[string](j[column], "text")
		if err != nil {
			return nil, nil, fmt.Errorf("column %s: %w", column, err)
		}
		*part.into = *text
	}
	if raw := j[columns["history"]]; columns["history"] != "" {
		used = append(used, "history")
		pairs, err := decodeColumn[[][2]string](raw, "a list of pairs of texts")
		if err != nil {
			return nil, nil, fmt.Errorf("column history: %w", err)
		}
		r.history = *pairs
	}
	return r, used, nil
}

// document is both what a chat template makes of the row and, for a model without one, Alpaca's prompt. A chat has the input a line
// below the instruction, as LLaMA-Factory has it.
func (r instruction) document() Document {
	doc := Document{Form: FormInstruction, Text: r.output}
	say := func(role, content string) {
		doc.Messages = append(doc.Messages, chat.Message{Role: role, Content: content})
	}
	if r.system != "" {
		say("system", r.system)
	}
	for _, turn := range r.history {
		say("user", turn[0])
		say("assistant", turn[1])
	}
	ask := r.ask
	if r.input != "" {
		ask = strings.TrimPrefix(ask+"\n"+r.input, "\n")
	}
	say("user", ask)
	say("assistant", r.output)
	if len(r.history) == 0 {
		doc.Prompt = r.alpaca()
	}
	return doc
}

// alpaca is the prompt of Stanford Alpaca (PROMPT_DICT in train.py of tatsu-lab/stanford_alpaca), with the line end after
// "### Response:" that axolotl's alpaca, torchtune and Unsloth have. A system text takes the place of the first sentence, as in
// axolotl's.
func (r instruction) alpaca() string {
	head := "Below is an instruction that describes a task. Write a response that appropriately completes the request."
	if r.input != "" {
		head = "Below is an instruction that describes a task, paired with an input that provides further context. " +
			"Write a response that appropriately completes the request."
	}
	if r.system != "" {
		head = r.system
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n### Instruction:\n%s\n\n", head, r.ask)
	if r.input != "" {
		fmt.Fprintf(&b, "### Input:\n%s\n\n", r.input)
	}
	b.WriteString("### Response:\n")
	return b.String()
}
