package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ranksweep/ranksweep/cmd/sweep/browsertest"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// tab is a page in a headless browser.
type tab struct {
	t   *testing.T
	ctx context.Context // stands for the page
	log *browsertest.Log
}

func openTab(t *testing.T, address string) *tab {
	t.Helper()
	ctx, log := browsertest.Open(t, address)
	return &tab{t, ctx, log}
}

func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	return browsertest.Eval[T](b.ctx, b.t, expression)
}

// until waits for an expression to be true in the page.
func (b *tab) until(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !eval[bool](b, expression); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not true in the page: %s\n%s", expression, eval[string](b, `document.querySelector("main").innerText`))
		}
	}
}

// TestLivePageInBrowser watches a sweep that trains, from the list of sweeps to its verdict.
func TestLivePageInBrowser(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 60)
	s.jobs = "1"
	run := s.start(s.command())
	for deadline := time.Now().Add(2 * time.Minute); !s.trains() && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	server, address := s.serve()
	b := openTab(t, address)
	b.until(`document.querySelector("#connection").textContent === "live"`)
	browsertest.Do(b.ctx, b.t, chromedp.Navigate(eval[string](b, `document.querySelector("#sweeps td a").href`)))
	b.until(`document.querySelector("#connection").textContent === "live"`)

	// The page is never loaded again; what a person chose stays.
	eval[any](b, `void (window.same = true, window.steps = new Set(), window.drawn = [], document.addEventListener("replaced", () => {
		const begun = performance.now();
		requestAnimationFrame(() => setTimeout(() => drawn.push(performance.now() - begun)));
		for (const p of document.querySelectorAll(".trial progress")) steps.add(p.getAttribute("aria-label") + p.value);
	}))`)
	b.until(`document.querySelector("#now .trial .chip").textContent === "running" && document.querySelector("#now .trial svg") !== null`)
	strip := eval[[]string](b, `[...document.querySelectorAll(".strip li")].map(e => e.className)`)
	if len(strip) != 3 || strip[0] != "running" {
		t.Errorf("the ladder begins as %v", strip)
	}
	b.until(`[...document.querySelectorAll(".filters select option")].some(o => o.textContent === "done")`)
	eval[any](b, `void (() => {
		const s = [...document.querySelectorAll(".filters select")].find(s => [...s.options].some(o => o.value === "done"));
		s.value = "done"; s.dispatchEvent(new Event("input", {bubbles: true}));
		[...document.querySelectorAll(".trials th button")].find(b => b.textContent === "val_loss").click();
		document.querySelector(".arithmetic").open = true; document.querySelector("#ran pre").focus(); })()`)
	b.until(`document.querySelector("#now .chip").textContent === "finished"`)
	b.until(`document.querySelectorAll(".trials tbody tr").length > 3`)
	if code := run.wait(); code != exitOK {
		t.Fatalf("run = %d:\n%s", code, run.said.String())
	}
	b.until(`document.querySelector("h1 small") === null && document.querySelector("#now strong").textContent === "6 of at most 6 trials"`)
	if !eval[bool](b, `window.same && document.querySelector(".arithmetic").open &&
		document.activeElement === document.querySelector("#ran pre")`) {
		t.Error("the page was loaded again, closed what was open, or moved the focus")
	}
	got := eval[[]string](b, `[...new Set([...document.querySelectorAll(".trials tbody tr")].map(
		r => [...r.cells].find(c => c.textContent === "done") ? "done" : "other")), document.querySelector(".trials th[aria-sort]").textContent]`)
	if strings.Join(got, " ") != "done val_loss" {
		t.Errorf("rows shown, and the column they are sorted by: %v", got)
	}
	if n := eval[int](b, `steps.size`); n < 5 {
		t.Errorf("%d steps were seen to go by, want 5 at least", n)
	}
	t.Logf("drawn within ms: %v", eval[[]float64](b, `drawn.map(Math.round).sort((a, b) => b - a).slice(0, 5)`))
	b.sameNumbers(s)
	b.clean(address)

	if err := server.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := server.wait(); code != exitOK {
		t.Errorf("sweep serve ends with %d:\n%s", code, server.said.String())
	}
	b.until(`document.querySelector("#connection").textContent === "not connected"`)
}

