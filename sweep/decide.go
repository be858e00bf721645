package sweep

import (
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Capacity is what the machine has for trials, all together.
type Capacity struct {
	Jobs        int
	HostBytes   int64 // 0 means unknown
	DeviceBytes int64 // of each device; 0 means none or unknown
	Devices     int   // that the jobs are dealt out to, equally many to each; 0 means none
	// Apart says that each trial has a machine of its own, as on a cluster: memory bounds each, not all together, each has its device, and
	// nothing runs beside it.
	Apart bool

	Resting map[trial.ID]bool // trials that are not tried again yet: see TrialFacts.Rest
}

// limit is what one trial may use: limits.memory, and never more than the machine has.
func (c Capacity) limit(info Info) int64 {
	machine := c.HostBytes
	if trial.OnDevice(info.Platform) {
		machine = c.DeviceBytes
	}
	if info.Limits.Memory == 0 || machine > 0 && machine < info.Limits.Memory {
		return machine
	}
	return info.Limits.Memory
}

// Decision is what to do next. It is recomputed from the facts, never stored.
type Decision struct {
	Register []Drawn           // trials to add to their ladders before anything else: the next decision may start them
	Start    []Launch          // in order, at most as many as fit
	Stop     []trial.AttemptID // live attempts that must checkpoint and end: a limit is spent, or they are not needed any more
	Ahead    []trial.ID        // of what is live or starts: no ladder waits for it yet
	// References are the ladders, as indices, that have come to their own end and still train their reference.
	References []int
	Verdicts   []plateau.Verdict // one per ladder, in ladder order; StateRunning while undecided
	Done       bool              // nothing is live, nothing will start
}

// Drawn is trials of extra seeds that the rule asked for.
type Drawn struct {
	Ladder int // index into Snapshot.Ladders
	Trials []ExtraTrial
}

// Launch is a new attempt of a trial.
type Launch struct {
	Ladder      int // index into Snapshot.Ladders
	Rank        int // 0 of a reference
	Trial       trial.ID
	Number      int // attempt number, from 1
	Calibration *trial.Calibration
	Checkpoints []trial.AttemptID // earlier attempts, newest first
	Screen      []int             // ranks to truncate the trained adapter to
	Alone       bool              // no other trial runs beside it
	MicroBatch  int               // sequences in a forward pass; 0 means whole batches
	HostBytes   int64             // expected at the peak of its process; 0 means not known
	Seconds     float64           // that it is expected to take, from its checkpoint on; 0 means not known
}

// Decide turns a sweep's facts into the next actions. live are the attempts whose workers exist. It is pure: no clock, no
// I/O, no randomness, so a resumed sweep decides as an uninterrupted one.
//
// Safety, whatever the facts: no trial starts while an attempt of it is live or has no outcome; no rung starts before the one below it is
// finished and the rule says go on, but for the lowest of a climb, the one that is screened, scouts, and one that the climb is sure to
// reach while a job would idle; no extra seed is trained that the rule did not draw; in a race no rung from the third on starts before the
// ladders have been compared at the one below; at most Capacity.Jobs trials run; no trial starts while it rests; none runs beside one that
// ran out of memory before; nothing starts once limits.time or limits.tokens is spent, or while the sweep is paused. Within that: trials
// that were interrupted or crashed continue first, then new ones in ladder, rank and seed order, each where the estimates of all running
// trials still fit into memory; then, on jobs that are left, what ladders have not asked for yet (ahead). A trial shared by several
// ladders runs once. A ladder's reference begins after all that open ladders wait for, once the ladder has come to its own end.
func Decide(s Snapshot, live []trial.AttemptID, c Capacity) Decision {
	return new(Decider).Decide(s, live, c)
}

// Decide is the function Decide.
func (m *Decider) Decide(s Snapshot, live []trial.AttemptID, c Capacity) Decision {
	m.look(s)
	p := newPlan(m, s, live, c)
	standings, verdicts := m.conclude(s, p.running)
	d := Decision{Verdicts: verdicts}
	if s.Sweep.spent() {
		d.Stop = live
		d.Done = len(p.running) == 0
		return d
	}
	open := 0
	for i, st := range standings {
		if st.end != endNone {
			continue
		}
		open++
		if extra := st.unregistered(); len(extra) > 0 {
			d.Register = append(d.Register, Drawn{i, extra})
		}
		p.add(i, st)
	}
	for i, st := range standings {
		if st.awaitsReference() {
			open++
			p.addReference(i, st)
			d.References = append(d.References, i)
		}
	}
	if s.Sweep.Asked.Paused {
		d.Register, d.Stop, d.Ahead = nil, p.needless(live, standings), p.unawaited()
		d.Done = len(p.running) == 0 && open == 0
		return d
	}
	d.Start = p.launches()
	d.Stop = p.needless(live, standings)
	d.Ahead = p.unawaited()
	for _, l := range p.startAhead(standings) {
		d.Start, d.Ahead = append(d.Start, l), append(d.Ahead, l.Trial)
	}
	d.Done = len(p.running) == 0 && open == 0
	return d
}
