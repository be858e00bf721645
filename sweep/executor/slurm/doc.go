// Package slurm is Slurm as a cluster.Queue: sbatch hands in, squeue and sacct tell, scancel stops.
//
// Script is what sbatch gets, a pure function of the settings and the batch. A batch of several jobs is an array, one of a single job a
// plain job. All that a job is asked by is its name: Slurm's ids are looked up when they are needed, so that nothing is lost with the
// coordinator.
//
// squeue is asked for all jobs of this user at once. It forgets a job MinJobAge seconds after its end; what it does not know is asked of
// sacct, where the site keeps accounts. An error of theirs says nothing about any job.
//
// Versions: written against squeue(1), sbatch(1), scancel(1) and sacct(1) of Slurm 22.05; testdata has what that version printed.
package slurm
