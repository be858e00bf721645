package sweep

import "github.com/ranksweep/ranksweep/sweep/trial"

// AddDisk holds what the trials that are left may write, beside what the root takes already, against limits.disk.
func (f *Forecast) AddDisk(r Registration, estimates []LadderEstimate, finished map[trial.ID]bool, limit, used int64) {
	f.used = used
	disk := sum{limit: limitDisk, allowed: float64(limit), all: float64(used + diskBeside)}
	for i, l := range r.Ladders {
		for j, rung := range l.Rungs {
			if estimates[i].Rungs[j].OverMemory {
				continue
			}
			disk.add(float64(unfinished(rung.Trials, finished))*float64(l.diskOf(rung)), i, j, rung.Rank)
		}
	}
	if disk.reached != nil {
		disk.reached.Every = false // room can be made
	}
	disk.tell(f)
}

// diskOf is what a trial of a rung writes at most.
func (l LadderPlan) diskOf(rung RungPlan) int64 {
	params, err := rung.Trials[0].Trial.Spec().LoRA.TrainableParams(l.Model.Modules, l.Model.Tensors)
	if err != nil {
		return 0 // its worker will say what is wrong with it
	}
	return diskPerParam * params
}
