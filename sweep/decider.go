package sweep

import (
	"reflect"
	"runtime"
	"slices"
	"sync"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Decider is Decide for one that asks again and again. It keeps what it worked out about each ladder until facts of that change (see
// Ladder.Unchanged), so that a decision costs what changed. What it decides is what Decide would. The zero value keeps nothing yet.
type Decider struct {
	info      Info // that the conclusions rest on
	spent     bool // limits.time or limits.tokens was, when last asked
	kept      []concluded
	heats     [][]int
	quantiles []plateau.Quantiles
	homes     map[trial.ID]int // the first ladder of each trial that ran when last asked
}

// concluded is what the facts of a ladder say.
type concluded struct {
	facts   Ladder     // that it rests on
	open    []trial.ID // trials with an attempt whose end was not seen
	peaks   []peak
	alone   *standing // but for races
	place   place     // in its race
	final   *standing // within it
	verdict plateau.Verdict
}

// peak is the largest of the trials of a kind, in bytes.
type peak struct {
	like         likeness
	host, device int64
}

// on is the peak where a platform's memory is short.
func (p peak) on(platform string) int64 {
	if trial.OnDevice(platform) {
		return p.device
	}
	return p.host
}

// and is the larger of both.
func (p peak) and(other peak) peak {
	return peak{p.like, max(p.host, other.host), max(p.device, other.device)}
}

// forget drops what rests on other settings. Time and tokens matter only once they are spent, and then also what runs.
func (d *Decider) forget(s Snapshot) {
	info := s.Sweep
	info.Elapsed, info.Tokens, info.Asked = 0, 0, Asked{}
	spent := d.spent || s.Sweep.spent()
	d.spent = s.Sweep.spent()
	if spent || len(d.kept) != len(s.Ladders) || !reflect.DeepEqual(d.info, info) {
		d.info, d.kept, d.heats = info, make([]concluded, len(s.Ladders)), s.heats()
	}
	if d.quantiles == nil {
		for range runtime.GOMAXPROCS(0) {
			d.quantiles = append(d.quantiles, plateau.Quantiles{})
		}
	}
}

// look takes in what changed.
func (d *Decider) look(s Snapshot) {
	d.forget(s)
	d.eachLadder(func(i int, q plateau.Quantiles) {
		if !s.Ladders[i].Unchanged(d.kept[i].facts) {
			d.kept[i] = takeIn(s.Sweep, s.Ladders[i], q)
		}
	})
}

// takeIn is what a ladder's facts say without regard to others.
func takeIn(info Info, l Ladder, q plateau.Quantiles) concluded {
	c := concluded{facts: l, alone: new(stand(info, l, q))}
	l.Each(func(_ int, t *TrialFacts) {
		if t.open() {
			c.open = append(c.open, t.Trial.ID)
		}
		if p := (peak{host: t.peak(""), device: t.peak(trial.PlatformCUDA)}); p != (peak{}) {
			p.like = likenessOf(t.Trial.Shared)
			c.keepPeak(p)
		}
	})
	return c
}

func (c *concluded) keepPeak(p peak) {
	for i := range c.peaks {
		if c.peaks[i].like == p.like {
			c.peaks[i] = c.peaks[i].and(p)
			return
		}
	}
	c.peaks = append(c.peaks, p)
}

// peaks are the largest of all ladders by likeness.
func (d *Decider) peaks() map[likeness]peak {
	largest := map[likeness]peak{}
	for i := range d.kept {
		for _, p := range d.kept[i].peaks {
			largest[p.like] = p.and(largest[p.like])
		}
	}
	return largest
}

// running returns the trials of the live attempts, and those with an attempt whose end was not seen.
func (d *Decider) running(live []trial.AttemptID) map[trial.ID]bool {
	running := map[trial.ID]bool{}
	for _, id := range live {
		running[id.Trial()] = true
	}
	for i := range d.kept {
		for _, id := range d.kept[i].open {
			running[id] = true
		}
	}
	return running
}

// eachRunning visits every running trial at its first place. One that is not open any more ran when last asked, but after a restart.
func (d *Decider) eachRunning(s Snapshot, running map[trial.ID]bool, visit func(ladder, rung int, t *TrialFacts)) {
	homes := map[trial.ID]int{}
	for i := range d.kept {
		for _, id := range d.kept[i].open {
			if _, known := homes[id]; !known {
				homes[id] = i
			}
		}
	}
	missing := false
	for id := range running {
		if _, open := homes[id]; open {
			continue
		}
		home, known := d.homes[id]
		if homes[id] = home; !known {
			missing = true
		}
	}
	var ladders []int
	for _, i := range homes {
		ladders = append(ladders, i)
	}
	if missing {
		ladders, homes = indices(len(s.Ladders)), map[trial.ID]int{}
	}
	seen := map[trial.ID]bool{}
	for _, i := range slices.Compact(slices.Sorted(slices.Values(ladders))) {
		s.Ladders[i].Each(func(rung int, t *TrialFacts) {
			if id := t.Trial.ID; running[id] && !seen[id] {
				seen[id], homes[id] = true, i
				visit(i, rung, t)
			}
		})
	}
	d.homes = homes
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// conclude returns the standing and the verdict of every ladder, running being the trials that have a worker.
func (d *Decider) conclude(s Snapshot, running map[trial.ID]bool) ([]*standing, []plateau.Verdict) {
	standings, verdicts := make([]*standing, len(s.Ladders)), make([]plateau.Verdict, len(s.Ladders))
	for i := range d.kept {
		standings[i] = d.kept[i].alone
	}
	places := s.race(d.heats, standings)
	d.eachLadder(func(i int, q plateau.Quantiles) {
		c := &d.kept[i]
		var at place
		if places != nil {
			at = places[i]
		}
		if c.final == nil || !reflect.DeepEqual(c.place, at) {
			c.place, c.final = at, c.alone
			if places != nil {
				c.final = c.alone.within(at, s, i, q)
			}
			c.verdict = c.final.concludeAt(s.Sweep, running)
		}
		standings[i], verdicts[i] = c.final, c.verdict
	})
	return standings, verdicts
}

// eachLadder does something for every ladder, as many at a time as there are quantiles: but for races ladders do not depend on each other,
// so every core takes some. A ladder meets the same ones each time: its climb keeps them.
func (d *Decider) eachLadder(do func(i int, q plateau.Quantiles)) {
	var workers sync.WaitGroup
	for w, q := range d.quantiles {
		workers.Go(func() {
			for i := w; i < len(d.kept); i += len(d.quantiles) {
				do(i, q)
			}
		})
	}
	workers.Wait()
}
