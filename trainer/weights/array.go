package weights

// Array is a dense row-major float32 tensor in host memory.
type Array struct {
	Shape []int
	Data  []float32
}
