package store

// #include "planner.h"
import "C"

import (
	"fmt"
	"sync"
)

// keepPlans has SQLite keep the plan of a prepared statement whatever is bound to it (its query planner stability guarantee,
// https://sqlite.org/queryplanner-ng.html#qpstab), in every connection from now on. Without it SQLite 3.54 makes a new plan each time that
// a value is bound to be compared with a column, for it might be 0 or 1, so that keeping statements saves nothing: a third of what a
// coordinator's small transactions cost was planning. go-sqlite3 has no setting for it.
var keepPlans = sync.OnceValue(func() error { //nolint:gochecknoglobals // once
	if rc := C.keep_plans_everywhere(); rc != 0 {
		return fmt.Errorf("have SQLite keep its plans: it answers %d", rc)
	}
	return nil
})
