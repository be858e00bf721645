package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

//go:embed live.html.tmpl
var liveTemplate string

//go:embed live.css
var liveStyle string

//go:embed live.js
var liveScript string

// The parts of a page that is kept fresh, in their order.
const (
	PartSweeps  = "sweeps" // of the list of sweeps
	PartAnswer  = "answer"
	PartNow     = "now"
	PartAxes    = "axes"
	PartLadders = "ladders"
	PartTrials  = "trials"
	PartRan     = "ran"
)

// ErrNoPart says that a page has no part of that name.
var ErrNoPart = errors.New("the page has no such part")

// Part is a piece of a page that a server replaces once it differs.
type Part struct {
	ID   string        `json:"id"`
	Hash string        `json:"hash"` // of the HTML
	HTML template.HTML `json:"html"` // made by a template: everything in it is escaped
}

// Parts makes the parts of a sweep's page, each when it is asked for.
type Parts struct {
	b *builder
	t *template.Template
}

// NewParts builds the report that the parts show.
func NewParts(s sweep.Snapshot, beside Beside) (Parts, error) {
	t, err := parse()
	return Parts{newBuilder(s, beside), t}, err
}

// Report is what the parts show.
func (p Parts) Report() report.Report { return p.b.report }

// Drawn are the trials whose curves the ladders' part draws.
func (p Parts) Drawn() []trial.ID {
	var ids []trial.ID
	drawn := p.b.drawn()
	for _, l := range p.b.report.Ladders {
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				if drawn[l.Number] {
					ids = append(ids, t.ID)
				}
			}
		}
	}
	return ids
}

// WithTrainLosses draws these curves too.
func (p Parts) WithTrainLosses(losses map[trial.ID][]trial.StepTrainLoss) Parts {
	b := *p.b
	b.curves = newCurves(b.snapshot, losses)
	return Parts{&b, p.t}
}

// Make makes a part of the report. One that a sweep does not have is empty.
func (p Parts) Make(id string) (Part, error) {
	var v any
	switch id {
	case PartAnswer:
		v = p.b.answer()
	case PartAxes:
		axes := p.b.axesView()
		if len(axes.Axes) == 0 && axes.Parallel == nil {
			return newPart(id, ""), nil
		}
		v = axes
	case PartLadders:
		ladders, err := p.b.ladders()
		if err != nil {
			return Part{}, err
		}
		v = ladders
	case PartTrials:
		v = p.b.trials()
	case PartRan:
		v = p.b.ran()
	default:
		return Part{}, fmt.Errorf("%s: %w", id, ErrNoPart)
	}
	return p.make(id, id, v)
}

func (p Parts) make(id, name string, v any) (Part, error) {
	var b strings.Builder
	if err := p.t.ExecuteTemplate(&b, name, v); err != nil {
		return Part{}, fmt.Errorf("part %s of the page: %w", id, err)
	}
	return newPart(id, visible(b.String())), nil
}

func newPart(id, html string) Part {
	sum := sha256.Sum256([]byte(html))
	return Part{ID: id, Hash: hex.EncodeToString(sum[:8]), HTML: template.HTML(html)} // our templates' output
}

// later stands in for a part of a large sweep until it is asked for.
type later struct{ ID, Title, What string }

// Later makes what stands in for a part until a person asks for it, because it takes long to make or to draw.
func (p Parts) Later(id string) (Part, error) {
	switch n := len(p.b.report.Ladders); {
	case id == PartAxes && len(p.b.axisNames()) == 0:
		return newPart(id, ""), nil
	case id == PartAxes:
		return p.make(id, "later", later{id, "Axes", "What each setting does, and all combinations beside each other."})
	case id == PartLadders:
		return p.make(id, "later", later{id, "Ladders", fmt.Sprintf("Charts, tables and arithmetic of %d ladders.", n)})
	}
	return p.make(id, "later", later{id, "Trials", fmt.Sprintf("The table of %d trials.", len(allFacts(p.b.snapshot)))})
}

// AsOf adds to a part that was asked for when it was made, and the means to ask again.
func (p Parts) AsOf(part Part, at time.Time) (Part, error) {
	again, err := p.make(part.ID, "asof", struct{ ID, At string }{part.ID, at.Format(time.TimeOnly)})
	if err != nil {
		return Part{}, err
	}
	return newPart(part.ID, string(part.HTML+again.HTML)), nil
}

// LivePage is a page that its server keeps fresh.
type LivePage struct {
	Title  string // the sweep's name; empty for the list of sweeps
	Home   string // address of the list of sweeps
	Events string // address of the stream of parts
	Parts  []Part
}

// liveView is what the template prints.
type liveView struct {
	LivePage
	Policy          string // in the response's header
	Style           template.CSS
	Script, Script2 template.JS
}

// Has reports whether the page has a part, and something in it.
func (p LivePage) Has(id string) bool {
	return slices.ContainsFunc(p.Parts, func(part Part) bool { return part.ID == id && part.HTML != "" })
}

// LivePolicy is the Content-Security-Policy of every LivePage.
func LivePolicy() string {
	return policy(script, liveScript) + "; connect-src 'self'; frame-ancestors 'none'"
}

// policy allows these scripts, styles and nothing from elsewhere.
func policy(scripts ...string) string {
	var allowed strings.Builder
	allowed.WriteString("default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; script-src")
	for _, s := range scripts {
		hash := sha256.Sum256([]byte(s))
		fmt.Fprintf(&allowed, " 'sha256-%s'", base64.StdEncoding.EncodeToString(hash[:]))
	}
	return allowed.String()
}

// WriteLive writes a page with the parts as they are now.
func WriteLive(w io.Writer, p LivePage) error {
	t, err := parse()
	if err != nil {
		return err
	}
	var b strings.Builder
	v := liveView{
		LivePage: p, Style: template.CSS(style + liveStyle), Script: template.JS(script), Script2: template.JS(liveScript), // our own files
	}
	if err := t.ExecuteTemplate(&b, "live", v); err != nil {
		return fmt.Errorf("live page %s: %w", p.Title, err)
	}
	_, err = io.WriteString(w, visible(b.String()))
	return err
}

// parse reads the templates of both pages.
func parse() (*template.Template, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"numeric": numeric, "words": words, "lossByStep": lossByStep}).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	return t.Parse(liveTemplate)
}
