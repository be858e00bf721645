package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/cmd/sweep/browsertest"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// emulate makes the browser prefer a colour scheme, and show the page on a medium; empty is its own choice.
func emulate(ctx context.Context, t *testing.T, scheme, medium string) {
	t.Helper()
	browsertest.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// hostile is a sweep of two cells whose names try to be more than names.
func hostile() sweep.Snapshot {
	r := sweeptest.Registration([]float64{8, 32}, []int{1, 2, 4, 8, 16, 32}, []int64{0, 1})
	for i := range r.Ladders {
		value := []string{`"><img src=x onerror=alert(1)>`, "two\x07 \u202ewords"}[i]
		r.Ladders[i].Cell = append(r.Ladders[i].Cell, sweep.Setting{Name: "target_modules", Value: value, Axis: true})
	}
	s := train(facts("</title><script>alert(1)</script>", r, 0, 1), 32)
	s.Sweep.GridText = "name: </pre><script>alert(2)</script>\n"
	s.Sweep.Warnings = []string{"</script><script>alert(3)</script><link rel=stylesheet href=http://example.com/x.css>"}
	s.Ladders[1].Rungs[5].Trials[1].Attempts[0].Outcome = &trial.Outcome{State: trial.OutcomeUnstable, Error: "<b onclick=alert(4)>loss</b>"}
	return s
}

// TestPageInBrowser opens the page as a file, in one browser, for all that only a browser shows.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	s := hostile()
	file := filepath.Join(t.TempDir(), "report.html")
	beside := besides(s, 100)
	beside.Samples = samples()
	if err := os.WriteFile(file, []byte(written(t, s, beside)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, w := browsertest.Open(t, "file://"+file)
	r := report.Build(s)
	t.Run("samples", func(t *testing.T) { checkSamples(ctx, t) })
	t.Run("numbers", func(t *testing.T) { checkNumbers(ctx, t, r) })
	t.Run("tables", func(t *testing.T) { checkTables(ctx, t, r) })
	t.Run("names", func(t *testing.T) { checkNames(ctx, t, s) })
	t.Run("filters", func(t *testing.T) { checkFilters(ctx, t, r) })
	t.Run("sorting", func(t *testing.T) { checkSorting(ctx, t) })
	t.Run("parallel", func(t *testing.T) { checkParallel(ctx, t) })
	t.Run("colours", func(t *testing.T) { checkColours(ctx, t) })
	t.Run("widths", func(t *testing.T) { checkWidths(ctx, t) })
	t.Run("keyboard", func(t *testing.T) { checkKeyboard(ctx, t) })
	t.Run("print", func(t *testing.T) { checkPrint(ctx, t) })
	for _, url := range w.Requests() {
		if url != "file://"+file && !strings.HasPrefix(url, "data:") {
			t.Errorf("the page asks for %s", url)
		}
	}
	if len(w.Requests()) == 0 {
		t.Error("no request was seen, not even that of the page")
	}
	if len(w.Complaints()) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(w.Complaints(), "\n"))
	}
}

// TestManyTrialsInBrowser: a page of more trials than it shows at first finds the others by filters, and shows them when asked.
func TestManyTrialsInBrowser(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.html")
	s := sweeptest.Large(100) // a tenth of them has 6 trials, the others 12
	if err := os.WriteFile(file, []byte(written(t, s, besides(s, 0))), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, w := browsertest.Open(t, "file://"+file)
	const rows = `document.querySelectorAll(".trials tbody tr").length`
	got := []int{browsertest.Eval[int](ctx, t, rows)}
	for _, ladder := range []string{"100", ""} {
		got = append(got, browsertest.Eval[int](ctx, t, choose("ladder", ladder)))
	}
	browsertest.Eval[any](ctx, t, `document.getElementById("more").click()`)
	if diff := cmp.Diff([]int{500, 6, 500, 1140}, append(got, browsertest.Eval[int](ctx, t, rows))); diff != "" {
		t.Errorf("rows at first, of the last ladder, again, and when all are asked for (-want +got):\n%s", diff)
	}
	if len(w.Complaints()) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(w.Complaints(), "\n"))
	}
}

// shown is a number in the page: where it stands in the report's JSON, its full value, and the text.
type shown struct{ At, Key, Value, Text string }

