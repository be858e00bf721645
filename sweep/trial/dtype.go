package trial

import (
	"cmp"
	"slices"
)

// Values of TrainSpec.Dtype. The last three quantise the base, and leave to ComputeDtype what is computed with: INT8 and NF4 the linear
// modules of the transformer blocks, GGUF keeps what is quantised in the model's file.
const (
	DtypeFloat32  = "float32"
	DtypeBFloat16 = "bfloat16"
	DtypeINT8     = "int8"
	DtypeNF4      = "nf4"
	DtypeGGUF     = "gguf"
)

// DtypeAuto is a grid's wish for whichever of float32 and bfloat16 is faster on the machine that registers it. No spec has it.
const DtypeAuto = "auto"

// Dtypes are all that a spec may have.
func Dtypes() []string {
	return []string{DtypeFloat32, DtypeBFloat16, DtypeINT8, DtypeNF4, DtypeGGUF}
}

// Quantises reports whether the base's weights are not of the type that is computed with.
func (t TrainSpec) Quantises() bool {
	return slices.Contains([]string{DtypeINT8, DtypeNF4, DtypeGGUF}, t.Dtype)
}

// Computes returns the type that is computed with: float32 or bfloat16.
func (t TrainSpec) Computes() string {
	if t.Quantises() {
		return cmp.Or(t.ComputeDtype, DtypeFloat32)
	}
	return cmp.Or(t.Dtype, DtypeFloat32)
}

// KeptFormats are the number formats of GGUF files that DtypeGGUF can keep.
func KeptFormats() []string {
	return []string{"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"}
}
