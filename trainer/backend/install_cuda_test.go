package backend

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
)

// wheelServer is an index of wheels of this test.
type wheelServer struct {
	*httptest.Server
	set    cudaSet
	bodies map[string][]byte // by project

	mu   sync.Mutex
	log  []string       // projects asked for, "+" where only the rest was
	cuts map[string]int // by project: how many requests to break off half-way
}

// newWheelServer offers the stand-in for the plug-in as one wheel, and that for a library as another.
func newWheelServer(t *testing.T) *wheelServer {
	t.Helper()
	if err := checkMachine("the set"); err != nil {
		t.Skipf("SKIPPED, %v", err)
	}
	site := t.TempDir()
	backendtest.Plugin(t, site)
	s := &wheelServer{bodies: map[string][]byte{}, cuts: map[string]int{}}
	s.set = cudaSet{name: "cuda13-9", plugin: "jax_plugins/xla_cuda13/xla_cuda_plugin.so", version: "pjrt 9", unpacked: 1 << 20, driver: 13000}
	s.add("pjrt", zipTree(t, site, "jax_plugins"))
	s.add("nvidia-cublas", zipTree(t, site, "nvidia"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pypi/{project}/json", func(w http.ResponseWriter, r *http.Request) {
		file := map[string]string{"filename": "p-9-py3-none-manylinux_2_27_x86_64.whl", "url": "/wheel/" + r.PathValue("project")}
		writeJSON(w, map[string]any{"releases": map[string]any{"9": []any{file}}})
	})
	mux.HandleFunc("GET /wheel/{project}", s.serve)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *wheelServer) add(project string, body []byte) {
	s.bodies[project] = body
	s.set.wheels = append(s.set.wheels, wheel{project, "9", hashOf(body), int64(len(body))})
}

func (s *wheelServer) serve(w http.ResponseWriter, r *http.Request) {
	project := r.PathValue("project")
	s.mu.Lock()
	asked := project
	if r.Header.Get("Range") != "" {
		asked += "+"
	}
	s.log = append(s.log, asked)
	cut := s.cuts[project] > 0
	s.cuts[project]--
	body := s.bodies[project]
	s.mu.Unlock()
	if cut {
		rest := body[:len(body)/2]
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(rest)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// asked returns what was asked for since the last time.
func (s *wheelServer) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := strings.Join(s.log, " ")
	s.log = nil
	return log
}

// options install into a fresh folder, as on a machine without a GPU.
func (s *wheelServer) options(t *testing.T) InstallOptions {
	t.Helper()
	return InstallOptions{
		Platform: PlatformCUDA, Dir: filepath.Join(t.TempDir(), "lib"), WheelIndex: s.URL, pause: time.Millisecond, cuda: &s.set,
		gpu: func() bool { return false },
	}
}

func TestInstallCUDA(t *testing.T) {
	t.Parallel()
	s := newWheelServer(t)
	o := s.options(t)
	write(t, o.Dir, ".wheels/other-1.whl", "of an older set")
	var first string
	o.Progress = func(p Progress) {
		if strings.Contains(p.Message, "to download") {
			first = p.Message + "; asked for: " + s.asked()
		}
	}
	c, err := Install(t.Context(), o)
	want := filepath.Join(o.Dir, "cuda13-9", s.set.plugin)
	if err != nil || c.PluginPath != want || c.Platform != PlatformCUDA || !strings.Contains(c.Notice, "no NVIDIA device") {
		t.Fatalf("Install = %+v, %v, want %s", c, err, want)
	}
	if !strings.HasPrefix(first, "pjrt 9 with 1 libraries of NVIDIA: ") || !strings.Contains(first, "1 MiB when unpacked in") ||
		!strings.HasSuffix(first, "asked for: ") {
		t.Errorf("first it said %q, want the sizes before anything is downloaded", first)
	}
	wantFiles(t, o.Dir, "cuda13-9")
	if info, err := os.Stat(want); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the plug-in: %v, %v, want the mode of the wheel", info, err)
	}
	if got := s.asked(); got != "pjrt nvidia-cublas" {
		t.Errorf("downloaded %s", got)
	}
	again, err := Install(t.Context(), o)
	if err != nil || again.PluginPath != want || s.asked() != "" {
		t.Errorf("second Install = %+v, %v, want the same and no download", again, err)
	}
}

func TestInstallCUDAContinues(t *testing.T) {
	t.Parallel()
	s := newWheelServer(t)
	o := s.options(t)
	s.cuts["nvidia-cublas"] = downloadTries
	c, err := Install(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "nvidia-cublas 9: ") || !strings.Contains(err.Error(), "continues") {
		t.Fatalf("Install = %+v, %v, want an error that names the wheel and says how to go on", c, err)
	}
	wantFiles(t, o.Dir, ".wheels")
	s.asked()
	if _, err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := s.asked(); got != "nvidia-cublas+" {
		t.Errorf("the second run downloaded %q, want only the rest of the second wheel", got)
	}
	wantFiles(t, o.Dir, "cuda13-9")
}

