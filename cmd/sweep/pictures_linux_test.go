package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/ranksweep/ranksweep/cmd/sweep/browsertest"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

//nolint:gochecknoglobals // a flag
var pictures = flag.String("pictures", "", "folder to draw the pictures of README.md into, from a sweep that trains for minutes")

// TestPictures runs the quickstart and draws it: the live page and the terminal on the way, the report at the end.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("make pictures draws them")
	}
	s := &testSweep{t: t, dir: t.TempDir(), platform: backend.PlatformCPU}
	t.Cleanup(func() { s.killWorkers() })
	run := s.start(s.sweep("run", fromTop("experiments/quickstart.yaml"), "--backend", s.platform))
	s.until(func(snapshot sweep.Snapshot) bool { return pictured(snapshot) }, run)
	watch := watchOf(t, s.path("runs"), "quickstart")
	watch = drawn(watch, tea.WindowSizeMsg{Width: 100, Height: 30}, watch.load(true)())
	finished := regexp.MustCompile(`▸ .*  done `)
	for range watch.data.trials { // to one that has a whole curve
		if !finished.MatchString(strings.Join(watch.lines(), "\n")) {
			watch = drawn(watch, tea.KeyPressMsg{Code: tea.KeyDown})
		}
	}
	terminal := s.path("terminal.html")
	if err := os.WriteFile(terminal, []byte(terminalPage(strings.Join(watch.lines(), "\n"))), 0o600); err != nil {
		t.Fatal(err)
	}
	_, address := s.serve()
	live := openTab(t, address)
	live.until(`document.querySelector("#connection").textContent === "live"`)
	browsertest.Do(live.ctx, t, chromedp.Navigate(eval[string](live, `document.querySelector("#sweeps td a").href`)))
	live.until(`document.querySelector("#connection").textContent === "live" && document.querySelector("#now .trial svg") !== null`)
	eval[any](live, `document.querySelector("#now").scrollIntoView()`)
	live.picture("live", 1280, 900, "light")
	live.picture("live-phone", 390, 844, "dark")
	screen := openTab(t, "file://"+terminal)
	size := eval[[]float64](screen, `(r => [r.width, r.height])(document.querySelector("main").getBoundingClientRect())`)
	screen.picture("watch", int64(math.Ceil(size[0])), int64(math.Ceil(size[1])), "dark")

	if code := run.wait(); code != exitOK {
		t.Fatalf("run = %d:\n%s", code, run.said.String())
	}
	page := s.path("report.html")
	if out, err := s.sweep("report", "-o", "html", "--out", page).CombinedOutput(); err != nil {
		t.Fatalf("report: %v\n%s", err, out)
	}
	report := openTab(t, "file://"+page)
	report.picture("report", 1280, 625, "light")
	report.picture("report-dark", 1280, 625, "dark")
}

// until waits for the quickstart to have come so far, as long as it runs.
func (s *testSweep) until(reached func(sweep.Snapshot) bool, run *running) {
	s.t.Helper()
	for {
		db, err := store.OpenReadOnly(s.t.Context(), s.path("runs", "sweep.db"))
		if err == nil {
			var info sweep.Info
			var snapshot sweep.Snapshot
			if info, err = db.Find(s.t.Context(), "quickstart"); err == nil {
				snapshot, err = db.Snapshot(s.t.Context(), info.ID)
			}
			_ = db.Close()
			if err == nil && reached(snapshot) {
				return
			}
		}
		select {
		case <-run.ended:
			s.t.Fatalf("the sweep ended before there was anything to draw:\n%s", run.said.String())
		case <-time.After(time.Second):
		}
	}
}

// pictured reports whether a few ranks are finished and a trial is well on its way.
func pictured(s sweep.Snapshot) bool {
	finished, trains := 0, false
	for _, l := range s.Ladders {
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				if t.Final() != nil {
					finished++
				} else if t.LastStep >= 75 {
					trains = true
				}
			}
		}
	}
	return finished >= 6 && trains
}

// picture writes what the tab shows at a size as <name>.png.
func (b *tab) picture(name string, width, height int64, scheme string) {
	b.t.Helper()
	browsertest.Do(b.ctx, b.t, chromedp.EmulateViewport(width, height))
	browsertest.Call(b.ctx, b.t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	body, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	shot, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, paletted(shot)); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), out.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// paletted is a picture in 256 colours, a third of the bytes: the most frequent ones of those that differ, so that dots keep theirs.
func paletted(shot image.Image) *image.Paletted {
	counts := map[color.RGBA]int{}
	for y := shot.Bounds().Min.Y; y < shot.Bounds().Max.Y; y++ {
		for x := shot.Bounds().Min.X; x < shot.Bounds().Max.X; x++ {
			r, g, b, _ := shot.At(x, y).RGBA()
			counts[color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}]++
		}
	}
	byCount := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	apart := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	var chosen []color.RGBA
	var palette color.Palette
	for _, c := range byCount {
		near := func(o color.RGBA) bool { return apart(c.R, o.R)+apart(c.G, o.G)+apart(c.B, o.B) < 16 }
		if len(palette) < 16 || len(palette) < 256 && !slices.ContainsFunc(chosen, near) {
			chosen, palette = append(chosen, c), append(palette, c)
		}
	}
	out := image.NewPaletted(shot.Bounds(), palette)
	draw.Draw(out, out.Rect, shot, shot.Bounds().Min, draw.Src)
	return out
}

// terminalPage is a page that shows lines as a terminal does, with the attributes and colours that sweep watch uses.
func terminalPage(text string) string {
	var b strings.Builder
	open, from := 0, 0
	for _, at := range regexp.MustCompile("\x1b\\[([0-9;]*)m").FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(cells(text[from:at[0]]))
		from = at[1]
		if codes := text[at[2]:at[3]]; codes == "" || codes == "0" {
			b.WriteString(strings.Repeat("</span>", open))
			open = 0
		} else {
			fmt.Fprintf(&b, `<span class="s%s">`, strings.ReplaceAll(codes, ";", " s"))
			open++
		}
	}
	b.WriteString(cells(text[from:]) + strings.Repeat("</span>", open))
	return `<!DOCTYPE html><meta charset="utf-8"><style>
body { margin: 0; }
main { background: #16181c; color: #d6d8dc; padding: 18px 22px; width: max-content; }
i { display: inline-block; width: 1ch; font-style: normal; }
pre { margin: 0; font: 15px/1.25 "DejaVu Sans Mono", "Noto Sans Mono", monospace; }
.s1 { font-weight: bold; color: #fff; } .s2 { opacity: 0.6; }
.s31 { color: #ff8f89; } .s32 { color: #7fd6a2; } .s33 { color: #f0c25e; } .s34 { color: #7fb0ff; }
</style><main><pre>` + b.String() + `</pre></main>`
}

// cells keeps characters that a browser may take from a wider font in their columns.
func cells(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > '~' {
			fmt.Fprintf(&b, "<i>%c</i>", r)
			continue
		}
		b.WriteString(html.EscapeString(string(r)))
	}
	return b.String()
}
