package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// probeCache remembers probes of plug-ins in the user's cache folder: hashing and loading 200 MB takes a second, and every
// command and every worker resolves the backend. An entry belongs to one file in one state (path, size, time of change) on
// one machine with one set of GPUs. The empty folder name means no cache; a cache that cannot be read or written costs
// only time.
type probeCache string

func openProbeCache() probeCache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return probeCache(filepath.Join(dir, "ranksweep", "plugins"))
}

// entry returns the file that holds the answer for the plug-in as it is now.
func (c probeCache) entry(path string) (string, bool) {
	info, err := os.Stat(path)
	if c == "" || err != nil {
		return "", false
	}
	key := fmt.Sprintf("4 %s %d %d %s %s", path, info.Size(), info.ModTime().UnixNano(), Versions()["go-xla"], machine())
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(string(c), hex.EncodeToString(sum[:12])+".json"), true
}

// machine names what a probe depends on beside the file: the host, and the GPUs and the driver that it sees.
func machine() string {
	host, hostErr := os.Hostname()
	gpus, globErr := filepath.Glob("/dev/nvidia[0-9]*")
	driver, driverErr := os.ReadFile("/sys/module/nvidia/version") // absent where there is no driver
	return fmt.Sprint(host, hostErr != nil, gpus, globErr != nil, string(driver), driverErr != nil, os.Getenv("CUDA_VISIBLE_DEVICES"))
}

func (c probeCache) load(path string) (probeResult, bool) {
	name, ok := c.entry(path)
	if !ok {
		return probeResult{}, false
	}
	b, err := trial.ReadInput(name, trial.MostJSON)
	if err != nil {
		return probeResult{}, false
	}
	var p probeResult
	if json.Unmarshal(b, &p) != nil || len(p.SHA256) != sha256.Size*2 {
		return probeResult{}, false
	}
	return p, true
}

func (c probeCache) save(path string, p probeResult) {
	name, ok := c.entry(path)
	if !ok || os.MkdirAll(string(c), 0o755) != nil {
		return
	}
	b, err := json.Marshal(p)
	if err != nil {
		return
	}
	tmp, err := os.CreateTemp(string(c), ".tmp-*")
	if err != nil {
		return
	}
	_, err = tmp.Write(b)
	if closeErr := tmp.Close(); err != nil || closeErr != nil || os.Rename(tmp.Name(), name) != nil {
		_ = os.Remove(tmp.Name())
	}
}

// fileSHA256 returns the hexadecimal SHA-256 of a file.
func fileSHA256(path string) (string, error) {
	f, err := trial.OpenInput(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
