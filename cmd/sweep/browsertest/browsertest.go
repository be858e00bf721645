package browsertest

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Log is what a page asked for and complained about.
type Log struct {
	mu         sync.Mutex
	requests   []string
	complaints []string
}

// Requests are the addresses that the page asked for, its own among them.
func (l *Log) Requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.requests)
}

// Complaints are what the browser's console was told.
func (l *Log) Complaints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.complaints)
}

func (l *Log) listen(event any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		l.requests = append(l.requests, e.Request.URL)
	case *runtime.EventConsoleAPICalled:
		l.complaints = append(l.complaints, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		l.complaints = append(l.complaints, fmt.Sprintf("exception: %+v", *e.ExceptionDetails))
	case *log.EventEntryAdded:
		l.complaints = append(l.complaints, e.Entry.Text)
	}
}

// Open opens an address in a headless Chromium, in a tab of 1280 by 900 pixels for which the context stands. Without a browser the test
// is skipped, loudly.
func Open(t *testing.T, address string) (context.Context, *Log) {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		t.Skip("==== NO BROWSER: the page was not opened; make browser installs Debian's chromium and runs this test ====")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	l := &Log{}
	ctx, quit := chromedp.NewContext(allocator, chromedp.WithListener(l.listen))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); quit() })
	Do(ctx, t, chromedp.EmulateViewport(1280, 900))
	Call(ctx, t, network.Enable, network.EnableParams{})
	Call(ctx, t, log.Enable, cdp.Empty{})
	Do(ctx, t, chromedp.Navigate(address))
	return ctx, l
}

// Do performs actions, or ends the test.
func Do(ctx context.Context, t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// Call gives the browser a command of its protocol, or ends the test.
func Call[P, R any](ctx context.Context, t *testing.T, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		t.Fatal(err)
	}
}

// Eval returns what an expression is in the page, or ends the test.
func Eval[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}
