package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// cgroup is a real control group for memory, of version 1 or 2.
type cgroup struct{ dir, limit, kills string }

// newCgroup makes a group that may use so many bytes, or skips the test where it may not.
func newCgroup(t *testing.T, bytes int64) cgroup {
	t.Helper()
	name := fmt.Sprintf("ranksweep-test-%d", os.Getpid())
	var problems []error
	for _, g := range []cgroup{
		{filepath.Join("/sys/fs/cgroup/memory", name), "memory.limit_in_bytes", "memory.oom_control"},
		{filepath.Join("/sys/fs/cgroup", name), "memory.max", "memory.events"},
	} {
		if err := os.Mkdir(g.dir, 0o755); err != nil {
			problems = append(problems, err)
			continue
		}
		t.Cleanup(func() {
			for range 100 { // its last process may still be on its way out
				if syscall.Rmdir(g.dir) == nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Errorf("control group %s is left behind", g.dir)
		})
		err := os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(bytes, 10)), 0)
		if err == nil {
			return g
		}
		problems = append(problems, err)
	}
	t.Skipf("SKIPPED, needs a control group for memory that this user may make: %v", errors.Join(problems...))
	return cgroup{}
}

// within is the command inside the group.
func (g cgroup) within(cmd *exec.Cmd) *exec.Cmd {
	cmd.Args = append([]string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, g.dir, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return cmd
}

// killed is how many of its processes the kernel has killed for want of memory.
func (g cgroup) killed(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, g.kills))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			killed, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				t.Fatal(err)
			}
			return killed
		}
	}
	t.Skipf("SKIPPED, needs a kernel that counts kills for want of memory in %s", g.kills)
	return 0
}

// oomGrid has two ranks that need the same memory, some 260 MB in pure Go, so that what is known of the first lets the second begin. With
// half a batch they need 170 MB, which what the test leaves cannot hold either.
const oomGrid = `
name: test
model: builtin:gopher
data: {train: long.jsonl, validation: validation.jsonl, sequence_length: 64}
lora: {rank: [1, 2], alpha: 8, target_modules: [c_attn]}
train: {steps: 3, batch_size: 32, learning_rate: 1e-3, eval_steps: 3}
seeds: [0]
`

// TestKilledForWantOfMemory: while the first rank trains, others fill the container's memory, here with a file in a tmpfs. Its limit is
// what it was and the prediction is right, so the second rank begins, and the kernel kills its worker. The sweep ends with a verdict.
func TestKilledForWantOfMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: trains in a control group")
	}
	const mib = 1 << 20
	s := newTestSweep(t, backend.PlatformGo, 1)
	s.jobs = "1"
	group := newCgroup(t, 600*mib)
	shared := t.TempDir()
	if err := syscall.Mount("tmpfs", shared, "tmpfs", 0, "size=1g"); err != nil {
		t.Skipf("SKIPPED, needs to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(shared, 0); err != nil {
			t.Error(err)
		}
	})
	writeOOMInputs(t, s)
	run := s.start(group.within(s.command()))
	for deadline := time.Now().Add(5 * time.Minute); !firstIsDone(s); time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-run.ended:
			t.Fatalf("the sweep ended before its first rank: %v\n%s", err, run.said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("no loss of the first rank:\n%s", run.said.String())
		}
	}
	fill := group.within(exec.CommandContext(t.Context(),
		"/bin/dd", "if=/dev/zero", "of="+filepath.Join(shared, "others"), "bs=1M", "count=500"))
	if out, err := fill.CombinedOutput(); err != nil {
		t.Fatalf("fill the container: %v\n%s", err, out)
	}
	for range 3 {
		if !run.killed() {
			break
		}
		t.Log("the kernel has killed the coordinator too") // it may, while what it killed first still counts
		run = s.start(group.within(s.command()))
	}
	if code := run.wait(); code != exitOK {
		t.Errorf("exit code %d, want %d: every ladder has a verdict\n%s", code, exitOK, run.said.String())
	}
	if n := group.killed(t); n == 0 {
		t.Error("the kernel has killed no process")
	}
	checkMemoryLimited(t, s)
}

// killed waits for the end, and says whether it was SIGKILL's.
func (r *running) killed() bool {
	r.wait()
	status, ok := r.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// writeOOMInputs writes the grid and rows of 64 ids.
func writeOOMInputs(t *testing.T, s *testSweep) {
	t.Helper()
	var rows bytes.Buffer
	for i := range 64 {
		ids := make([]int, 64)
		for j := range ids {
			ids[j] = (i*7 + j*13) % 512
		}
		if err := json.NewEncoder(&rows).Encode(map[string][]int{"input_ids": ids}); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string][]byte{"grid.yaml": []byte(oomGrid), "long.jsonl": rows.Bytes()} {
		if err := os.WriteFile(s.path(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func firstIsDone(s *testSweep) bool {
	snapshot, ok := s.snapshot()
	return ok && len(snapshot.Ladders) > 0 && snapshot.Ladders[0].Rungs[0].Trials[0].State() == sweep.TrialDone
}

func checkMemoryLimited(t *testing.T, s *testSweep) {
	t.Helper()
	out, err := s.sweep("report", "test", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Ladders []struct {
			Verdict struct {
				State  plateau.State `json:"state"`
				Rank   int           `json:"recommended_rank"`
				Reason string        `json:"reason"`
			} `json:"verdict"`
			Rungs []struct {
				Trials []struct {
					Error string `json:"error"`
				} `json:"trials"`
			} `json:"rungs"`
		} `json:"ladders"`
	}
	if err := json.Unmarshal(out, &r); err != nil || len(r.Ladders) != 1 || len(r.Ladders[0].Rungs) != 2 {
		t.Fatalf("report: %v\n%s", err, out)
	}
	l := r.Ladders[0]
	const reason = "rank 2 needs more memory than the machine has"
	if v := l.Verdict; v.State != plateau.StateMemoryLimited || v.Rank != 1 || !strings.Contains(v.Reason, reason) {
		t.Errorf("verdict %s, rank %d: %s", v.State, v.Rank, v.Reason)
	}
	if said := l.Rungs[1].Trials[0].Error; !strings.Contains(said, "ran out of memory") {
		t.Errorf("the trial says %q", said)
	}
}
