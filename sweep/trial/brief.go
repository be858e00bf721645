package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

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
func (b Brief) WithSeed(seed int64) Brief { return b.Shared.Family().With(b.Rank, b.Alpha, seed) }

// Family makes the trials that share what they share.
type Family struct {
	shared             *Shared
	head, middle, tail []byte // what their identities are made of, beside the numbers
}

// Family prepares to make trials.
func (s *Shared) Family() Family {
	body, lora, seed := canonical(s.Spec, s.Base, s.Data, s.Backend), []byte(`"lora":{"r":0,"lora_alpha":0`), []byte(`,"seed":0`)
	// The last: what comes before may be spelled alike in a text that the grid gives.
	i, k := bytes.LastIndex(body, lora), bytes.LastIndex(body, seed)
	return Family{s, body[:i+len(`"lora":{"r":`)], body[i+len(lora) : k+len(`,"seed":`)], body[k+len(seed):]}
}

// With returns the trial of this rank, alpha and seed, as New does.
func (f Family) With(rank int, alpha float64, seed int64) Brief {
	number, err := json.Marshal(alpha)
	if err != nil {
		panic(fmt.Sprintf("alpha %g: JSON cannot write it: %v", alpha, err))
	}
	var room [2048]byte // on the stack: a large sweep comes here 270,000 times
	body := append(strconv.AppendInt(append(room[:0], f.head...), int64(rank), 10), `,"lora_alpha":`...)
	body = append(append(body, number...), f.middle...)
	body = append(strconv.AppendInt(body, seed, 10), f.tail...)
	return Brief{ID: identify(body), Rank: rank, Alpha: alpha, Seed: seed, Shared: f.shared}
}

// Changed returns the trial of another spec on the same inputs.
func (b Brief) Changed(change func(*Spec)) Brief {
	t := b.Trial()
	change(&t.Spec)
	return New(t.Spec, t.Base, t.Data, t.Backend).Brief()
}
