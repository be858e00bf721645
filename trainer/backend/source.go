package backend

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"

	"github.com/ranksweep/ranksweep/sweep/trial"
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

// The two indexes, and how long one may take to answer.
const (
	releaseIndex = "https://api.github.com"
	wheelIndex   = "https://pypi.org"
	lookupTime   = 15 * time.Second
)

// source is where the CPU plug-in comes from: the pinned wheel, or go-xla's release on a machine that the wheel is not made for. The
// release never stands in for a wheel that cannot be had: who keeps it away would choose what is verified less.
func (o InstallOptions) source() source {
	switch {
	case o.cpu != nil:
		return *o.cpu
	case checkMachine("") == nil:
		return source{"wheel " + pinnedWheel().String(), func(ctx context.Context) (artefact, error) {
			return lookupPlugin(ctx, cmp.Or(o.WheelIndex, wheelIndex), pinnedWheel())
		}}
	}
	return releaseAt(releaseIndex)
}

func releaseAt(index string) source {
	return source{"go-xla's release " + pjrt.DefaultCPUVersion, func(ctx context.Context) (artefact, error) {
		return lookupRelease(ctx, index)
	}}
}

// lookupRelease finds the archive of the plug-in version that go-xla was tested with. Its checksum is what the release's page states: it
// tells what was damaged on its way, not what GitHub or who writes there has changed. A release that lists none is refused.
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

// lookupPlugin finds the address of a wheel that holds a CPU plug-in; its checksum is ours, not the index's.
func lookupPlugin(ctx context.Context, index string, w pluginWheel) (artefact, error) {
	if err := checkMachine(w.String()); err != nil {
		return artefact{}, err
	}
	file, address, err := locate(ctx, index, w.wheel, installer.PipPackageLinuxAMD64())
	if err != nil {
		return artefact{}, err
	}
	return artefact{
		name: file, url: address, sha256: w.sha256, zipped: true, plugin: w.plugin, pluginSHA256: w.pluginSHA256,
	}, nil
}

// checkMachine refuses what is made for another kind of machine: the pinned plug-ins are programs for Linux on amd64.
func checkMachine(what string) error {
	if runtime.GOOS != pinnedOS || runtime.GOARCH != pinnedArch {
		return fmt.Errorf("%s is for %s/%s, this is %s/%s", what, pinnedOS, pinnedArch, runtime.GOOS, runtime.GOARCH)
	}
	return nil
}

// locate asks an index for a wheel's file name and address. fits tells the right one from those for other machines.
func locate(ctx context.Context, index string, w wheel, fits *regexp.Regexp) (file, address string, err error) {
	var info installer.PipPackageInfo
	page := fmt.Sprintf("%s/pypi/%s/json", index, w.project)
	if err := getJSON(ctx, page, &info); err != nil {
		return "", "", err
	}
	release, err := installer.PipSelectRelease(info.Releases[w.version], fits, true)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", w, err)
	}
	address, err = relativeTo(page, release.URL)
	if err != nil {
		return "", "", fmt.Errorf("%s: address of %s: %w", page, release.Filename, err)
	}
	return release.Filename, address, nil
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
	text, err := io.ReadAll(io.LimitReader(resp.Body, trial.MostJSON+1))
	if err == nil && len(text) > trial.MostJSON {
		err = fmt.Errorf("it has more than %s, which no index has", trial.FormatBytes(trial.MostJSON))
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	return nil
}
