package page

import (
	"bytes"
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ranksweep/ranksweep/cmd/sweep/browsertest"
)

// contrasts returns the least ratio of contrast (WCAG 2.2, 1.4.3) of the texts that selectors find, each against the page.
const contrasts = `(() => {
	const c = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const light = (color) => { c.clearRect(0, 0, 1, 1); c.fillStyle = color; c.fillRect(0, 0, 1, 1);
		const l = [...c.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
			.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
	const back = light(getComputedStyle(document.body).backgroundColor);
	const ratio = (color) => { const v = light(color); return (Math.max(v, back) + 0.05) / (Math.min(v, back) + 0.05); };
	let text = 99, shape = 99;
	for (const e of document.querySelectorAll("p, h1, h2, h3, h4, td, th, th button, .chip, .note, .plot span, .rank, dt, dd, nav a, " +
		"#theme, summary span, .labelled > span"))
		text = Math.min(text, ratio(getComputedStyle(e).color));
	for (const e of document.querySelectorAll("svg .center, svg .meanline")) shape = Math.min(shape, ratio(getComputedStyle(e).stroke));
	return {text, shape, back}; })()`

// checkColours: the page follows the system's colours, its button turns them over, and both can be read.
func checkColours(ctx context.Context, t *testing.T) {
	t.Helper()
	type measured struct{ Text, Shape, Back float64 }
	readable := func(name string, m measured) {
		if m.Text < 4.5 || m.Shape < 3 {
			t.Errorf("%s: contrast of text %.2f, of shapes %.2f, want 4.5 and 3", name, m.Text, m.Shape)
		}
	}
	emulate(ctx, t, "light", "")
	light := browsertest.Eval[measured](ctx, t, contrasts)
	emulate(ctx, t, "dark", "")
	dark := browsertest.Eval[measured](ctx, t, contrasts)
	readable("light", light)
	readable("dark", dark)
	if light.Back < 0.8 || dark.Back > 0.05 {
		t.Errorf("the page's luminance is %.2f in light and %.2f in dark", light.Back, dark.Back)
	}
	const press = `document.getElementById("theme").click()`
	browsertest.Eval[any](ctx, t, press)
	if back := browsertest.Eval[measured](ctx, t, contrasts).Back; back != light.Back {
		t.Errorf("the button turned dark to a luminance of %.2f, want %.2f", back, light.Back)
	}
	browsertest.Eval[any](ctx, t, press)
	emulate(ctx, t, "light", "")
	if back := browsertest.Eval[measured](ctx, t, contrasts).Back; back != dark.Back {
		t.Errorf("chosen dark, a system of light colours makes it a luminance of %.2f", back)
	}
}

// checkWidths: from a phone to a wide screen nothing needs scrolling sideways but tables, and labels of ranks do not overlap.
func checkWidths(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, width := range []int64{390, 768, 1280, 1920} {
		browsertest.Do(ctx, t, chromedp.EmulateViewport(width, 900))
		if w := browsertest.Eval[int64](ctx, t, `document.documentElement.scrollWidth`); w > width {
			t.Errorf("at %d pixels the page is %d wide", width, w)
		}
		overlaps := browsertest.Eval[int](ctx, t, `[...document.querySelectorAll(".chart:not(.parallel) .xlabels")].filter(x => {
			const boxes = [...x.children].map(c => c.getBoundingClientRect()).filter(b => b.width > 0);
			return boxes.some((b, i) => i > 0 && b.left < boxes[i - 1].right); }).length`)
		if overlaps > 0 {
			t.Errorf("at %d pixels the labels of %d charts overlap", width, overlaps)
		}
	}
	browsertest.Do(ctx, t, chromedp.EmulateViewport(1280, 900))
}

// checkKeyboard: the Tab key reaches all that acts, and Enter acts.
func checkKeyboard(ctx context.Context, t *testing.T) {
	t.Helper()
	browsertest.Eval[any](ctx, t, `document.activeElement.blur(); window.getSelection().removeAllRanges(); window.scrollTo(0, 0)`)
	reached := map[string]bool{}
	for range 60 {
		browsertest.Do(ctx, t, chromedp.KeyEvent(kb.Tab))
		const focused = `document.activeElement.id || document.activeElement.type || document.activeElement.tagName`
		reached[browsertest.Eval[string](ctx, t, focused)] = true
	}
	for _, want := range []string{"theme", "A", "SUMMARY", "range", "select-one", "button"} {
		if !reached[want] {
			t.Errorf("the Tab key does not reach %s, but %v", want, reached)
		}
	}
	toggled := browsertest.Eval[string](ctx, t, `document.getElementById("theme").focus(); document.getElementById("theme").textContent`)
	browsertest.Do(ctx, t, chromedp.KeyEvent(kb.Enter))
	if now := browsertest.Eval[string](ctx, t, `document.getElementById("theme").textContent`); now == toggled {
		t.Error("Enter on the colours' button does nothing")
	}
}

// checkPrint: on paper everything is there, closed or not, in dark on light.
func checkPrint(ctx context.Context, t *testing.T) {
	t.Helper()
	emulate(ctx, t, "dark", "print")
	least := browsertest.Eval[float64](ctx, t, `Math.min(...[...document.querySelectorAll("details > :not(summary)")].map(
		e => e.getBoundingClientRect().height))`)
	if least <= 0 {
		t.Error("printed, something closed stays closed")
	}
	if dark := browsertest.Eval[bool](ctx, t, `getComputedStyle(document.body).backgroundColor !== "rgb(255, 255, 255)"`); dark {
		t.Error("printed, the page is not white")
	}
	emulate(ctx, t, "", "")
	pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(pdf) < 20_000 {
		t.Errorf("the printed page has %d bytes and begins with %q", len(pdf), pdf[:min(5, len(pdf))])
	}
}
