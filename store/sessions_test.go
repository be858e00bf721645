package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// childEnv names the database on which this test binary, started as a child, plays another coordinator.
const childEnv = "STORE_TEST_COORDINATOR"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := coordinate(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// coordinate takes the lease of sweep 1, says so, and writes attempts until it is killed.
func coordinate(path string) error {
	ctx, t := context.Background(), registration().Ladders[0].Rungs[0].Trials[0].Trial
	db, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	session, err := db.StartSession(ctx, 1, sweep.NewClock().Now(), sweep.Coordinator{Host: "here", PID: os.Getpid()})
	if err != nil {
		return err
	}
	fmt.Println("holds the lease")
	for number := 1; ; number++ {
		if err := db.BeginAttempt(ctx, t.ID, number, trial.Assignment{}, time.Now()); err != nil {
			return err
		}
		if err := db.Heartbeat(ctx, session, sweep.NewClock().Now(), ""); err != nil {
			return err
		}
	}
}

// startCoordinator runs coordinate in a process of its own and waits until it holds the lease.
func startCoordinator(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "holds the lease\n" {
		t.Fatalf("the other coordinator said %q, %v", line, err)
	}
	return cmd
}

func TestOneCoordinatorPerSweepAndASuccessorAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openAt(t, path)
	id := register(t, db, "first")
	other := startCoordinator(t, path)

	_, err := db.StartSession(t.Context(), id, sweep.NewClock().Now(), sweep.Coordinator{Host: "here", PID: os.Getpid()})
	if !errors.Is(err, sweep.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", other.Process.Pid)) {
		t.Errorf("StartSession beside a living coordinator = %v, want ErrLocked and its process", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err == nil {
		t.Error("the other coordinator ended by itself")
	}
	session, err := db.StartSession(t.Context(), id, sweep.NewClock().Now(), sweep.Coordinator{Host: "here", PID: os.Getpid()})
	if err != nil {
		t.Fatalf("StartSession after the kill = %v", err)
	}
	if err := db.EndSession(t.Context(), session, sweep.NewClock().Now()); err != nil {
		t.Errorf("EndSession() = %v", err)
	}
}

func TestCoordinatedAsksTheLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sweep.db")
	id := register(t, openAt(t, path), "first")
	reader, err := store.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // it only reads
	coordinated := func(want bool) {
		t.Helper()
		if got, err := reader.Coordinated(id); got != want || err != nil {
			t.Errorf("Coordinated() = %v, %v, want %v", got, err, want)
		}
	}
	coordinated(false)
	if _, err := os.Stat(filepath.Join(dir, "locks", fmt.Sprintf("sweep-%d.lock", id))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the question left a lock file behind: %v", err)
	}
	other := startCoordinator(t, path)
	coordinated(true)
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err == nil {
		t.Error("the other coordinator ended by itself")
	}
	coordinated(false)
}

// TestQuestionsKeepNoCoordinatorOut: whoever asks holds the lock for a moment, which must not look like another coordinator.
func TestQuestionsKeepNoCoordinatorOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openAt(t, path)
	id := register(t, db, "first")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	asked := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := db.Coordinated(id); err != nil {
				asked <- err
				return
			}
			time.Sleep(time.Millisecond) // or nobody else would ever get the lock
		}
		asked <- nil
	}()
	for range 20 {
		session, err := db.StartSession(t.Context(), id, sweep.NewClock().Now(), sweep.Coordinator{Host: "here", PID: os.Getpid()})
		if err != nil {
			t.Fatalf("StartSession() beside questions = %v", err)
		}
		if err := db.EndSession(t.Context(), session, sweep.NewClock().Now()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

func TestReadersWorkWhileACoordinatorWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	id := register(t, openAt(t, path), "first")
	startCoordinator(t, path)
	reader, err := store.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatalf("OpenReadOnly() = %v", err)
	}
	defer reader.Close() //nolint:errcheck // it only reads
	attempts := func() int { return len(snapshot(t, reader, id).Ladders[0].Rungs[0].Trials[0].Attempts) }
	for seen, deadline := attempts(), time.Now().Add(20*time.Second); attempts() < seen+20; {
		if time.Now().After(deadline) {
			t.Fatal("the reader does not see what the coordinator writes")
		}
	}
	if err := reader.BeginAttempt(t.Context(), "x", 1, trial.Assignment{}, moment(0)); err == nil {
		t.Error("BeginAttempt on a database open for reading succeeded")
	}
}

