package sweep

import "fmt"

// keyError is a complaint about one key of the lora section, for whoever knows where that key stands in a grid file.
type keyError struct{ key, message string }

func keyErrorf(key, format string, args ...any) error {
	return keyError{key, fmt.Sprintf(format, args...)}
}

func (e keyError) Error() string { return e.message }

// causes takes apart what errors.Join put together.
func causes(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, causes(e)...)
	}
	return all
}
