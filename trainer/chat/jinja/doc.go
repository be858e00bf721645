// Package jinja renders the Jinja templates that language models carry as their chat format, to the byte as Hugging Face's
// transformers does: Python's jinja2 in its immutable sandbox, with trim_blocks, lstrip_blocks and loop controls.
//
// Rows of a training set that differ from what a model was trained on by a space are a silent loss, so what this package
// does not implement is an error that names it, never an approximation: an unknown filter, a method, a statement, a
// value with no fixed spelling. What Python refuses (an attribute of something undefined, "a" + 1) is refused here too.
// Implemented are jinja2's syntax, and of its filters, tests, methods and globals those that published chat templates use
// (965 were counted: experiments/LOG.md, 2026-11-28).
//
// A template comes with a model and may be hostile, so a Render has a budget: every evaluation, every item and every 16
// bytes that it makes costs one unit, see limits.go. Nothing in a template can read files, the environment or the network.
//
// It is written here because none of the Go libraries limits time and memory, and on those 965 templates the best of them
// prints other text for 37 (experiments/LOG.md, 2026-11-28, where all that were tried are).
//
// Values are nil (None), bool, int64, float64, string, []any (a list) and *Dict, which keeps the order of its keys.
//
//	template, err := jinja.Parse("{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}")
//	text, err := template.Render(map[string]any{"messages": messages}, time.Now())
package jinja
