package trial

import "strings"

// Command is a command of the program as a shell takes it, with --root where there is one.
func Command(root string, args ...string) string {
	words := []string{"sweep"}
	for _, a := range args {
		words = append(words, Quote(a))
	}
	if root != "" {
		words = append(words, "--root", Quote(root))
	}
	return strings.Join(words, " ")
}

// Quote is a word as POSIX shells read it: bare where none of its characters means something to them.
func Quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
