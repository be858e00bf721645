// Package raytest starts a real Ray head for tests: on loopback alone, on ports and in a folder of its own, and gone with the test.
//
// The variable SWEEP_RAY names the program ray of Python's package of that name. Without it the tests are skipped; make test-ray sets it.
package raytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/ray"
)

// host is of the loopback network, but not 127.0.0.1, for which Ray takes an address that others can reach.
const host = "127.0.0.2"

// Head is a Ray cluster of one node.
type Head struct {
	t       testing.TB
	program string
	folder  string
	ports   []int
	group   int // of all its processes; 0 while it is down
}

// Start starts a head with that many CPUs, or skips the test.
func Start(t testing.TB, cpus int) *Head {
	t.Helper()
	program := os.Getenv("SWEEP_RAY")
	if program == "" {
		t.Skip("SKIPPED: SWEEP_RAY names no program ray; make test-ray installs one")
	}
	folder, err := os.MkdirTemp("", "ray") //nolint:usetesting // a test's own folder has a longer name than sockets may have
	if err != nil {
		t.Fatal(err)
	}
	h := &Head{t: t, program: program, folder: folder}
	for range 4 {
		h.ports = append(h.ports, freePort(t))
	}
	t.Cleanup(func() {
		h.Stop()
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	h.Start(cpus)
	return h
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", host+":0") //nolint:noctx // it is closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it has done nothing
	return l.Addr().(*net.TCPAddr).Port
}

// Address is the dashboard's.
func (h *Head) Address() string { return "http://" + net.JoinHostPort(host, strconv.Itoa(h.ports[1])) }

// Settings are those of tests.
func (h *Head) Settings() ray.Settings { return ray.Settings{Address: h.Address()} }

// Start starts the head, anew and at the same address where it was stopped. It knows nothing then of the jobs that it had.
func (h *Head) Start(cpus int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // 20 s on two idle cores
	defer cancel()
	cmd := exec.CommandContext(ctx, h.program, "start", "--head", "--node-ip-address", host, "--dashboard-host", host,
		"--port", strconv.Itoa(h.ports[0]), "--dashboard-port", strconv.Itoa(h.ports[1]),
		"--dashboard-agent-listen-port", strconv.Itoa(h.ports[2]), "--ray-client-server-port", strconv.Itoa(h.ports[3]),
		"--num-cpus", strconv.Itoa(cpus), "--object-store-memory", strconv.Itoa(80<<20), "--temp-dir", h.folder,
		"--min-worker-port", "0", "--max-worker-port", "0", "--include-log-monitor=false", "--disable-usage-stats")
	cmd.Dir = h.folder
	cmd.Env = append(os.Environ(), "RAY_TMPDIR="+h.folder, "PATH="+filepath.Dir(h.program)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(h.folder, "start.log"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()                 //nolint:errcheck // the processes have descriptors of their own
	cmd.Stdout, cmd.Stderr = log, log // a file: they outlive the command, and a pipe would be waited for
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.group = cmd.Process.Pid
	if err := cmd.Wait(); err != nil {
		text, _ := os.ReadFile(log.Name())
		h.t.Fatalf("ray start: %v\n%s", err, text)
	}
}

// Stop ends every process of the head, and waits for the last. Jobs that run end with it.
func (h *Head) Stop() {
	h.t.Helper()
	if h.group == 0 {
		return
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-h.group, signal)
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if errors.Is(syscall.Kill(-h.group, 0), syscall.ESRCH) {
				h.group = 0
				return
			}
		}
	}
	h.t.Errorf("processes of group %d do not end", h.group)
}

// KillAgent kills the process of the head that takes jobs.
func (h *Head) KillAgent() {
	h.t.Helper()
	pids, err := h.named("ray::DashboardAgent")
	if err != nil || len(pids) != 1 {
		h.t.Fatalf("job agents %v, error %v, want one", pids, err)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
}

// named are the head's own processes of that name.
func (h *Head) named(name string) (pids []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, readErr := os.ReadFile(path)
		line, cmdErr := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if readErr != nil || cmdErr != nil {
			continue // gone meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		var state string
		var parent, group int // after the name in brackets, which may hold anything: proc_pid_stat(5)
		if _, err := fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &parent, &group); err != nil {
			return nil, err
		}
		if group == h.group && strings.Contains(string(line), name) {
			pids = append(pids, pid)
		}
	}
	return pids, err
}
