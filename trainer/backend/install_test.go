package backend

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomlx/go-xla/pjrt"
)

const pluginBody = "a plug-in, for the purposes of this test"

// mirror is a local server that speaks GitHub's and PyPI's protocols for one plug-in.
type mirror struct {
	*httptest.Server
	wheel, release []byte
	noRelease      bool
	digest         string       // of the release; "" means the right one, "none" that it lists none
	cut            atomic.Int64 // downloads to break off half-way
	downloads      atomic.Int64
	ranges         atomic.Int64 // downloads that continued
}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	m := &mirror{wheel: zipOf(t, "pkg/pjrt_c_api_cpu_plugin.so"), release: tarOf(t, "pjrt_c_api_cpu_v9.9.9_plugin.so")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/gomlx/pjrt-cpu-binaries/releases/tags/{tag}", m.serveRelease)
	mux.HandleFunc("GET /pypi/lammps-jax-pjrt-cpu/json", m.serveProject)
	mux.HandleFunc("GET /wheel", func(w http.ResponseWriter, r *http.Request) { m.serveFile(w, r, m.wheel) })
	mux.HandleFunc("GET /release", func(w http.ResponseWriter, r *http.Request) { m.serveFile(w, r, m.release) })
	m.Server = httptest.NewServer(mux)
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) serveRelease(w http.ResponseWriter, r *http.Request) {
	if m.noRelease || r.PathValue("tag") != pjrt.DefaultCPUVersion {
		http.NotFound(w, r)
		return
	}
	asset := map[string]string{
		"name":                 fmt.Sprintf("pjrt_cpu_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH),
		"browser_download_url": m.URL + "/release",
	}
	switch m.digest {
	case "":
		asset["digest"] = "sha256:" + hashOf(m.release)
	case "none":
	default:
		asset["digest"] = m.digest
	}
	writeJSON(w, map[string]any{"assets": []any{asset}})
}

func (m *mirror) serveProject(w http.ResponseWriter, _ *http.Request) {
	file := map[string]string{"filename": "p-0.11.2-py3-none-manylinux_2_27_x86_64.whl", "url": "../../wheel"} // as mirrors write it
	writeJSON(w, map[string]any{"releases": map[string]any{"0.11.2": []any{file}}})
}

func (m *mirror) serveFile(w http.ResponseWriter, r *http.Request, body []byte) {
	m.downloads.Add(1)
	if r.Header.Get("Range") != "" {
		m.ranges.Add(1)
	}
	if m.cut.Add(-1) >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// options install the release of the mirror into a fresh folder, with a stand-in for running the plug-in.
func (m *mirror) options(t *testing.T) InstallOptions {
	t.Helper()
	release := releaseAt(m.URL)
	return InstallOptions{
		Dir: filepath.Join(t.TempDir(), "lib"), WheelIndex: m.URL, pause: time.Millisecond, cpu: &release,
		try: func(_ context.Context, path string) error {
			b, err := os.ReadFile(path)
			if err == nil && string(b) != pluginBody {
				err = errors.New("it is broken")
			}
			return err
		},
	}
}

// TestInstallWithoutAFolder: the first folder of the search path is taken, not the one the program happens to run in.
func TestInstallWithoutAFolder(t *testing.T) { //nolint:paralleltest // it sets the environment
	lib := filepath.Join(t.TempDir(), "lib")
	t.Setenv(pjrt.PJRTPluginPathsEnv, lib)
	o := newMirror(t).options(t)
	o.Dir = ""
	path, err := install(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(path) != lib {
		t.Errorf("the plug-in lies in %s, want %s", path, lib)
	}
}

// install returns the path of the plug-in.
func install(t *testing.T, o InstallOptions) (string, error) {
	t.Helper()
	c, err := Install(t.Context(), o)
	return c.PluginPath, err
}

func TestInstallRelease(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	o := m.options(t)
	path, err := install(t, o)
	if err != nil || filepath.Base(path) != "pjrt_c_api_cpu_v9.9.9_plugin.so" {
		t.Fatalf("Install = %q, %v", path, err)
	}
	wantFiles(t, o.Dir, filepath.Base(path))
	again, err := install(t, o)
	if err != nil || again != path || m.downloads.Load() != 1 {
		t.Errorf("second Install = %q, %v after %d downloads, want the same file and one download", again, err, m.downloads.Load())
	}
}

// TestInstallTakesThePinnedWheel: where there is one for the machine, nothing else is asked for.
func TestInstallTakesThePinnedWheel(t *testing.T) {
	t.Parallel()
	if err := checkMachine("the wheel"); err != nil {
		t.Skipf("SKIPPED, %v", err)
	}
	m := newMirror(t)
	o := m.options(t)
	o.cpu = nil
	path, err := install(t, o)
	if err == nil || !strings.Contains(err.Error(), "want "+pinnedWheel().sha256) || m.downloads.Load() != 1 {
		t.Errorf("Install = %q, %v after %d downloads, want the wheel alone, and its checksum refused", path, err, m.downloads.Load())
	}
	wantFiles(t, o.Dir)
}

func TestInstallWheel(t *testing.T) {
	t.Parallel()
	if err := checkMachine("the wheel"); err != nil {
		t.Skipf("SKIPPED, %v", err)
	}
	tests := []struct {
		name   string
		plugin string // what the wheel's plug-in should hold
		err    string
	}{
		{"good", pluginBody, ""},
		{"a plug-in with another checksum", "another plug-in", "want " + hashOf([]byte("another plug-in"))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMirror(t)
			o := m.options(t)
			if err := os.MkdirAll(o.Dir, 0o755); err != nil {
				t.Fatal(err)
			}
			w := pinnedWheel()
			w.sha256, w.pluginSHA256 = hashOf(m.wheel), hashOf([]byte(test.plugin))
			path, err := o.from(t.Context(), source{"wheel", func(ctx context.Context) (artefact, error) {
				return lookupPlugin(ctx, m.URL, w)
			}})
			if test.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				wantFiles(t, o.Dir, filepath.Base(path))
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("from = %q, %v, want an error with %q", path, err, test.err)
			}
			wantFiles(t, o.Dir)
		})
	}
}

func TestInstallRepairsABrokenPlugin(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	o := m.options(t)
	write(t, o.Dir, "pjrt_c_api_cpu_plugin.so", "half of")
	var said []string
	o.Progress = func(p Progress) { said = append(said, p.Message) }
	path, err := install(t, o)
	if err != nil || !strings.HasSuffix(path, "v9.9.9_plugin.so") {
		t.Fatalf("Install beside a broken plug-in = %q, %v", path, err)
	}
	if !strings.Contains(strings.Join(said, "\n"), "it is broken") {
		t.Errorf("progress %q does not say that the old one is broken", said)
	}
}

func TestInstallContinuesAfterAnInterruption(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	m.cut.Store(1)
	o := m.options(t)
	if _, err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if m.downloads.Load() != 2 || m.ranges.Load() != 1 {
		t.Errorf("%d requests, %d of them for the rest, want 2 and 1", m.downloads.Load(), m.ranges.Load())
	}
}

func TestInstallFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, m *mirror, o *InstallOptions)
		want  string
	}{
		{"no release", func(_ *testing.T, m *mirror, _ *InstallOptions) { m.noRelease = true }, "404 Not Found"},
		{
			"release with another checksum",
			func(_ *testing.T, m *mirror, _ *InstallOptions) { m.digest = "sha256:" + strings.Repeat("0", 64) }, "want " + strings.Repeat("0", 64),
		},
		{"release without a checksum", func(_ *testing.T, m *mirror, _ *InstallOptions) { m.digest = "none" }, "lists no SHA-256"},
		{"release without a plug-in", func(t *testing.T, m *mirror, _ *InstallOptions) {
			t.Helper()
			m.release = tarOf(t, "README")
		}, "no pjrt_c_api_cpu*_plugin.so in it"},
		{"a plug-in that does not run", func(_ *testing.T, _ *mirror, o *InstallOptions) {
			o.try = func(context.Context, string) error { return errors.New("illegal instruction") }
		}, "illegal instruction"},
		{"always interrupted", func(_ *testing.T, m *mirror, _ *InstallOptions) { m.cut.Store(1000) }, "unexpected EOF"},
		{"no network", func(_ *testing.T, m *mirror, _ *InstallOptions) { m.Close() }, "connection refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMirror(t)
			o := m.options(t)
			test.spoil(t, m, &o)
			path, err := install(t, o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("Install = %q, %v, want an error with %q", path, err, test.want)
			}
			wantFiles(t, o.Dir)
		})
	}
}

