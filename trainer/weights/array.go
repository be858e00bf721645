package weights

// Array is a dense row-major float32 tensor in host memory.
type Array struct {
	Shape []int
	Data  []float32
	// Blocks holds the values in Data's place where they stay quantised; else it is nil.
	Blocks *Blocks
}

// Float32 returns the array with its values in Data.
func (a Array) Float32() Array {
	if a.Blocks == nil {
		return a
	}
	return Array{Shape: a.Shape, Data: a.Blocks.decode(size(a.Shape))}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
