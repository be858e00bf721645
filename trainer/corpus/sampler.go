package corpus

// Sampler says which row is drawn when. Its position is one number, so a resumed trial needs no other state: Row(k) is the
// same whatever was drawn before. With shuffling every epoch is a permutation of its own, keyed by (seed, epoch), so all
// ranks of a ladder see the same rows in the same order.
//
// The order is this package's own arithmetic and not math/rand's, so that a new Go release cannot change a trial.
// A Sampler is not safe for concurrent use.
type Sampler struct {
	n       int
	seed    int64
	shuffle bool
	epoch   int64 // of order; -1 before the first
	order   []int32
}

// NewSampler returns a sampler over n rows, n > 0. Without shuffle the rows come in file order, epoch after epoch.
func NewSampler(n int, seed int64, shuffle bool) *Sampler {
	return &Sampler{n: n, seed: seed, shuffle: shuffle, epoch: -1}
}

// Row returns the index of the k-th row ever drawn, k from 0.
func (s *Sampler) Row(k int64) int {
	epoch, at := k/int64(s.n), k%int64(s.n)
	if !s.shuffle {
		return int(at)
	}
	if epoch != s.epoch {
		s.permute(epoch)
	}
	return int(s.order[at])
}

// permute fills order for an epoch (Fisher and Yates, from the identity).
func (s *Sampler) permute(epoch int64) {
	if s.order == nil {
		s.order = make([]int32, s.n)
	}
	for i := range s.order {
		s.order[i] = int32(i)
	}
	r := newStream(uint64(s.seed), uint64(epoch))
	for i := s.n - 1; i > 0; i-- {
		j := r.below(i + 1)
		s.order[i], s.order[j] = s.order[j], s.order[i]
	}
	s.epoch = epoch
}

// stream is a splitmix64 generator (Steele, Lea and Flood 2014), keyed by two numbers.
type stream struct{ state uint64 }

func newStream(seed, key uint64) *stream {
	s := &stream{state: seed}
	s.state = s.next() ^ key
	s.state = s.next()
	return s
}

func (s *stream) next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0, n). The bias of the remainder is below n/2⁶⁴.
func (s *stream) below(n int) int { return int(s.next() % uint64(n)) }
