package backend

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUntarWritesOneFile: of an archive only the plug-in is written, into the folder, whatever else is in it and how it is named.
func TestUntarWritesOneFile(t *testing.T) {
	t.Parallel()
	const plugin = "pjrt_c_api_cpu_v9_plugin.so"
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	file := func(name string) tar.Header { return tar.Header{Name: name, Mode: 0o644, Size: int64(len(pluginBody))} }
	for name, tc := range map[string]struct {
		members []tar.Header
		most    int64
		want    string // of the error
	}{
		"plug-in":            {members: []tar.Header{file("README"), file("lib/" + plugin)}},
		"through a link":     {members: []tar.Header{link("x", "../../../escaped"), file("x"), file(plugin)}},
		"beside the folder":  {members: []tar.Header{file("../unpacked-evil"), file(plugin)}},
		"plug-in above":      {members: []tar.Header{file("../../" + plugin)}},
		"plug-in is a link":  {members: []tar.Header{link(plugin, "/etc/passwd")}, want: "no pjrt_c_api_cpu*_plugin.so in it"},
		"link, then plug-in": {members: []tar.Header{link(plugin, "../escaped"), file(plugin)}},
		"large":              {members: []tar.Header{file("README"), file(plugin)}, most: 1024, want: "unpacks to more than 1 KiB"},
		"other file large":   {members: []tar.Header{{Name: "README", Size: 1 << 40}}, most: 1024, want: "unpacks to more than 1 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			archive, work := filepath.Join(dir, "archive.tar.gz"), filepath.Join(dir, "a", "b", "unpacked")
			write(t, dir, "archive.tar.gz", string(archiveOf(t, tc.members...)))
			must(t, os.MkdirAll(work, 0o755))
			path, err := untar(archive, "pjrt_c_api_cpu*_plugin.so", work, cmp.Or(tc.most, mostBytes))
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("untar = %v, want %q", err, tc.want)
				}
			} else if text, readErr := os.ReadFile(filepath.Join(work, plugin)); path != filepath.Join(work, plugin) || string(text) != pluginBody {
				t.Errorf("untar = %s, %v: %q, %v", path, err, text, readErr)
			}
			must(t, filepath.WalkDir(dir, func(found string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && found != archive && (found != path || tc.want != "") {
					t.Errorf("wrote %s", found)
				}
				return err
			}))
		})
	}
}

// archiveOf is a .tar.gz with these members. Files hold pluginBody, as far as their sizes let them.
func archiveOf(t testing.TB, members ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, m := range members {
		must(t, w.WriteHeader(&m))
		if m.Size > 0 {
			_, err := w.Write([]byte(pluginBody))
			must(t, err)
		}
	}
	_ = w.Flush() // it minds a file that is shorter than its size
	must(t, gz.Close())
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
