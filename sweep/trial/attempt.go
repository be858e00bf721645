package trial

import (
	"fmt"
	"path/filepath"
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

// AttemptOf is the attempt that a folder is of, by where it lies: see AttemptID.Dir. It is "" of a folder that lies elsewhere.
func AttemptOf(dir string) AttemptID {
	of := filepath.Dir(filepath.Clean(dir))
	if filepath.Base(filepath.Dir(of)) != trialsFolder {
		return ""
	}
	return AttemptID(filepath.Base(of) + "/" + filepath.Base(dir))
}

// ErrForeign says that what lies in an attempt's folder is another attempt's. It is an ErrDamaged.
var ErrForeign = fmt.Errorf("%w: it is of another attempt", ErrDamaged)

// owns fails with ErrForeign where an event in the attempt's folder says that it is another's. What earlier versions wrote does not say
// whose it is, and a folder that lies elsewhere may have been copied.
func (id AttemptID) owns(e Event) error {
	if id == "" || e.Attempt == "" || e.Attempt == id {
		return nil
	}
	return fmt.Errorf("%w, %s", ErrForeign, e.Attempt)
}

// AttemptID names one launch of a trial: "<trial id>/<number>", which is also its folder below ROOT/trials.
type AttemptID string