func TestInstallsAtOnceDownloadOnce(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	o := m.options(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := Install(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := m.downloads.Load(); n != 1 {
		t.Errorf("8 installations at once downloaded %d times, want once", n)
	}
}

func TestInstallTidiesUpAfterAKill(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	o := m.options(t)
	write(t, o.Dir, ".installing-123/archive.tar.gz", "half of an archive")
	path, err := install(t, o)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, o.Dir, filepath.Base(path))
}

func TestInstallStopsWithItsContext(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	o := m.options(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Done > 0 {
			cancel()
		}
	}
	o.try = func(ctx context.Context, _ string) error { return ctx.Err() }
	if _, err := Install(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Install after cancel: %v", err)
	}
	wantFiles(t, o.Dir)
}

func TestInstallIntoAFolderThatCannotBe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), "file", "")
	if _, err := Install(t.Context(), InstallOptions{Dir: filepath.Join(file, "lib")}); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("Install below a file: %v, want an error that names --dir", err)
	}
}

// TestInstalledPluginWorks runs the real check on the real plug-in.
func TestInstalledPluginWorks(t *testing.T) {
	t.Parallel()
	c := requireCPU(t)
	path, err := install(t, InstallOptions{Dir: filepath.Dir(c.PluginPath)})
	if err != nil || path != c.PluginPath {
		t.Errorf("Install where %s works = %q, %v", c.PluginPath, path, err)
	}
}

// wantFiles checks that the folder holds these plug-ins and nothing else but the lock.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.Name() != ".install.lock" {
			got = append(got, e.Name())
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func zipOf(t testing.TB, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write([]byte(pluginBody))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t testing.TB, name string) []byte {
	t.Helper()
	return archiveOf(t, tar.Header{Name: name, Mode: 0o644, Size: int64(len(pluginBody))})
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func writeJSON(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}
