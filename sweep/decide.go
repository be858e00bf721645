package sweep

// Capacity is what the machine has for trials, all together.
type Capacity struct {
	Jobs        int
	HostBytes   int64 // 0 means unknown
	DeviceBytes int64 // 0 means none or unknown
}

// Decision is what to do next. It is recomputed from the facts, never stored.
type Decision struct {
	Start    []Launch    // in order, at most as many as fit
	Stop     []AttemptID // live attempts that must checkpoint and end (time limit)
	Verdicts []Verdict   // one per ladder, in ladder order; StateRunning while undecided
	Done     bool        // nothing is live, nothing will start
}

// Launch is a new attempt of a trial.
type Launch struct {
	Ladder      int // index into Snapshot.Ladders
	Rank        int
	Trial       TrialID
	Number      int // attempt number, from 1
	Calibration *Calibration
	Checkpoints []AttemptID // earlier attempts, newest first
}
