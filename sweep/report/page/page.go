package page

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var style string

//go:embed page.js
var script string

// Beside is what a page shows that a snapshot does not have. All of it may be missing.
type Beside struct {
	Verdicts     []plateau.Verdict // what the snapshot says, where that is known already
	TrainLosses  map[trial.ID][]trial.StepTrainLoss
	Updates      map[trial.ID][]trial.ModuleUpdate
	Environments []trial.Environment
	Samples      *report.Samples
	Shell        prose.Shell // how the reader's shell reaches the sweep
	Left         bool        // no coordinator works on it
}

// Write writes the page of a sweep's facts, one HTML file.
func Write(w io.Writer, s sweep.Snapshot, beside Beside) error {
	b := newBuilder(s, beside)
	v, err := b.view()
	if err != nil {
		return fmt.Errorf("page of sweep %s: %w", s.Sweep.Name, err)
	}
	t, err := parse()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return fmt.Errorf("page of sweep %s: %w", s.Sweep.Name, err)
	}
	_, err = io.WriteString(w, visible(out.String()))
	return err
}

// builder turns facts into what the template prints.
type builder struct {
	snapshot sweep.Snapshot
	beside   Beside
	report   report.Report
	curves   map[trial.ID]Curve
	hues     hues
	told     report.Glossary // by the first section
}

func newBuilder(s sweep.Snapshot, beside Beside) *builder {
	verdicts := beside.Verdicts
	if verdicts == nil {
		verdicts = sweep.Conclude(s).Verdicts
	}
	b := &builder{snapshot: s, beside: beside, report: report.BuildOn(s, verdicts), curves: newCurves(s, beside.TrainLosses)}
	b.report.Left = beside.Left
	if beside.Shell != (prose.Shell{}) {
		b.report.Shell = beside.Shell
	}
	b.hues = hues{math.Inf(1), math.Inf(-1)}
	for _, l := range b.report.Ladders {
		for _, r := range l.Rungs {
			at := math.Log2(float64(r.Rank))
			b.hues = hues{min(b.hues.lo, at), max(b.hues.hi, at)}
		}
	}
	g := report.NewGlossary()
	b.answerOf(g)
	b.told = *g
	return b
}

// view is what the template prints.
type view struct {
	Title    string
	Policy   string
	Style    template.CSS
	Script   template.JS
	Data     template.JS
	Answer   answer
	Axes     []axisView
	Parallel *parallel
	OfAxes   []report.Term // that the section on axes explains
	Ladders  []ladderView
	Terms    []report.Term // of the ladders
	Drawn    int           // ladders with charts
	Undrawn  int
	Legends  []report.Line
	Samples  *samplesView
	Trials   trialTable
	Ran      ranView
}

// answer is the first screen.
type answer struct {
	report.Lead
	Rank     string // empty while there is none
	AtLeast  string // before it
	State    plateau.State
	Chance   string
	Final    bool
	Up, Down int // ranks of the neighbours
	Chart    *chart
	Header   []report.Line
	Terms    []report.Term
}

type ladderView struct {
	Number  int
	Title   string
	Open    bool
	Only    bool
	State   plateau.State
	Rank    string
	Chart   *chart // nil where the first screen has it
	Table   report.Table
	Verdict []report.Line
	Curves  []*chart
	Costs   []*chart
	Climbs  report.Table
	Explain []report.Line
}

func (b *builder) view() (view, error) {
	data, err := b.data()
	if err != nil {
		return view{}, err
	}
	v, err := b.ladders()
	if err != nil {
		return view{}, err
	}
	v.Title, v.Policy = b.report.Sweep, policy(script)
	// Our own files, and JSON in which nothing ends an element.
	v.Style, v.Script, v.Data = template.CSS(style), template.JS(script), template.JS(data)
	v.Answer, v.Trials, v.Ran = b.answer(), b.trials(), b.ran()
	axes := b.axesView()
	v.Axes, v.Parallel, v.OfAxes = axes.Axes, axes.Parallel, axes.OfAxes
	v.Samples = newSamplesView(b.beside.Samples)
	return v, nil
}

// ladders is the view of the ladders alone.
func (b *builder) ladders() (view, error) {
	drawn := b.drawn()
	v := view{Legends: b.report.Legends(), Drawn: len(drawn), Undrawn: len(b.report.Ladders) - len(drawn)}
	for _, l := range b.report.Ladders {
		of, err := b.ladder(l, drawn[l.Number])
		if err != nil {
			return view{}, err
		}
		v.Ladders = append(v.Ladders, of)
	}
	v.Terms = explain(b.glossary(), v.Ladders...)
	return v, nil
}

// axesView is the view of the axes alone.
func (b *builder) axesView() view {
	v := view{Axes: b.axes(), Parallel: b.parallel()}
	v.OfAxes = explain(b.glossary(), v.Axes...)
	return v
}

