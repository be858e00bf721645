package lora

import "fmt"

// KeyError is a complaint about one key of the lora section, for whoever knows where that key is in a grid file.
type KeyError struct{ Key, message string }

func keyErrorf(key, format string, args ...any) error {
	return KeyError{key, fmt.Sprintf(format, args...)}
}

func (e KeyError) Error() string { return e.message }