// TestLargeLivePageInBrowser: with a token, from the list to a sweep of 1200 trials, whose parts come when asked for.
func TestLargeLivePageInBrowser(t *testing.T) {
	t.Parallel()
	s := &testSweep{t: t, dir: t.TempDir()}
	db, err := store.Open(t.Context(), s.path("runs", "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := db.CreateSweep(t.Context(), sweeptest.Info("large", 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	alphas := make([]float64, 200) // of 6 trials each
	for i := range alphas {
		alphas[i] = float64(i + 1)
	}
	r := sweeptest.Registration(alphas, []int{1, 2, 4}, []int64{0, 1})
	if err := db.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	recordSteps(t, db, r.Ladders[0].Rungs[0].Trials[0].Trial.Trial(), 4, trial.Outcome{
		State: trial.OutcomeDone, Step: 4, ValLoss: new(4.5), BestStep: 4, LastValLoss: new(4.5), TrainLoss: new(4.65), Tokens: 2016,
		TrainSeconds: 3.5,
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, address := s.serve("--token", "a b&c 0123456789")
	b := openTab(t, address+"?token=a+b%26c+0123456789")
	browsertest.Do(b.ctx, b.t, chromedp.Navigate(eval[string](b, `document.querySelector("#sweeps td a").href`)))
	b.until(`document.querySelector("#connection").textContent === "live"`)
	for part, there := range map[string]string{
		"axes":    `document.querySelectorAll("#axes tbody tr").length === 200`,
		"ladders": `document.querySelectorAll("#ladders details.ladder").length === 200`,
		"trials":  `document.querySelectorAll(".trials tbody tr").length > 0 && !document.querySelector(".filters").hidden`,
	} {
		eval[any](b, fmt.Sprintf(`document.querySelector('[data-load=%q]').click()`, part))
		b.until(there)
		b.until(fmt.Sprintf(`document.querySelector('[data-part=%q]').textContent.includes("As of ")`, part))
	}
	b.clean(address)
}

// sameNumbers holds every number of the page's table of trials against report -o json.
func (b *tab) sameNumbers(s *testSweep) {
	b.t.Helper()
	out, err := s.sweep("report", "test", "-o", "json").Output()
	if err != nil {
		b.t.Fatal(err)
	}
	var body any
	if err := json.Unmarshal(out, &body); err != nil {
		b.t.Fatal(err)
	}
	cells := eval[[]struct{ At, Value string }](b, `[...document.querySelectorAll("td[data-key]")].map(c => (
		{At: c.parentElement.dataset.at + "." + c.dataset.key, Value: c.dataset.value}))`)
	if len(cells) < 6*5 {
		b.t.Fatalf("the page has %d numbers", len(cells))
	}
	for _, c := range cells {
		want := body
		for name := range strings.SplitSeq(c.At, ".") {
			if list, ok := want.([]any); ok {
				i, err := strconv.Atoi(name)
				if err != nil || i >= len(list) {
					b.t.Fatalf("%s is not in the report", c.At)
				}
				want = list[i]
				continue
			}
			fields, _ := want.(map[string]any)
			want = fields[name]
		}
		if got, err := strconv.ParseFloat(c.Value, 64); err != nil || got != want {
			b.t.Errorf("%s is %s in the page, %v in the report", c.At, c.Value, want)
		}
	}
}

// clean: nothing was asked for elsewhere, and the browser complains of nothing.
func (b *tab) clean(address string) {
	b.t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range b.log.Requests() {
		if to, err := url.Parse(r); err != nil || to.Host != at.Host && to.Scheme != "data" {
			b.t.Errorf("the page asks for %s", r)
		}
	}
	if len(b.log.Requests()) < 4 { // two pages and their streams
		b.t.Errorf("requests seen: %v", b.log.Requests())
	}
	if len(b.log.Complaints()) > 0 {
		b.t.Errorf("the browser complains: %s", strings.Join(b.log.Complaints(), "\n"))
	}
}
