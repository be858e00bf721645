package trial

// Brief is a trial in few bytes: a large sweep holds hundreds of thousands, which differ in little but rank, alpha and seed.
type Brief struct {
	ID     ID
	Rank   int
	Alpha  float64
	Seed   int64
	Shared *Shared // what it has in common with others; never changed
}

// Shared is what all trials of a ladder's candidate have in common, mostly.
type Shared struct {
	Spec                Spec // without rank, alpha and seed, which are 0
	Base, Data, Backend string
}

// Brief returns the trial in few bytes, with what others may share.
func (t Trial) Brief() Brief {
	s := &Shared{Spec: t.Spec, Base: t.Base, Data: t.Data, Backend: t.Backend}
	s.Spec.LoRA.Rank, s.Spec.LoRA.Alpha, s.Spec.Seed = 0, 0, 0
	return Brief{ID: t.ID, Rank: t.Spec.LoRA.Rank, Alpha: t.Spec.LoRA.Alpha, Seed: t.Spec.Seed, Shared: s}
}

// Spec returns the trial's spec.
func (b Brief) Spec() Spec {
	if b.Shared == nil {
		return Spec{}
	}
	s := b.Shared.Spec
	s.LoRA.Rank, s.LoRA.Alpha, s.Seed = b.Rank, b.Alpha, b.Seed
	return s
}

// Trial returns the trial in full.
func (b Brief) Trial() Trial {
	if b.Shared == nil {
		return Trial{ID: b.ID}
	}
	return Trial{ID: b.ID, Spec: b.Spec(), Base: b.Shared.Base, Data: b.Shared.Data, Backend: b.Shared.Backend}
}

// WithSeed returns the trial that differs in its seed alone.
func (b Brief) WithSeed(seed int64) Brief { return b.Shared.With(b.Rank, b.Alpha, seed) }

// With returns the trial of this rank, alpha and seed.
func (s *Shared) With(rank int, alpha float64, seed int64) Brief {
	b := Brief{Rank: rank, Alpha: alpha, Seed: seed, Shared: s}
	b.ID = New(b.Spec(), s.Base, s.Data, s.Backend).ID
	return b
}

// Changed returns the trial of another spec on the same inputs.
func (b Brief) Changed(change func(*Spec)) Brief {
	t := b.Trial()
	change(&t.Spec)
	return New(t.Spec, t.Base, t.Data, t.Backend).Brief()
}
