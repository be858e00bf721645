package main

// mutants are the ways in which we break our own code.
func mutants() []mutant {
	const (
		live    = "sweep/scheduler_live.go"
		loop    = "sweep/scheduler.go"
		restart = "sweep/scheduler_recover.go"
		hung    = "sweep/scheduler_hung.go"
	)
	return []mutant{
		{
			"a worker's events are read before it is probed", live,
			"	process, err := r.Exec.Probe(ctx, a.ID)\n	if err != nil {\n		return sighting{}, fmt.Errorf(\"probe attempt %s: %w\", a.ID, err)\n" +
				"	}\n	events, readErr := r.Exec.Events(ctx, a.ID, a.seq)\n",
			"	events, readErr := r.Exec.Events(ctx, a.ID, a.seq)\n	process, err := r.Exec.Probe(ctx, a.ID)\n" +
				"	if err != nil {\n		return sighting{}, fmt.Errorf(\"probe attempt %s: %w\", a.ID, err)\n	}\n",
		},
		{
			"a worker that is dead is given a last word while its events cannot be read", live,
			"	if patient {\n		a.notBefore", "	if false {\n		a.notBefore",
		},
		{"a last word is written under a number that is taken", live, "Seq: a.seq + 1", "Seq: a.seq"},
		{"a worker that has had its last word is given another", live, "	if a.Outcome != nil {\n		return true, nil\n	}\n", ""},
		{"living workers of a dead coordinator are given up", live, "	if process.Alive {", "	if process.Alive && a.endedAt == 0 {"},
		{
			"folders that the database does not know are not taken in", restart,
			"	for _, id := range trials {\n		begun[id] = true\n	}\n", "",
		},
		{"after a restart nothing is decided", restart, "	r.stale = true\n", ""},
		{"a sweep is done while workers live", loop, "	if len(r.live) > 0 || ", "	if "},
		{
			"workers start after a person has asked to stop", loop,
			"err != nil || r.interrupted {\n		return err\n	}\n	r.stopDecided(ctx)\n	for _, l := range r.decision.Start {\n" +
				"		if _, err := r.signalled(ctx); err != nil || r.interrupted {\n",
			"err != nil {\n		return err\n	}\n	r.stopDecided(ctx)\n	for _, l := range r.decision.Start {\n" +
				"		if _, err := r.signalled(ctx); err != nil {\n",
		},
		{"no heartbeat extends the session", loop, "at.Uptime-r.beat < heartbeatEvery && !r.timeRunsOut(at.Uptime) {", "true {"},
		{"verdicts are not recorded", loop, "v.State == plateau.StateRunning || sameVerdict", "v.State != plateau.StateRunning || sameVerdict"},
		{"one more job than there is runs", "sweep/decide_plan.go", "p.busy() >= p.jobs || p.alone |", "p.busy() > p.jobs || p.alone |"},
		{"attempts are numbered from 1 again", "sweep/decide_plan.go", "	return t.Attempts[len(t.Attempts)-1].Number + 1", "	return 1"},
		{
			"a coordinator writes that has lost its lease", "store/db.go",
			"		if err := d.checkLease(ctx, tx); err != nil {\n			return err\n		}\n", "",
		},
		{"a commit that failed is taken for done", "store/db.go", "	return d.explain(tx.Commit())", "	_ = tx.Commit()\n	return nil"},
		{"commits are not synced", "store/connect.go", `"_synchronous": {"FULL"}`, `"_synchronous": {"OFF"}`},
		{"a transaction can be half written", "store/connect.go", `"_journal_mode": {"WAL"}`, `"_journal_mode": {"OFF"}`},
		{
			"the last of several events is not stored", "store/events.go",
			"	for _, e := range events {", "	for _, e := range events[:max(1, len(events)-1)] {",
		},
		{"the first new attempt is overlooked", "store/refresh.go", "FROM attempts WHERE id > ?1\n", "FROM attempts WHERE id > ?1 + 1\n"},
		{
			"attempts without an outcome are not read again", "store/refresh.go",
			"!over {\n			keepOpen(&seen, id, seq)\n", "!over {\n",
		},
		{"a worker that hangs is let be", hung, "r.HungAfter > 0 && a.silence", "false && a.silence"},
		{"a worker that does not end when it is asked to is not killed", hung, "a.leaveBy > 0 && now >= a.leaveBy", "false"},
		{
			"who ran out of memory beside others is said to have done so alone", "sweep/scheduler_retry.go",
			"if a.beside && e.Outcome", "if false && e.Outcome",
		},
		{"a trial that ran out of memory alone is tried with whole batches", "sweep/retry.go", "	if !half {", "	if true {"},
		{
			"others start beside one that ran out of memory", "sweep/decide_plan.go",
			"p.busy() >= p.jobs || p.alone || alone && len(p.running) > 0", "p.busy() >= p.jobs || alone && len(p.running) > 0",
		},
		{
			"limits.time follows the time of day", "store/sessions.go",
			"UPDATE sessions SET heartbeat_ns = ?, elapsed_ns = max(elapsed_ns, ?)",
			"UPDATE sessions SET heartbeat_ns = ?1, elapsed_ns = max(elapsed_ns, ?1 - started_ns, ?2)",
		},
		{"limits.time ends nothing", "sweep/budget.go", "i.Elapsed >= i.Limits.Time", "false"},
		{"limits.trial_time is left to the worker", hung, "case limit > 0 && !a.foreign", "case false && !a.foreign"},
		{"a retry forgives all but the last attempt", "sweep/facts.go", "a.Number <= t.Retried", "a.Number < t.Retried"},
		{
			"a longer grid's trials have no place", "store/grids.go",
			"		if err := insertTrials(ctx, tx, places); err != nil {\n			return err\n		}\n		return appendRetries(",
			"		return appendRetries(",
		},
		{"a verdict that is found again after a wish is not recorded", "store/verdicts.go", "latest == text && counts", "latest == text"},
	}
}