// checkNumbers holds every cell of the trial table against the report's JSON.
func checkNumbers(ctx context.Context, t *testing.T, r report.Report) {
	t.Helper()
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var body any
	if err := json.Unmarshal(b.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	cells := browsertest.Eval[[]shown](ctx, t, `[...document.querySelectorAll("td[data-key]")].map(c => ({
		At: c.parentElement.dataset.at, Key: c.dataset.key, Value: c.dataset.value, Text: c.textContent}))`)
	if want := 24 * 5; len(cells) < want {
		t.Fatalf("the page has %d numbers, want at least %d", len(cells), want)
	}
	for _, c := range cells {
		path := c.At + "." + c.Key
		want, ok := at(body, path).(float64)
		got, err := strconv.ParseFloat(c.Value, 64)
		if !ok || err != nil || got != want {
			t.Errorf("%s is %s in the page, %v in the JSON", path, c.Value, want)
		}
		if !saysNumber(c, want) {
			t.Errorf("%s is written as %q, and is %v", path, c.Text, want)
		}
	}
}

// at looks a path up in JSON.
func at(body any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch v := body.(type) {
		case map[string]any:
			body = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil
			}
			body = v[i]
		}
	}
	return body
}

// saysNumber reports whether a cell's text is its number, rounded or with a unit.
func saysNumber(c shown, v float64) bool {
	switch {
	case strings.HasSuffix(c.Key, "_bytes"):
		return c.Text == trial.FormatBytes(int64(v))
	case strings.HasSuffix(c.Key, "_seconds"):
		return c.Text == report.Seconds(v)
	case c.Key == "tokens", c.Key == "trainable_params":
		return c.Text == report.Count(int64(v))
	}
	return roundsTo(strings.TrimSuffix(c.Text, " (extra)"), v)
}

// roundsTo reports whether text is v rounded to as many decimals.
func roundsTo(text string, v float64) bool {
	_, decimals, _ := strings.Cut(text, ".")
	got, err := strconv.ParseFloat(text, 64)
	return err == nil && math.Abs(got-v) <= 0.5000001*math.Pow(10, -float64(len(decimals)))
}

// checkTables holds each ladder's table and the first screen against the report.
func checkTables(ctx context.Context, t *testing.T, r report.Report) {
	t.Helper()
	want := fmt.Sprintf("Rank %d", *r.Recommendation.Rank)
	if got := browsertest.Eval[string](ctx, t, `document.querySelector("h1").textContent`); got != want {
		t.Errorf("the first screen says %q, want %q", got, want)
	}
	got := browsertest.Eval[string](ctx, t, `document.querySelector(".summary").textContent`)
	if got != strings.Map(printed, r.Recommendation.Summary) {
		t.Errorf("the first sentence is %q, want %q", got, r.Recommendation.Summary)
	}
	tables := browsertest.Eval[[][][]string](ctx, t, `[...document.querySelectorAll("#ladders details.ladder")].map(l =>
		[...l.querySelector("table").rows].map(r => [...r.cells].map(c => c.textContent)))`)
	if len(tables) != len(r.Ladders) {
		t.Fatalf("the page has tables of %d ladders, want %d", len(tables), len(r.Ladders))
	}
	for i, l := range r.Ladders {
		column := map[string]int{}
		for j, name := range tables[i][0] {
			column[name] = j
		}
		if len(tables[i]) != 1+len(l.Rungs) {
			t.Fatalf("the table of ladder %d has %d rows, want %d", l.Number, len(tables[i]), 1+len(l.Rungs))
		}
		for j, rung := range l.Rungs {
			cells := tables[i][j+1]
			if rung.ValLoss == nil {
				continue
			}
			mean, _, _ := strings.Cut(cells[column["val_loss"]], " ")
			if !roundsTo(mean, rung.ValLoss.Mean) || cells[column["rank"]] != strconv.Itoa(rung.Rank) {
				t.Errorf("ladder %d, row %d: %q, want rank %d with %v", l.Number, j, cells, rung.Rank, rung.ValLoss.Mean)
			}
			if rung.Gain == nil {
				continue
			}
			gain := strings.FieldsFunc(cells[column["gain [lo, hi]"]], func(r rune) bool { return strings.ContainsRune(" [],", r) })
			if len(gain) != 3 || !roundsTo(gain[0], rung.Gain.Mean) || !roundsTo(gain[1], *rung.Gain.Lo) || !roundsTo(gain[2], *rung.Gain.Hi) {
				t.Errorf("ladder %d, rank %d: gain %q, want %v", l.Number, rung.Rank, gain, *rung.Gain)
			}
		}
	}
}

// printed is how a page shows a character of a name.
func printed(r rune) rune { return []rune(visible(string(r)))[0] }