func TestLeaseOfAnotherHostLapses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openAt(t, path)
	id := register(t, db, "first")
	if _, err := db.StartSession(t.Context(), id, instant(0), sweep.Coordinator{Host: "there", PID: 7}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // as a crash: no end is written, the kernel frees the lock
		t.Fatal(err)
	}
	successor := openAt(t, path)
	_, err := successor.StartSession(t.Context(), id, instant(29), sweep.Coordinator{Host: "here", PID: 8})
	if !errors.Is(err, sweep.ErrLocked) || !strings.Contains(err.Error(), "host there") {
		t.Errorf("StartSession within the lease = %v, want ErrLocked and the host", err)
	}
	if _, err := successor.StartSession(t.Context(), id, instant(31), sweep.Coordinator{Host: "here", PID: 8}); err != nil {
		t.Errorf("StartSession after the lease = %v", err)
	}
}

// TestLeaseIsOfAProcess: who holds a sweep is told by the process, not by a number that another may have got, nor by a lock file that
// somebody removed, nor by the host name of a container.
func TestLeaseIsOfAProcess(t *testing.T) {
	t.Parallel()
	self, err := store.ThisProcess("sweep run grid.yaml")
	if err != nil || self.Boot == "" || self.Start == 0 {
		t.Skipf("ThisProcess() = %+v, %v: this system does not tell when a process began", self, err)
	}
	other := exec.CommandContext(t.Context(), "sleep", "0")
	if err := other.Run(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		holder sweep.Coordinator
		held   bool
	}{
		"it lives":                     {self, true},
		"it lives in a container":      {sweep.Coordinator{Host: "container", PID: self.PID, Boot: self.Boot, Start: self.Start}, true},
		"another process has its pid":  {sweep.Coordinator{Host: self.Host, PID: self.PID, Boot: self.Boot, Start: self.Start - 1}, false},
		"it is gone":                   {sweep.Coordinator{Host: self.Host, PID: other.Process.Pid, Boot: self.Boot, Start: self.Start}, false},
		"the machine was started anew": {sweep.Coordinator{Host: self.Host, PID: self.PID, Boot: "earlier", Start: self.Start}, false},
		"another machine":              {sweep.Coordinator{Host: "there", PID: self.PID, Boot: "other", Start: self.Start}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := openAt(t, filepath.Join(dir, "sweep.db"))
			id := register(t, db, "first")
			if _, err := db.StartSession(t.Context(), id, instant(0), tt.holder); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(dir, "locks")); err != nil {
				t.Fatal(err)
			}
			successor := openAt(t, filepath.Join(dir, "sweep.db"))
			_, err := successor.StartSession(t.Context(), id, instant(1), self)
			held, is := errors.AsType[*store.HeldError](err)
			if is != tt.held || !is && err != nil {
				t.Fatalf("StartSession = %v, want one that is held: %t", err, tt.held)
			}
			if is && (held.PID != tt.holder.PID || held.Command != tt.holder.Command || !errors.Is(err, sweep.ErrLocked)) {
				t.Errorf("StartSession = %v of %+v", err, held.Session)
			}
		})
	}
}

func TestLostLeaseFencesEveryWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sweep.db")
	db, first := openAt(t, path), registration().Ladders[0].Rungs[0].Trials[0].Trial
	id := register(t, db, "first")
	session, err := db.StartSession(t.Context(), id, instant(0), sweep.Coordinator{Host: "here", PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	// Another host does not see this host's file lock; a removed lock file has the same effect.
	if err := os.RemoveAll(filepath.Join(dir, "locks")); err != nil {
		t.Fatal(err)
	}
	successor := openAt(t, path)
	if _, err := successor.StartSession(t.Context(), id, instant(60), sweep.Coordinator{Host: "there", PID: 8}); err != nil {
		t.Fatalf("StartSession of the successor = %v", err)
	}
	for name, err := range map[string]error{
		"Heartbeat":     db.Heartbeat(t.Context(), session, instant(61), ""),
		"BeginAttempt":  db.BeginAttempt(t.Context(), first.ID, 1, trial.Assignment{}, moment(61)),
		"RecordVerdict": db.RecordVerdict(t.Context(), 1, plateau.Verdict{State: plateau.StatePlateau}, moment(61)),
		"EndSession":    db.EndSession(t.Context(), session, instant(61)),
	} {
		if !errors.Is(err, sweep.ErrLocked) {
			t.Errorf("%s after the lease was lost = %v, want ErrLocked", name, err)
		}
	}
}

func TestElapsedIsTheSumOfSessions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openAt(t, path)
	id := register(t, db, "first")
	session, err := db.StartSession(t.Context(), id, instant(0), sweep.Coordinator{Host: "here", PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	for uptime, jump := range map[time.Duration]time.Duration{10 * time.Second: day, 12 * time.Second: -day, 8 * time.Second: 0} {
		at := sweep.Instant{Wall: moment(0).Add(jump), Uptime: uptime} // somebody set the clock
		if err := db.Heartbeat(t.Context(), session, at, ""); err != nil {
			t.Fatal(err)
		}
		if holder, err := db.Holder(t.Context(), id); err != nil || !holder.Heartbeat.Equal(at.Wall) {
			t.Errorf("Holder() = %+v, %v; want a heartbeat at %s, as the clock had it", holder, err, at.Wall)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openAt(t, path)
	session, err = db.StartSession(t.Context(), id, instant(100), sweep.Coordinator{Host: "here", PID: 8})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.EndSession(t.Context(), session, instant(105)); err != nil {
		t.Fatal(err)
	}
	got, err := db.Find(t.Context(), "first")
	if err != nil || got.Elapsed != 17*time.Second {
		t.Errorf("Find().Elapsed = %v, %v; want 17s", got.Elapsed, err)
	}
	holder, err := db.Holder(t.Context(), id)
	if err != nil || holder.Ended != moment(105) || holder.PID != 8 {
		t.Errorf("Holder() = %+v, %v", holder, err)
	}
}

// TestReleaseLeavesNoTrace: who has held a sweep and worked nothing takes back nothing of what was asked of the session before, unless
// somebody cancelled that holder too.
func TestReleaseLeavesNoTrace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openAt(t, path)
	id := register(t, db, "first")
	begin := func() int64 {
		t.Helper()
		session, err := db.StartSession(t.Context(), id, instant(0), sweep.Coordinator{Host: "here", PID: os.Getpid()})
		must(t, err)
		return session
	}
	worked := begin()
	must(t, db.Ask(t.Context(), id, sweep.RequestCancel, moment(1)))
	must(t, db.EndSession(t.Context(), worked, instant(2)))
	for _, cancelled := range []bool{false, true} {
		before, err := db.Asked(t.Context(), id)
		must(t, err)
		held := begin()
		if cancelled {
			must(t, db.Ask(t.Context(), id, sweep.RequestCancel, moment(3)))
		}
		must(t, db.Release(t.Context(), held, instant(4)))
		holder, err := db.Holder(t.Context(), id)
		if err != nil || (holder.ID == held) != cancelled || holder.Ended.IsZero() {
			t.Errorf("cancelled: %t: the newest session is %+v, %v", cancelled, holder, err)
		}
		if after, err := db.Asked(t.Context(), id); err != nil || !after.Cancelled || (after.Last == before.Last) == cancelled {
			t.Errorf("cancelled: %t: asked %+v, then %+v, %v", cancelled, before, after, err)
		}
	}
	must(t, openAt(t, path).Release(t.Context(), worked, instant(5))) // has no lease
	sound(t, db)
}

// TestReleaseGivesNoLeaseBack: a coordinator that lost its lease to a session that only held the sweep does not find itself the newest.
func TestReleaseGivesNoLeaseBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	frozen := openAt(t, filepath.Join(dir, "sweep.db"))
	id := register(t, frozen, "first")
	session, err := frozen.StartSession(t.Context(), id, instant(0), sweep.Coordinator{Host: "here", PID: 7})
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(dir, "locks"))) // which another host does not see
	holding := openAt(t, filepath.Join(dir, "sweep.db"))
	held, err := holding.StartSession(t.Context(), id, instant(60), sweep.Coordinator{Host: "there", PID: 8})
	must(t, err)
	must(t, holding.Release(t.Context(), held, instant(61)))
	if err := frozen.Heartbeat(t.Context(), session, instant(62), ""); !errors.Is(err, sweep.ErrLocked) {
		t.Errorf("Heartbeat of the one that woke up = %v, want ErrLocked", err)
	}
}
