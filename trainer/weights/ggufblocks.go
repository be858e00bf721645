package weights

import "math"

// decodeQ5x0: scale, 32 fifth bits, then 32 nibbles as in Q4_0. value = scale·(q - 16).
func decodeQ5x0(dst []float32, src []byte) {
	scale, high := f16(src), src[2:6]
	for i, b := range src[6:22] {
		dst[i] = scale * float32(int(b&15|fifthBit(high, i))-16)
		dst[i+16] = scale * float32(int(b>>4|fifthBit(high, i+16))-16)
	}
}

// decodeQ5x1: scale, minimum, 32 fifth bits, then 32 nibbles as in Q4_0. value = scale·q + minimum.
func decodeQ5x1(dst []float32, src []byte) {
	scale, low, high := f16(src), f16(src[2:]), src[4:8]
	for i, b := range src[8:24] {
		dst[i] = float32(scale*float32(b&15|fifthBit(high, i))) + low
		dst[i+16] = float32(scale*float32(b>>4|fifthBit(high, i+16))) + low
	}
}

// fifthBit is bit i of a bitmap, where a number's fifth bit is.
func fifthBit(bits []byte, i int) byte { return bits[i/8] >> (i % 8) & 1 << 4 }

// decodeQ2K: 16 pairs of 4-bit scale and minimum, two halves of 128 two-bit values, scale and scale of minima. Of a half, byte i
// holds in its bits 2j the value i of the j-th 32. value = scale·s·q - minScale·m.
func decodeQ2K(dst []float32, src []byte) {
	scale, minScale := f16(src[80:]), f16(src[82:])
	for i := range 256 {
		s := src[i/16]
		d, low := scale*float32(s&15), minScale*float32(s>>4)
		dst[i] = float32(d*float32(twoBits(src[16:], i))) - low
	}
}

// twoBits is value i of halves of 128 two-bit values.
func twoBits(packed []byte, i int) byte { return packed[32*(i/128)+i%32] >> (2 * (i / 32 % 4)) & 3 }

// decodeQ3K: 32 bytes of third bits (bit g of byte i belongs to value i of group g of 32), two-bit values as in Q2_K, 16 six-bit
// scales in 12 bytes, and the common scale. value = scale·(s - 32)·(q - 4), where a third bit adds 4.
func decodeQ3K(dst []float32, src []byte) {
	scale := f16(src[108:])
	for i := range 256 {
		d := scale * float32(int(q3Scale(i/16, src[96:108]))-32)
		q := int(twoBits(src[32:], i)|src[i%32]>>(i/32)&1<<2) - 4
		dst[i] = d * float32(q)
	}
}

// q3Scale is one of Q3_K's scales: four bits in the first eight bytes, two in the last four.
func q3Scale(i int, packed []byte) byte {
	return packed[i%8]>>(4*(i/8))&15 | packed[8+i%4]>>(2*(i/4))&3<<4
}

// iq4Values are the 16 levels of IQ4_NL and IQ4_XS, which lie closer together around zero (ggml-common.h, kvalues_iq4nl).
func iq4Values() [16]float32 {
	return [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
}

// decodeIQ4NL: scale, then 32 nibbles as in Q4_0, each the number of a level.
func decodeIQ4NL(dst []float32, src []byte) {
	decodeLevels(dst, src[2:18], f16(src), iq4Values())
}

// decodeLevels: 32 nibbles as in Q4_0. value = scale·level.
func decodeLevels(dst []float32, nibbles []byte, scale float32, levels [16]float32) {
	for i, b := range nibbles {
		dst[i] = scale * levels[b&15]
		dst[i+16] = scale * levels[b>>4]
	}
}

// decodeIQ4XS: scale, eight 6-bit scales (two high bits each in two bytes, then four low bits each in four), and eight groups of
// nibbles as in IQ4_NL. value = scale·(s - 32)·level.
func decodeIQ4XS(dst []float32, src []byte) {
	scale, levels := f16(src), iq4Values()
	high := uint(src[2]) | uint(src[3])<<8
	for group := range 8 {
		s := uint(src[4+group/2])>>(4*(group%2))&15 | high>>(2*group)&3<<4
		decodeLevels(dst[32*group:], src[8+16*group:24+16*group], scale*float32(int(s)-32), levels)
	}
}

// decodeMXFP4: an exponent, then 32 nibbles as in Q4_0, each a number of one sign, two exponent and one fraction bits (OCP
// Microscaling Formats 1.0, E2M1). The levels are doubled and the scale, 2^(e - 128), is half of what the format says, as in ggml.
func decodeMXFP4(dst []float32, src []byte) {
	decodeLevels(dst, src[1:17], float32(math.Ldexp(1, int(src[0])-128)),
		[16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12})
}
