package trial

import (
	"fmt"
	"strconv"
	"strings"
)

// NewAttemptID names the attempt of a trial with that number, which counts from 1.
func NewAttemptID(trial ID, number int) AttemptID {
	return AttemptID(fmt.Sprintf("%s/%d", trial, number))
}

// Trial is the trial that the attempt launches.
func (id AttemptID) Trial() ID {
	trial, _, _ := strings.Cut(string(id), "/")
	return ID(trial)
}

// Number is the attempt's number; 0 where the id does not end in one.
func (id AttemptID) Number() int {
	_, number, _ := strings.Cut(string(id), "/")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return n
}

// AttemptID names one launch of a trial: "<trial id>/<number>", which is also its folder below ROOT/trials.
type AttemptID string