// checkNames: what names and errors contain is text.
func checkNames(ctx context.Context, t *testing.T, s sweep.Snapshot) {
	t.Helper()
	if n := browsertest.Eval[int](ctx, t, `document.querySelectorAll("script").length`); n != 2 {
		t.Errorf("the page has %d scripts, want its own and its data", n)
	}
	const injected = `document.querySelectorAll("img, main b, link[rel=stylesheet], [onclick], [onerror]").length`
	if n := browsertest.Eval[int](ctx, t, injected); n != 0 {
		t.Errorf("%d names became elements", n)
	}
	if got := browsertest.Eval[string](ctx, t, `document.querySelector(".name").textContent`); got != s.Sweep.Name {
		t.Errorf("the name is %q, want %q", got, s.Sweep.Name)
	}
	if got := browsertest.Eval[string](ctx, t, `document.querySelector("#ran pre").textContent`); got != s.Sweep.GridText {
		t.Errorf("the grid is %q, want %q", got, s.Sweep.GridText)
	}
	if !browsertest.Eval[bool](ctx, t, `document.body.textContent.includes("<b onclick=alert(4)>loss</b>")`) {
		t.Error("the page lacks the trial's error")
	}
	if browsertest.Eval[bool](ctx, t, `/[\u0000-\u0008\u202a-\u202e\u2066-\u2069]/.test(document.querySelector("main").textContent)`) {
		t.Error("the page has control characters")
	}
	if n := browsertest.Eval[int](ctx, t, `[...document.querySelectorAll("svg")].filter(s => !s.getAttribute("aria-label")).length`); n != 0 {
		t.Errorf("%d charts have no text instead", n)
	}
}

// choose sets a filter by the name of its column.
func choose(name, value string) string {
	return fmt.Sprintf(`(() => {
		const s = [...document.querySelectorAll(".filters label")].find(l => l.textContent.trim().startsWith(%q)).querySelector("select");
		s.value = %q; s.dispatchEvent(new Event("input", {bubbles: true}));
		return [...document.querySelectorAll(".trials tbody tr")].filter(r => r.offsetParent !== null).length; })()`, name, value)
}

func checkFilters(ctx context.Context, t *testing.T, r report.Report) {
	t.Helper()
	all := 0
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			all += len(rung.Trials)
		}
	}
	var got []int
	for _, c := range [][2]string{{"rank", "4"}, {"alpha", "32"}, {"rank", ""}, {"state", "unstable"}, {"state", ""}, {"alpha", ""}} {
		got = append(got, browsertest.Eval[int](ctx, t, choose(c[0], c[1])))
	}
	if diff := cmp.Diff([]int{4, 2, 12, 1, 12, all}, got); diff != "" {
		t.Errorf("rows under filters (-want +got):\n%s", diff)
	}
}

func checkSorting(ctx context.Context, t *testing.T) {
	t.Helper()
	click := `[...document.querySelectorAll(".trials th button")].find(b => b.textContent === "val_loss").click()`
	read := `[...document.querySelectorAll('.trials td[data-key="val_loss"]')].map(c => Number(c.dataset.value))`
	for _, way := range []float64{1, -1} {
		browsertest.Eval[any](ctx, t, click)
		losses := browsertest.Eval[[]float64](ctx, t, read)
		for i := range losses[1:] {
			if way*losses[i] > way*losses[i+1] {
				t.Errorf("sorted by val_loss, %v stands before %v", losses[i], losses[i+1])
			}
		}
		last := browsertest.Eval[string](ctx, t, `document.querySelector(".trials tbody").lastElementChild.textContent`)
		if !strings.Contains(last, "unstable") {
			t.Errorf("the trial without a loss is not the last, which is %s", last)
		}
	}
}

// checkParallel: the slider highlights as many lines as it says.
func checkParallel(ctx context.Context, t *testing.T) {
	t.Helper()
	on := func(percent int) int {
		return browsertest.Eval[int](ctx, t, fmt.Sprintf(`(() => { const r = document.querySelector(".leading input"); r.value = %d;
			r.dispatchEvent(new Event("input", {bubbles: true})); return document.querySelectorAll(".combination.on").length; })()`, percent))
	}
	few, all := on(20), on(100)
	total := browsertest.Eval[int](ctx, t, `document.querySelectorAll(".combination").length`)
	if all != total || few != int(math.Ceil(float64(total)/5)) {
		t.Errorf("%d of %d lines stand out at 20 %%, %d at 100 %%", few, total, all)
	}
}
