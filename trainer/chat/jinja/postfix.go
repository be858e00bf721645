package jinja

import "fmt"

// postfix parses .name, [key], [from:to:step] and (arguments).
func (p *parser) postfix(e expression) (expression, error) {
	var err error
	for err == nil {
		switch {
		case p.operator("."):
			e, err = p.dot(e)
		case p.operator("["):
			e, err = p.subscript(e)
		case p.operator("("):
			e, err = p.call(e)
		default:
			return e, nil
		}
	}
	return nil, err
}

func (p *parser) dot(e expression) (expression, error) {
	line := p.next().line
	t := p.next()
	switch n := t.number.(type) {
	case int64:
		return item{object: e, key: constant{n}, line: line}, nil
	case nil:
		if t.kind == kindName {
			return attribute{object: e, name: t.text, line: line}, nil
		}
	}
	p.at--
	return nil, p.unexpected("want a name after the dot")
}

func (p *parser) subscript(e expression) (expression, error) {
	line := p.next().line
	var parts [3]expression
	var err error
	colons := 0
	for !p.operator("]") {
		if p.skip(":") {
			if colons++; colons > 2 {
				return nil, p.unexpected("want ]")
			}
			continue
		}
		if parts[colons] != nil {
			return nil, p.unexpected("want ]")
		}
		if parts[colons], err = p.expression(); err != nil {
			return nil, err
		}
	}
	p.at++
	switch {
	case colons > 0:
		return slice{object: e, from: parts[0], to: parts[1], step: parts[2], line: line}, nil
	case parts[0] == nil:
		p.at--
		return nil, p.unexpected("want a key")
	}
	return item{object: e, key: parts[0], line: line}, nil
}

func (p *parser) call(e expression) (expression, error) {
	c := call{callee: e, line: p.peek().line}
	var err error
	c.args, err = p.arguments()
	return c, err
}

// arguments parses (a, b, name=c).
func (p *parser) arguments() (callArguments, error) {
	var args callArguments
	if err := p.expect("("); err != nil {
		return args, err
	}
	_, err := p.list(")", func() (expression, error) {
		if p.operator("*", "**") {
			return nil, fmt.Errorf("line %d: *arguments are not supported", p.peek().line)
		}
		if t := p.tokens[p.at+1]; p.peek().kind == kindName && t.kind == kindOperator && t.text == "=" {
			name := p.next().text
			p.at++
			value, err := p.expression()
			args.names, args.named = append(args.names, name), append(args.named, value)
			return value, err
		}
		if len(args.names) > 0 {
			return nil, p.unexpected("want name=value after named arguments")
		}
		value, err := p.expression()
		args.positional = append(args.positional, value)
		return value, err
	})
	return args, err
}

// filters parses `| filter`, `is test` and calls of their results.
func (p *parser) filters(e expression) (expression, error) {
	var err error
	for err == nil {
		switch {
		case p.operator("|"):
			p.at++
			e, err = p.filter(e)
		case p.name("is"):
			e, err = p.test(e)
		case p.operator("("):
			e, err = p.call(e)
		default:
			return e, nil
		}
	}
	return nil, err
}

func (p *parser) filter(e expression) (expression, error) {
	t, err := p.expectKind(kindName, "the name of a filter")
	if err != nil {
		return nil, err
	}
	f := filtered{value: e, name: t.text, line: t.line}
	if p.operator("(") {
		f.args, err = p.arguments()
	}
	return f, err
}

// test parses `is name`, `is not name`, with arguments in brackets or one without.
func (p *parser) test(e expression) (expression, error) {
	p.at++
	negated := p.skip("not")
	t, err := p.expectKind(kindName, "the name of a test")
	if err != nil {
		return nil, err
	}
	c := tested{value: e, name: t.text, line: t.line}
	next := p.peek().kind
	switch {
	case p.operator("("):
		c.args, err = p.arguments()
	case next == kindString, next == kindNumber, p.operator("[", "{"), next == kindName && !p.name("else", "or", "and"):
		if p.name("is") {
			return nil, p.unexpected("tests cannot be chained")
		}
		var arg expression
		if arg, err = p.primary(); err == nil {
			arg, err = p.postfix(arg)
		}
		c.args.positional = []expression{arg}
	}
	if negated {
		return negation{c}, err
	}
	return c, err
}
