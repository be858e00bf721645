package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// parser follows jinja2/parser.py: the same precedences, so that the same templates are taken and mean the same.
type parser struct {
	tokens []token
	at     int
	nest   int
}

// expression is what has a value.
type expression interface {
	eval(r *run, s *scope) (any, error)
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != kindEOF {
		p.at++
	}
	return t
}

// operator reports whether the next token is one of these operators.
func (p *parser) operator(texts ...string) bool {
	return p.peek().kind == kindOperator && slices.Contains(texts, p.peek().text)
}

// name reports whether the next token is one of these names.
func (p *parser) name(texts ...string) bool {
	return p.peek().kind == kindName && slices.Contains(texts, p.peek().text)
}

// skip takes the next token if it is this operator or name.
func (p *parser) skip(text string) bool {
	if p.operator(text) || p.name(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if !p.skip(text) {
		return p.unexpected("want " + text)
	}
	return nil
}

func (p *parser) expectKind(k kind, what string) (token, error) {
	if p.peek().kind != k {
		return token{}, p.unexpected("want " + what)
	}
	return p.next(), nil
}

func (p *parser) unexpected(want string) error {
	t := p.peek()
	what := fmt.Sprintf("%q", t.text)
	switch t.kind {
	case kindEOF:
		what = "the end of the template"
	case kindVariableEnd, kindBlockEnd:
		what = "the end of the tag"
	case kindNumber, kindString, kindName, kindOperator, kindData, kindVariableBegin, kindBlockBegin:
	}
	return fmt.Errorf("line %d: unexpected %s: %s", t.line, what, want)
}

// deeper guards recursion; the caller undoes it by p.nest--.
func (p *parser) deeper() error {
	p.nest++
	if p.nest > maxNest {
		return fmt.Errorf("line %d: %w: expressions or blocks within each other", p.peek().line, errLimit)
	}
	return nil
}

// expression parses `a if b else c` and what binds more tightly.
func (p *parser) expression() (expression, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.nest-- }()
	e, err := p.or()
	for err == nil && p.skip("if") {
		c := conditional{yes: e}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.skip("else") {
			c.no, err = p.expression()
		}
		e = c
	}
	return e, err
}

func (p *parser) or() (expression, error)  { return p.logic("or", p.and) }
func (p *parser) and() (expression, error) { return p.logic("and", p.not) }

func (p *parser) logic(word string, operand func() (expression, error)) (expression, error) {
	left, err := operand()
	for err == nil && p.name(word) {
		p.at++
		l := logic{left: left, isOr: word == "or"}
		l.right, err = operand()
		left = l
	}
	return left, err
}

func (p *parser) not() (expression, error) {
	if !p.skip("not") {
		return p.compare()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.nest-- }()
	e, err := p.not()
	return negation{e}, err
}

func (p *parser) compare() (expression, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := comparison{first: first}
	for {
		op := p.peek().text
		switch {
		case p.operator("==", "!=", "<", "<=", ">", ">="), p.name("in"):
			p.at++
		case p.name("not") && p.tokens[p.at+1].kind == kindName && p.tokens[p.at+1].text == "in":
			p.at += 2
			op = "not in"
		case len(c.operators) == 0:
			return first, nil
		default:
			return c, nil
		}
		operand, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.operators, c.operands = append(c.operators, op), append(c.operands, operand)
	}
}

func (p *parser) sum() (expression, error)     { return p.binary(p.concat, "+", "-") }
func (p *parser) concat() (expression, error)  { return p.binary(p.product, "~") }
func (p *parser) product() (expression, error) { return p.binary(p.power, "*", "/", "//", "%") }
func (p *parser) power() (expression, error) {
	return p.binary(func() (expression, error) { return p.unary(true) }, "**")
}

func (p *parser) binary(operand func() (expression, error), operators ...string) (expression, error) {
	left, err := operand()
	for err == nil && p.operator(operators...) {
		b := binary{left: left, line: p.peek().line, operator: p.next().text}
		b.right, err = operand()
		left = b
	}
	return left, err
}

// unary parses a sign, a value and what follows it: filters and tests bind more tightly than any operator but the sign.
func (p *parser) unary(filters bool) (expression, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.nest-- }()
	var e expression
	var err error
	switch {
	case p.operator("-", "+"):
		sign := p.next()
		var operand expression
		operand, err = p.unary(false)
		e = signed{operand: operand, negative: sign.text == "-", line: sign.line}
	default:
		e, err = p.primary()
	}
	if err == nil {
		e, err = p.postfix(e)
	}
	if err == nil && filters {
		e, err = p.filters(e)
	}
	return e, err
}

func (p *parser) primary() (expression, error) {
	t := p.peek()
	switch t.kind {
	case kindName:
		p.at++
		switch t.text {
		case "true", "True":
			return constant{true}, nil
		case "false", "False":
			return constant{false}, nil
		case "none", "None":
			return constant{nil}, nil
		}
		return variable{t.text}, nil
	case kindString:
		var text strings.Builder
		for p.peek().kind == kindString { // as in Python, neighbours are one string
			text.WriteString(p.next().text)
		}
		return constant{text.String()}, nil
	case kindNumber:
		p.at++
		return constant{t.number}, nil
	case kindOperator:
		switch t.text {
		case "(":
			p.at++
			e, err := p.tuple(true)
			if err != nil {
				return nil, err
			}
			return e, p.expect(")")
		case "[":
			p.at++
			items, err := p.list("]", p.expression)
			return listLiteral{items}, err
		case "{":
			return p.dict()
		}
	case kindEOF, kindData, kindVariableBegin, kindVariableEnd, kindBlockBegin, kindBlockEnd:
	}
	return nil, p.unexpected("want a value")
}

// list parses what is between brackets, with an optional comma at the end.
func (p *parser) list(end string, item func() (expression, error)) ([]expression, error) {
	var items []expression
	for !p.skip(end) {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.skip(end) {
				break
			}
		}
		e, err := item()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return items, nil
}

func (p *parser) dict() (expression, error) {
	p.at++
	var d dictLiteral
	_, err := p.list("}", func() (expression, error) {
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		d.keys, d.values = append(d.keys, key), append(d.values, value)
		return value, err
	})
	return d, err
}

// tuple parses one expression, or several with commas, which make a tuple. empty allows ().
func (p *parser) tuple(empty bool) (expression, error) {
	var items []expression
	comma := false
	for !p.tupleEnd() {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if !p.skip(",") {
			break
		}
		comma = true
	}
	switch {
	case comma || empty && len(items) == 0:
		return tupleLiteral{items}, nil
	case len(items) == 0:
		return nil, p.unexpected("want an expression")
	}
	return items[0], nil
}

func (p *parser) tupleEnd() bool {
	k := p.peek().kind
	return k == kindVariableEnd || k == kindBlockEnd || k == kindEOF || p.operator(")")
}