// TestInstallCUDAFailures breaks an installation. Nothing gets the final name, and a second run that meets no obstacle succeeds.
func TestInstallCUDAFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		spoil  func(t *testing.T, s *wheelServer, o *InstallOptions)
		want   string
		left   []string
		repair func(s *wheelServer)
		again  string // what the second run downloads
	}{
		{
			"a wheel with another checksum", func(t *testing.T, s *wheelServer, _ *InstallOptions) {
				t.Helper()
				s.bodies["nvidia-cublas"] = append([]byte("x"), s.bodies["nvidia-cublas"]...)
			},
			"nvidia-cublas 9: SHA-256 is",
			[]string{".wheels"},
			func(s *wheelServer) { s.bodies["nvidia-cublas"] = s.bodies["nvidia-cublas"][1:] }, "nvidia-cublas",
		},
		{
			"a damaged wheel of an earlier run", func(t *testing.T, s *wheelServer, o *InstallOptions) {
				t.Helper()
				write(t, o.Dir, ".wheels/pjrt-9.whl", string(s.bodies["nvidia-cublas"])+strings.Repeat("x", len(s.bodies["pjrt"])))
				s.cuts["pjrt"] = downloadTries
			},
			"pjrt 9: ",
			[]string{".wheels"},
			func(*wheelServer) {}, "pjrt+ nvidia-cublas",
		},
		{
			"no room", func(t *testing.T, s *wheelServer, _ *InstallOptions) {
				t.Helper()
				s.set.unpacked = 1 << 60
			},
			"it takes 1.0 EiB until the downloads are deleted", nil, func(s *wheelServer) { s.set.unpacked = 1 }, "pjrt nvidia-cublas",
		},
		{
			"no such wheel", func(t *testing.T, s *wheelServer, _ *InstallOptions) {
				t.Helper()
				s.set.wheels[1].version = "8"
			},
			"nvidia-cublas 8: no release found",
			[]string{".wheels"},
			func(s *wheelServer) { s.set.wheels[1].version = "9" }, "nvidia-cublas",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newWheelServer(t)
			o := s.options(t)
			test.spoil(t, s, &o)
			if c, err := Install(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("Install = %+v, %v, want an error with %q", c, err, test.want)
			}
			wantFiles(t, o.Dir, test.left...)
			s.asked()
			test.repair(s)
			if _, err := Install(t.Context(), o); err != nil {
				t.Fatalf("second Install: %v", err)
			}
			if got := s.asked(); got != test.again {
				t.Errorf("the second run downloaded %q, want %q", got, test.again)
			}
			wantFiles(t, o.Dir, "cuda13-9")
		})
	}
}

// TestInstallCUDAThatDoesNotLoad has wheels that are as pinned, and a library in them that is none.
func TestInstallCUDAThatDoesNotLoad(t *testing.T) {
	t.Parallel()
	s := newWheelServer(t)
	site := t.TempDir()
	write(t, site, "nvidia/cudnn/lib/libcudnn.so.9", "not a library")
	s.add("nvidia-cudnn", zipTree(t, site, "nvidia"))
	o := s.options(t)
	if c, err := Install(t.Context(), o); err == nil || !strings.Contains(err.Error(), "libcudnn.so.9: file too short") {
		t.Fatalf("Install = %+v, %v, want the library's name", c, err)
	}
	wantFiles(t, o.Dir, ".wheels")
	write(t, o.Dir, filepath.Join(s.set.name, s.set.plugin), "broken")
	s.asked()
	if _, err := Install(t.Context(), o); err == nil || !strings.Contains(err.Error(), "delete it") || s.asked() != "" {
		t.Errorf("Install where a broken one is: %v, want the advice to delete it, and no download", err)
	}
}

func TestInstallCUDAStopsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newWheelServer(t)
	o := s.options(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if strings.HasPrefix(p.Message, "unpacking 2") {
			cancel()
		}
	}
	if _, err := Install(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Install after cancel: %v", err)
	}
	wantFiles(t, o.Dir, ".wheels")
}

func TestInstallForAnUnknownPlatform(t *testing.T) {
	t.Parallel()
	_, err := Install(t.Context(), InstallOptions{Platform: "tpu", Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), `"tpu"`) {
		t.Errorf("Install for a TPU: %v", err)
	}
}

// zipTree packs a folder of site as a wheel does.
func zipTree(t *testing.T, site, folder string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	err := filepath.WalkDir(filepath.Join(site, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		header, err := zip.FileInfoHeader(info)
		if err != nil {
			return err
		}
		if header.Name, err = filepath.Rel(site, path); err != nil {
			return err
		}
		w, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = w.Write(body)
		return err
	})
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