// data is the report's JSON with the curves in it.
func (b *builder) data() ([]byte, error) {
	var indented, compact bytes.Buffer
	if err := b.report.JSON(&indented); err != nil {
		return nil, err
	}
	if err := json.Compact(&compact, indented.Bytes()); err != nil {
		return nil, err
	}
	curves, err := json.Marshal(b.curves)
	if err != nil {
		return nil, err
	}
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, fmt.Appendf(bytes.TrimSuffix(compact.Bytes(), []byte("}")), `,"curves":%s}`, curves))
	return []byte(visibleJSON(escaped.String())), nil
}

func (b *builder) answer() answer { return b.answerOf(report.NewGlossary()) }

// answerOf is the answer with its terms out of a glossary.
func (b *builder) answerOf(g *report.Glossary) answer {
	rec := b.report.Recommendation
	a := answer{Lead: b.report.Lead(), State: rec.State, Final: rec.Final, Header: b.report.Header()}
	if a.Reaches != "" {
		a.Rank, a.AtLeast = fmt.Sprint(*rec.Rank), report.AtLeast(rec.State)
	}
	if rec.Larger != nil {
		a.Up = rec.Larger.Rank
	}
	if rec.Smaller != nil {
		a.Down = rec.Smaller.Rank
	}
	if len(b.report.Ladders) > 0 {
		l := b.report.Ladders[max(1, rec.Ladder)-1]
		a.Chart = b.lossChart(l)
		if p := l.Verdict.Probability; p != nil {
			a.Chance = report.Chance(*p)
		}
	}
	a.Terms = explain(g, a)
	return a
}

// drawnLadders is how many ladders have tables, charts and their arithmetic, the best first: a page with those of hundreds would not open.
const drawnLadders = 24

// drawn are the numbers of the ladders that have them.
func (b *builder) drawn() map[int]bool {
	order := slices.Clone(b.report.Ladders)
	loss := func(l report.Ladder) float64 {
		if l.Number == b.report.Recommendation.Ladder {
			return math.Inf(-1)
		}
		if r, ok := recommendedRung(l); ok {
			return r.ValLoss.Mean
		}
		return math.Inf(1)
	}
	slices.SortStableFunc(order, func(a, b report.Ladder) int { return cmp.Compare(loss(a), loss(b)) })
	drawn := map[int]bool{}
	for _, l := range order[:min(len(order), drawnLadders)] {
		drawn[l.Number] = true
	}
	return drawn
}

func (b *builder) ladder(l report.Ladder, drawn bool) (ladderView, error) {
	v := ladderView{
		Number: l.Number, Title: l.Title(), State: l.Verdict.State, Open: l.Number == max(1, b.report.Recommendation.Ladder),
		Only: len(b.report.Ladders) == 1,
	}
	if r, ok := recommendedRung(l); ok && l.Verdict.Outraced == nil {
		v.Rank = r.Name()
	}
	if !drawn {
		v.Verdict = []report.Line{{Label: "why", Text: l.Verdict.Reason}}
		return v, nil
	}
	v.Verdict = b.report.Verdict(l)
	if len(l.Rungs) > 0 {
		v.Table = b.report.Table(l)
	}
	if !v.Open {
		v.Chart = b.lossChart(l)
	}
	v.Curves, v.Costs, v.Climbs = b.curveCharts(l), b.costCharts(l), b.climbs(l)
	e, err := b.report.Explain(fmt.Sprint(l.Number))
	if err != nil {
		return ladderView{}, err
	}
	v.Explain = e.WithUpdates(b.beside.Updates).Lines()
	return v, nil
}

// climbs lists what each step up bought.
func (b *builder) climbs(l report.Ladder) report.Table {
	t := report.Table{Header: []string{"step", "gain [lo, hi]", "parameters", "gain per 1000"}}
	for _, s := range b.report.Climbs(l) {
		added := s.To.Cost.TrainableParams - s.From.Cost.TrainableParams
		per := "-"
		if added > 0 {
			per = report.Number(rounded(1000 * s.Gain.Mean / float64(added)))
		}
		t.Rows = append(t.Rows, []string{
			fmt.Sprintf("%d → %d", s.From.Rank, s.To.Rank), l.Numbers().Bounds(s.Gain), "+" + report.Count(added), per,
		})
	}
	return t
}

// visible replaces characters that names and messages of errors may contain to mislead the eye.
func visible(page string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case !report.Hidden(r):
			return r
		case r < 0x20:
			return 0x2400 + r // its picture
		}
		return '\uFFFD'
	}, page)
}

// visibleJSON writes them as escapes, so that what they stand for stays.
func visibleJSON(data string) string {
	var b strings.Builder
	for _, r := range data {
		if report.Hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// words writes a state as people do.
func words(s plateau.State) string { return strings.ReplaceAll(string(s), "_", " ") }

// numeric reports whether a table's column stands right.
func numeric(t report.Table, column int) bool {
	for _, r := range t.Rows {
		if column < len(r) && r[column] != "" && !strings.ContainsRune("+-.0123456789", []rune(r[column])[0]) {
			return false
		}
	}
	return true
}
