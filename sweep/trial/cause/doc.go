// Package cause says why an attempt at a trial ended, from what is left of it: how the process exited, what the kernel, Slurm or Ray say
// of it, and the last lines it wrote. What follows from a cause (retried, and how often) is package sweep's.
package cause
