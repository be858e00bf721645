package cluster

import (
	"testing"
	"time"
)

// TestJudge says of each kind of sight how long it must hold before the attempt is over.
func TestJudge(t *testing.T) {
	t.Parallel()
	const lives = -1
	job := func(p Phase, reason string) sight {
		return sight{handed: true, heard: true, found: true, job: Job{Phase: p, Reason: reason, Native: "7_1"}}
	}
	with := func(s sight, change func(*sight)) sight { change(&s); return s }
	claimed := func(s *sight) { s.claimed = true }
	exit := func(text string) func(*sight) { return func(s *sight) { s.claimed, s.exit = true, text } }
	ended := func(s *sight) { s.claimed, s.ended = true, true }
	soon := late / 12
	for name, tt := range map[string]struct {
		sight    sight
		patience time.Duration
		waits    bool
		reason   string
	}{
		"handed in, and no answer yet": {sight{handed: true}, lives, true, ""},
		"it waits":                     {job(Pending, "Resources"), lives, true, ""},
		"its machine is set up":        {job(Running, ""), lives, false, ""},
		"it runs":                      {with(job(Running, ""), claimed), lives, false, ""},
		"it is ending":                 {with(job(Ending, ""), claimed), lives, false, ""},
		"it runs, and nothing can be learnt of it": {sight{handed: true, claimed: true}, lives, false, ""},
		"nobody handed it in":                      {sight{}, late, true, ""},
		"the queue does not have it":               {sight{handed: true, heard: true}, late, true, "the queue does not know its job any more"},
		"the queue has dropped it": {
			sight{handed: true, heard: true, claimed: true, job: Job{Phase: Running, Native: "7_1"}},
			late, false,
			"the queue does not know its job 7_1 any more",
		},
		"last word and exit":                              {with(with(job(Running, ""), ended), exit("exit status 0")), 0, false, ""},
		"last word, and the job is gone":                  {with(job(Ended, ""), ended), 0, false, ""},
		"last word, and the job is put back":              {with(job(Pending, ""), ended), 0, false, ""},
		"last word, and the job runs":                     {with(job(Running, ""), ended), late, false, ""},
		"it came to its end, and its last word is late":   {with(job(Ended, ""), exit("exit status 0")), late, false, ""},
		"it broke down, and a last word may come":         {with(job(Running, ""), exit("exit status 1")), late, false, ""},
		"it broke down, and its job is over":              {with(job(Ended, ""), exit("exit status 1")), soon, false, ""},
		"it was killed, and the queue may say why":        {with(job(Running, ""), exit("signal: killed")), late, false, ""},
		"it was killed, and the queue says why":           {with(job(Ended, "PREEMPTED"), exit("signal: killed")), soon, false, "PREEMPTED"},
		"the kernel killed it":                            {with(job(Running, ""), exit("signal: killed, out of memory")), 0, false, ""},
		"cancelled before it began":                       {job(Ended, "CANCELLED by 0"), soon, false, "CANCELLED by 0"},
		"its time is up":                                  {with(job(Ended, "TIMEOUT"), claimed), soon, false, "TIMEOUT"},
		"its node is lost, and may not know":              {with(job(Ended, "NODE_FAIL"), claimed), late, false, "NODE_FAIL"},
		"its job is over, and no word of it is there yet": {with(job(Ended, ""), claimed), late, false, ""},
		"put back into the queue": {
			with(job(Pending, "BeginTime"), claimed), late, false, "job 7_1 was put back into the queue: due to job requeue",
		},
		"it is suspended for others":                 {with(job(Suspended, ""), claimed), lives, true, ""},
		"another executor's worker":                  {sight{claimed: true, foreign: true, held: true}, lives, false, ""},
		"another executor's worker, which has ended": {sight{claimed: true, foreign: true}, 0, false, ""},
	} {
		f := tt.sight.judge(late)
		if f.over == "" {
			f.patience = lives
		}
		if f.patience != tt.patience || f.waits != tt.waits || f.reason != tt.reason {
			t.Errorf("%s: over %q after %v, waits %v, reason %q; want %v, %v, %q", name, f.over, f.patience, f.waits, f.reason, tt.patience,
				tt.waits, tt.reason)
		}
	}
}
