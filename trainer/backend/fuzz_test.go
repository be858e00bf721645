package backend

import (
	"archive/tar"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzReplies reads any page of a release or of the package index, and any archive: installing from it comes to an end, with an error or
// with a plug-in in the folder, and nothing is written elsewhere. In a page, HOST is the server and SUM the archive's SHA-256.
func FuzzReplies(f *testing.F) {
	const (
		release = `{"assets": [{"name": "pjrt_cpu_linux_amd64.tar.gz", "browser_download_url": "HOST/f", "digest": "sha256:SUM"}]}`
		project = `{"releases": {"0.11.2": [{"filename": "p-manylinux_2_27_x86_64.whl", "url": "../../f"}]}}`
		plugin  = "pjrt_c_api_cpu_plugin.so"
	)
	link := tar.Header{Typeflag: tar.TypeSymlink, Name: "x", Linkname: "../../../escaped"}
	for _, file := range [][]byte{
		tarOf(f, plugin), archiveOf(f, link, tar.Header{Name: "x"}, tar.Header{Name: "../" + plugin}), zipOf(f, "../"+plugin), []byte("PK"), nil,
	} {
		f.Add(release, file)
		f.Add(project, file)
	}
	f.Add("null", []byte{})
	f.Add(`{"assets": [null], "releases": {"0.11.2": [null, {"filename": "manylinux_2_27_x86_64.whl", "url": "::"}]}}`, []byte{})
	f.Add("<html>", []byte{})
	var page string
	var archive []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/repos/") || strings.HasPrefix(r.URL.Path, "/pypi/") {
			_, _ = w.Write([]byte(page))
			return
		}
		_, _ = w.Write(archive)
	}))
	f.Cleanup(server.Close)
	wheel := pinnedWheel()
	wheel.pluginSHA256 = ""
	f.Fuzz(func(t *testing.T, text string, file []byte) {
		wheel.sha256 = hashOf(file)
		page, archive = strings.NewReplacer("HOST", server.URL, "SUM", wheel.sha256).Replace(text), file
		for _, s := range []source{releaseAt(server.URL), {"wheel", func(ctx context.Context) (artefact, error) {
			return lookupPlugin(ctx, server.URL, wheel)
		}}} {
			outside := t.TempDir()
			const patience = 10 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			o := InstallOptions{Dir: filepath.Join(outside, "lib"), cpu: &s, pause: time.Millisecond}
			o.try = func(context.Context, string) error { return nil }
			c, err := Install(ctx, o)
			if ctx.Err() != nil {
				t.Errorf("%s: installing does not come to an end", s.name)
			}
			cancel()
			if err == nil {
				wantFiles(t, o.Dir, filepath.Base(c.PluginPath))
			} else {
				wantFiles(t, o.Dir)
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
				t.Errorf("%s: written beside the folder: %v, %v", s.name, entries, err)
			}
		}
	})
}
