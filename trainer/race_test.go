//go:build race && !nocheckptr

package trainer_test

const pointersChecked = true
