package weights

import "fmt"

// ggufFormat returns a format of ggml by its number, with its name (ggml.h, enum ggml_type; the blocks are those of
// ggml-common.h). Values are computed as llama.cpp's reference does, each operation rounded to float32: go-huggingface has the
// same functions, but only inside a reader that trusts the file.
func ggufFormat(number uint32) (name string, f format) {
	switch number {
	case 0:
		return "F32", format{4, 1, decodeF32}
	case 1:
		return "F16", format{2, 1, decodeF16}
	case 2:
		return "Q4_0", format{2 + 16, 32, decodeQ4x0}
	case 3:
		return "Q4_1", format{2 + 2 + 16, 32, decodeQ4x1}
	case 6:
		return "Q5_0", format{2 + 4 + 16, 32, decodeQ5x0}
	case 7:
		return "Q5_1", format{2 + 2 + 4 + 16, 32, decodeQ5x1}
	case 8:
		return "Q8_0", format{2 + 32, 32, decodeQ8x0}
	case 10:
		return "Q2_K", format{16 + 64 + 2 + 2, 256, decodeQ2K}
	case 11:
		return "Q3_K", format{32 + 64 + 12 + 2, 256, decodeQ3K}
	case 12:
		return "Q4_K", format{2 + 2 + 12 + 128, 256, decodeQ4K}
	case 13:
		return "Q5_K", format{2 + 2 + 12 + 32 + 128, 256, decodeQ5K}
	case 14:
		return "Q6_K", format{128 + 64 + 16 + 2, 256, decodeQ6K}
	case 20:
		return "IQ4_NL", format{2 + 16, 32, decodeIQ4NL}
	case 23:
		return "IQ4_XS", format{2 + 2 + 4 + 128, 256, decodeIQ4XS}
	case 28:
		return "F64", format{8, 1, decodeF64}
	case 30:
		return "BF16", format{2, 1, decodeBF16}
	case 39:
		return "MXFP4", format{1 + 16, 32, decodeMXFP4}
	}
	return otherGGUFFormat(number), format{}
}

// otherGGUFFormat names what cannot be read, so that a message says what the file has.
func otherGGUFFormat(number uint32) string {
	names := map[uint32]string{
		9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
		24: "I8", 25: "I16", 26: "I32", 27: "I64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4", 41: "Q1_0",
	}
	if name, ok := names[number]; ok {
		return name
	}
	return fmt.Sprintf("no. %d", number)
}

// decodeQ4x0: scale, then 32 nibbles: the low ones are the first half. value = scale·(nibble - 8).
func decodeQ4x0(dst []float32, src []byte) {
	scale := f16(src)
	for i, b := range src[2:18] {
		dst[i] = scale * float32(int(b&15)-8)
		dst[i+16] = scale * float32(int(b>>4)-8)
	}
}

// decodeQ4x1: scale, minimum, then 32 nibbles as in Q4_0. value = scale·nibble + minimum. The conversion keeps a processor
// from fusing the two operations into one rounding.
func decodeQ4x1(dst []float32, src []byte) {
	scale, low := f16(src), f16(src[2:])
	for i, b := range src[4:20] {
		dst[i] = float32(scale*float32(b&15)) + low
		dst[i+16] = float32(scale*float32(b>>4)) + low
	}
}

// decodeQ8x0: scale, then 32 signed bytes.
func decodeQ8x0(dst []float32, src []byte) {
	scale := f16(src)
	for i, b := range src[2:34] {
		dst[i] = scale * float32(int8(b))
	}
}

// decodeQ4K: scale and scale of minima, eight 6-bit pairs of them, then 256 nibbles: each 32 bytes hold a group of 32 in their
// low halves and the next in their high ones. value = scale·s·nibble - minScale·m.
func decodeQ4K(dst []float32, src []byte) {
	scale, minScale := f16(src), f16(src[2:])
	for group := range 8 {
		s, m := sixBits(group, src[4:16])
		d, low := scale*float32(s), minScale*float32(m)
		for i, b := range src[16+32*(group/2) : 48+32*(group/2)] {
			q := b >> (4 * (group % 2)) & 15
			dst[32*group+i] = float32(d*float32(q)) - low
		}
	}
}

// decodeQ5K: as Q4_K, with a fifth bit: bit g of byte i belongs to value i of group g.
func decodeQ5K(dst []float32, src []byte) {
	scale, minScale := f16(src), f16(src[2:])
	high := src[16:48]
	for group := range 8 {
		s, m := sixBits(group, src[4:16])
		d, low := scale*float32(s), minScale*float32(m)
		for i, b := range src[48+32*(group/2) : 80+32*(group/2)] {
			q := b>>(4*(group%2))&15 | high[i]>>group&1<<4
			dst[32*group+i] = float32(d*float32(q)) - low
		}
	}
}

// sixBits returns scale and minimum of a group of Q4_K and Q5_K: 16 numbers of six bits in 12 bytes.
func sixBits(group int, packed []byte) (scale, low byte) {
	if group < 4 {
		return packed[group] & 63, packed[group+4] & 63
	}
	scale = packed[group+4]&15 | packed[group-4]>>6<<4
	low = packed[group+4]>>4 | packed[group]>>6<<4
	return scale, low
}

// decodeQ6K: two halves of 128 values, each with 64 bytes of low four bits, 32 bytes of high two bits and eight signed scales
// of 16 values; the common scale comes last. value = scale·s·(q - 32).
func decodeQ6K(dst []float32, src []byte) {
	scale := f16(src[208:])
	for half := range 2 {
		low, high, scales := src[64*half:], src[128+32*half:], src[192+8*half:]
		for i := range 128 {
			quarter, at := i/32, i%32
			q := low[at+32*(quarter%2)] >> (4 * (quarter / 2)) & 15
			q |= high[at] >> (2 * quarter) & 3 << 4
			dst[128*half+i] = scale * float32(int8(scales[i/16])) * float32(int(q)-32)
		}
	}
}
