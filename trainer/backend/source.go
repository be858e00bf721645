package backend

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
)

// artefact is one exact archive that holds a CPU plug-in.
type artefact struct {
	name         string // for people
	url          string
	sha256       string // of the archive
	zipped       bool   // a zip file (wheel), else a .tar.gz
	plugin       string // base name of the plug-in inside, or a pattern of filepath.Match
	pluginSHA256 string // empty where only the archive's is known
}

// source is a place that a plug-in can come from.
type source struct {
	name   string
	lookup func(ctx context.Context) (artefact, error)
}

// The two indexes, and how long one may take to answer before the next source gets its chance.
const (
	releaseIndex = "https://api.github.com"
	wheelIndex   = "https://pypi.org"
	lookupTime   = 15 * time.Second
)

// sources lists where plug-ins come from, best first: go-xla's own release, then a pinned wheel.
func (o InstallOptions) sources() []source {
	return []source{
		{"go-xla's release " + pjrt.DefaultCPUVersion, func(ctx context.Context) (artefact, error) {
			return lookupRelease(ctx, cmp.Or(o.ReleaseIndex, releaseIndex))
		}},
		{"wheel " + pinnedWheel().String(), func(ctx context.Context) (artefact, error) {
			return lookupWheel(ctx, cmp.Or(o.WheelIndex, wheelIndex), pinnedWheel())
		}},
	}
}

// lookupRelease finds the archive of the plug-in version that go-xla was tested with. A release that lists no checksum is
// refused: nothing unverified is loaded.
func lookupRelease(ctx context.Context, index string) (artefact, error) {
	var release struct {
		Assets []struct {
			Name   string `json:"name"`
			URL    string `json:"browser_download_url"`
			Digest string `json:"digest"`
		} `json:"assets"`
	}
	page := fmt.Sprintf("%s/repos/%s/releases/tags/%s", index, installer.BinaryCPUReleasesRepo, pjrt.DefaultCPUVersion)
	if err := getJSON(ctx, page, &release); err != nil {
		return artefact{}, err
	}
	want := fmt.Sprintf("pjrt_cpu_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
	for _, a := range release.Assets {
		if a.Name != want {
			continue
		}
		sum, ok := strings.CutPrefix(a.Digest, "sha256:")
		if !ok {
			return artefact{}, fmt.Errorf("%s lists no SHA-256 for %s", page, want)
		}
		return artefact{name: want, url: a.URL, sha256: sum, plugin: "pjrt_c_api_cpu*_plugin.so"}, nil
	}
	return artefact{}, fmt.Errorf("%s has no %s", page, want)
}

// wheel is one exact file of the Python package index, and the plug-in inside it.
type wheel struct {
	project, version string
	sha256           string // of the wheel
	plugin           string // file name inside the wheel
	pluginSHA256     string
	goos, goarch     string
	platform         *regexp.Regexp // of the file's name
}

// pinnedWheel is the CPU plug-in that is fetched where go-xla's own release cannot be had: XLA of jaxlib 0.11.2, the
// fastest of the three wheels that hold one (measured, experiments/LOG.md 2026-11-23). It needs glibc 2.27.
func pinnedWheel() wheel {
	return wheel{
		project: "lammps-jax-pjrt-cpu", version: "0.11.2",
		sha256:       "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		plugin:       "pjrt_c_api_cpu_plugin.so",
		pluginSHA256: "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
		goos:         "linux", goarch: "amd64", platform: installer.PipPackageLinuxAMD64(),
	}
}

func (w wheel) String() string { return w.project + " " + w.version }

// lookupWheel finds the wheel's address; its checksum is ours, not the index's.
func lookupWheel(ctx context.Context, index string, w wheel) (artefact, error) {
	if runtime.GOOS != w.goos || runtime.GOARCH != w.goarch {
		return artefact{}, fmt.Errorf("%s is for %s/%s, this is %s/%s", w, w.goos, w.goarch, runtime.GOOS, runtime.GOARCH)
	}
	var info installer.PipPackageInfo
	page := fmt.Sprintf("%s/pypi/%s/json", index, w.project)
	if err := getJSON(ctx, page, &info); err != nil {
		return artefact{}, err
	}
	release, err := installer.PipSelectRelease(info.Releases[w.version], w.platform, true)
	if err != nil {
		return artefact{}, fmt.Errorf("%s: %w", w, err)
	}
	address, err := relativeTo(page, release.URL)
	if err != nil {
		return artefact{}, fmt.Errorf("%s: address of %s: %w", page, release.Filename, err)
	}
	return artefact{
		name: release.Filename, url: address, sha256: w.sha256, zipped: true,
		plugin: w.plugin, pluginSHA256: w.pluginSHA256,
	}, nil
}

// relativeTo completes an address found on a page: mirrors of the index write relative ones.
func relativeTo(page, address string) (string, error) {
	base, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	ref, err := base.Parse(address)
	if err != nil {
		return "", err
	}
	return ref.String(), nil
}

// getJSON reads one small document of an index.
func getJSON(ctx context.Context, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	return nil
}
