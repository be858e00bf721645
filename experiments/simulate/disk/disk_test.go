package disk

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

const name = "file"

// opened is a process's handle on a file of a disk of its own.
func opened(t *testing.T, seed uint64, data []byte) (*Disk, *handle) {
	t.Helper()
	d := New(map[string][]byte{name: data}, rand.New(rand.NewPCG(seed, 0)))
	h, rc := d.NewProcess().open(name, false)
	if rc != answerOK {
		t.Fatalf("open = %d", rc)
	}
	return d, h
}

// cut ends the handle's process and the power, and returns what is left of the file.
func cut(d *Disk, h *handle) []byte {
	h.process.Kill()
	d.PowerCut()
	return d.Files()[name]
}

func TestPowerCutKeepsWhatWasSynced(t *testing.T) {
	t.Parallel()
	old, synced, lost := bytes.Repeat([]byte("o"), 4*sector), bytes.Repeat([]byte("s"), sector+100), bytes.Repeat([]byte("l"), 2*sector)
	seen := map[string]bool{}
	for seed := range uint64(400) {
		d, h := opened(t, seed, old)
		h.write(synced, 50)
		h.sync()
		h.write(lost, 2*sector-10)
		h.write([]byte("end"), 4*sector)
		got := cut(d, h)
		if !bytes.Equal(got[50:50+len(synced)], synced) {
			t.Fatalf("seed %d: what was synced is %q", seed, got[50:50+len(synced)])
		}
		for at := 50 + len(synced); at < len(got); at++ {
			if old, new := byte('o'), byte('l'); at < 4*sector && got[at] != old && got[at] != new {
				t.Fatalf("seed %d: byte %d is %q", seed, at, got[at])
			}
		}
		seen[string(got)] = true
	}
	// The parts are 10 bytes, a sector and 502 bytes of one write, and another: each there or not.
	if len(seen) != 16 {
		t.Errorf("%d endings of 16", len(seen))
	}
}

func TestLyingSyncKeepsNothing(t *testing.T) {
	t.Parallel()
	lost := false
	for seed := range uint64(50) {
		d, h := opened(t, seed, nil)
		d.Faults = func(op Op) Fault {
			if op == Sync {
				return Lie
			}
			return None
		}
		h.write([]byte("new"), 0)
		if rc := h.sync(); rc != answerOK {
			t.Fatalf("sync = %d", rc)
		}
		lost = lost || string(cut(d, h)) != "new"
	}
	if !lost {
		t.Error("what was never synced survives every power cut")
	}
}

func TestFaultsLeaveTheFileAlone(t *testing.T) {
	t.Parallel()
	for fault, want := range map[Fault]int{Full: answerFull, IO: answerIO} {
		d, h := opened(t, 1, []byte("old"))
		d.Faults = func(Op) Fault { return fault }
		if rc := h.write([]byte("new"), 0); rc != want {
			t.Errorf("fault %d: write = %d, want %d", fault, rc, want)
		}
		if rc := h.truncate(0); rc != want {
			t.Errorf("fault %d: truncate = %d, want %d", fault, rc, want)
		}
		if got := string(d.Files()[name]); got != "old" {
			t.Errorf("fault %d: the file is %q", fault, got)
		}
	}
}

// TestKill: a process dies in the middle of a write, and gives its locks back.
func TestKill(t *testing.T) {
	t.Parallel()
	d, h := opened(t, 3, bytes.Repeat([]byte("o"), 3*sector))
	other, _ := d.NewProcess().open(name, false)
	h.lock(lockShared)
	h.lock(lockExclusive)
	if _, rc := h.shmMap(0, 32768, true); rc != answerOK {
		t.Fatal(rc)
	}
	h.shmLock(0, 1, 2|8)
	d.Faults = func(Op) Fault { return Kill }
	if rc := h.write(bytes.Repeat([]byte("n"), 3*sector), 0); rc != answerIO || !h.process.Dead() {
		t.Fatalf("write = %d, dead %v", rc, h.process.Dead())
	}
	d.Faults = nil
	if n := bytes.Count(d.Files()[name], []byte("n")); n%sector != 0 {
		t.Errorf("%d bytes were written", n)
	}
	if rc := other.lock(lockShared); rc != answerOK {
		t.Errorf("the dead process keeps its lock: %d", rc)
	}
	if rc := h.write([]byte("n"), 0); rc != answerIO {
		t.Errorf("the dead process writes: %d", rc)
	}
	if _, rc := other.shmMap(0, 32768, true); rc != answerOK {
		t.Fatal(rc)
	}
	if other.shm == h.shm {
		t.Error("shared memory survives all that had it")
	}
	h.shmUnmap()
	other.shmUnmap()
}

func TestLocksExclude(t *testing.T) {
	t.Parallel()
	d, a := opened(t, 1, nil)
	b, _ := d.NewProcess().open(name, false)
	for _, step := range []struct {
		who         *handle
		level, want int
	}{
		{a, lockShared, answerOK},
		{b, lockShared, answerOK},
		{a, lockReserved, answerOK},
		{b, lockReserved, answerBusy},
		{a, lockExclusive, answerBusy},
	} {
		if rc := step.who.lock(step.level); rc != step.want {
			t.Errorf("lock(%d) = %d, want %d", step.level, rc, step.want)
		}
	}
	b.unlock(0)
	if rc := a.lock(lockExclusive); rc != answerOK {
		t.Errorf("lock(exclusive) = %d once nobody reads", rc)
	}
	if rc := b.lock(lockShared); rc != answerBusy {
		t.Errorf("lock(shared) beside a writer = %d", rc)
	}
}
