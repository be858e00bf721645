package model

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
)

// stream returns a source of random bits that depends on what it is for and on nothing else: purpose, seed, module and
// counters. ChaCha8 is specified bit for bit (C2SP chacha8rand), so the numbers are the same on every machine.
func stream(purpose string, seed int64, module string, counters ...int) *rand.ChaCha8 {
	return rand.NewChaCha8(streamKey(purpose, seed, module, counters...))
}

func streamKey(purpose string, seed int64, module string, counters ...int) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00", purpose, module)
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(seed))
	h.Write(b[:])
	for _, c := range counters {
		binary.LittleEndian.PutUint64(b[:], uint64(c))
		h.Write(b[:])
	}
	return [32]byte(h.Sum(nil))
}

// unit returns a uniform number in [0, 1) with 53 random bits.
func unit(s *rand.ChaCha8) float64 { return float64(s.Uint64()>>11) * 0x1p-53 }

// gaussian returns a standard normal number (Box and Muller 1958).
func gaussian(s *rand.ChaCha8) float64 {
	radius := math.Sqrt(-2 * math.Log(1-unit(s)))
	return radius * math.Cos(2*math.Pi*unit(s))
}
