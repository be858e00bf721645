package jinja

import (
	"fmt"
	"slices"
)

// statement is what writes text or changes names.
type statement interface {
	exec(r *run, s *scope) error
}

// body parses up to a block that begins with one of ends, which it leaves as the next token; without ends up to the end.
func (p *parser) body(ends ...string) ([]statement, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.nest-- }()
	var out []statement
	for {
		t := p.next()
		switch t.kind {
		case kindData:
			out = append(out, text(t.text))
		case kindVariableBegin:
			e, err := p.tuple(false)
			if err != nil {
				return nil, err
			}
			if _, err := p.expectKind(kindVariableEnd, "}}"); err != nil {
				return nil, err
			}
			out = append(out, output{e})
		case kindBlockBegin:
			if p.name(ends...) {
				return out, nil
			}
			st, err := p.statement()
			if err != nil {
				return nil, err
			}
			out = append(out, st)
		case kindEOF, kindVariableEnd, kindBlockEnd, kindName, kindString, kindNumber, kindOperator:
			if len(ends) > 0 {
				return nil, fmt.Errorf("line %d: the template ends within a block: want %s", t.line, ends[len(ends)-1])
			}
			return out, nil
		}
	}
}

// block parses the end of a tag, a body and the tag that ends it.
func (p *parser) block(end string) ([]statement, error) {
	if err := p.endTag(); err != nil {
		return nil, err
	}
	body, err := p.body(end)
	if err != nil {
		return nil, err
	}
	p.at++
	return body, p.endTag()
}

func (p *parser) endTag() error {
	_, err := p.expectKind(kindBlockEnd, "%}")
	return err
}

func (p *parser) statement() (statement, error) {
	t, err := p.expectKind(kindName, "a statement")
	if err != nil {
		return nil, err
	}
	switch t.text {
	case "if":
		return p.ifBlock()
	case "for":
		return p.forBlock(t.line)
	case "set":
		return p.set(t.line)
	case "macro":
		return p.macro()
	case "call":
		return p.callBlock()
	case "filter":
		return p.filterBlock()
	case "with":
		return p.with()
	case "generation": // transformers' mark of what the assistant says: no text of its own
		body, err := p.block("endgeneration")
		return generation{body}, err
	case "break", "continue":
		return loopControl{t.text == "break"}, p.endTag()
	}
	return nil, fmt.Errorf("line %d: statement %q is not supported in a chat template", t.line, t.text)
}

func (p *parser) ifBlock() (statement, error) {
	var out ifStatement
	for {
		test, err := p.tuple(false)
		if err != nil {
			return nil, err
		}
		if err := p.endTag(); err != nil {
			return nil, err
		}
		body, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		out.tests, out.bodies = append(out.tests, test), append(out.bodies, body)
		switch p.next().text {
		case "elif":
			continue
		case "else":
			if out.otherwise, err = p.block("endif"); err != nil {
				return nil, err
			}
			return out, nil
		}
		return out, p.endTag()
	}
}

func (p *parser) forBlock(line int) (statement, error) {
	f := forStatement{line: line}
	var err error
	if f.target, err = p.target(false); err != nil {
		return nil, err
	}
	if err := p.expect("in"); err != nil {
		return nil, err
	}
	if f.items, err = p.or(); err != nil { // no inline if: it begins the filter
		return nil, err
	}
	if p.operator(",") {
		return nil, p.unexpected("put brackets around the items of a for")
	}
	if p.skip("if") {
		if f.filter, err = p.expression(); err != nil {
			return nil, err
		}
	}
	f.recursive = p.skip("recursive")
	if err := p.endTag(); err != nil {
		return nil, err
	}
	if f.body, err = p.body("else", "endfor"); err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		f.otherwise, err = p.block("endfor")
		return &f, err
	}
	return &f, p.endTag()
}

// target parses what can be assigned to: a name, names with commas, and for set an attribute of a namespace.
func (p *parser) target(attributes bool) (target, error) {
	var out target
	bracket := p.skip("(")
	for {
		t, err := p.expectKind(kindName, "a name to assign to")
		if err != nil {
			return out, err
		}
		if slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, t.text) {
			return out, fmt.Errorf("line %d: cannot assign to %s", t.line, t.text)
		}
		name := targetName{name: t.text}
		if attributes && p.skip(".") {
			a, err := p.expectKind(kindName, "a name after the dot")
			if err != nil {
				return out, err
			}
			name.attribute = a.text
		}
		out.names = append(out.names, name)
		if !p.skip(",") {
			break
		}
		out.unpack = true
		if p.operator("=", ")") || p.name("in") {
			break
		}
	}
	if bracket {
		return out, p.expect(")")
	}
	return out, nil
}

func (p *parser) set(line int) (statement, error) {
	st := setStatement{line: line}
	var err error
	if st.target, err = p.target(true); err != nil {
		return nil, err
	}
	if p.skip("=") {
		if st.value, err = p.tuple(false); err != nil {
			return nil, err
		}
		return st, p.endTag()
	}
	if st.filter, err = p.pipe(); err != nil {
		return nil, err
	}
	st.body, err = p.block("endset")
	return st, err
}

// pipe parses filters that are applied to the text of a block.
func (p *parser) pipe() (expression, error) {
	var e expression
	var err error
	for err == nil && p.skip("|") {
		if e == nil {
			e = blockText{}
		}
		e, err = p.filter(e)
	}
	return e, err
}

func (p *parser) filterBlock() (statement, error) {
	e, err := p.filter(blockText{})
	for err == nil && p.skip("|") {
		e, err = p.filter(e)
	}
	if err != nil {
		return nil, err
	}
	body, err := p.block("endfilter")
	return filterStatement{filter: e, body: body}, err
}

func (p *parser) with() (statement, error) {
	w := group{}
	for p.peek().kind != kindBlockEnd {
		if len(w.targets) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		t, err := p.expectKind(kindName, "a name")
		if err != nil {
			return nil, err
		}
		if err := p.expect("="); err != nil {
			return nil, err
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		w.targets, w.values = append(w.targets, t.text), append(w.values, e)
	}
	var err error
	w.body, err = p.block("endwith")
	return w, err
}

func (p *parser) macro() (statement, error) {
	t, err := p.expectKind(kindName, "the name of the macro")
	if err != nil {
		return nil, err
	}
	m := macroStatement{name: t.text}
	if m.parameters, err = p.signature(); err != nil {
		return nil, err
	}
	m.body, err = p.block("endmacro")
	return m, err
}

// signature parses (a, b=default).
func (p *parser) signature() ([]parameter, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var out []parameter
	_, err := p.list(")", func() (expression, error) {
		t, err := p.expectKind(kindName, "the name of a parameter")
		if err != nil {
			return nil, err
		}
		out = append(out, parameter{name: t.text})
		last := &out[len(out)-1]
		if p.skip("=") {
			last.standard, err = p.expression()
		} else if len(out) > 1 && out[len(out)-2].standard != nil {
			err = p.unexpected("a parameter without default follows one with")
		}
		return last.standard, err
	})
	return out, err
}

func (p *parser) callBlock() (statement, error) {
	var c callStatement
	var err error
	if p.operator("(") {
		if c.parameters, err = p.signature(); err != nil {
			return nil, err
		}
	}
	line := p.peek().line
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	var ok bool
	if c.call, ok = e.(call); !ok {
		return nil, fmt.Errorf("line %d: a call block needs a call, as {%% call name() %%}", line)
	}
	c.body, err = p.block("endcall")
	return c, err
}
