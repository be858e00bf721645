#!/bin/bash -l
#SBATCH --job-name=quickstart-1
#SBATCH --output=slurm-%j.out
#SBATCH --chdir="/runs/batches/quickstart-1"
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --export=ALL
#SBATCH --propagate=NONE
#SBATCH --signal=B:USR1@120
#SBATCH --nodes=1
#SBATCH --ntasks=1

trap : USR1 TERM
n=0; until ls /runs/batches/quickstart-1 >/dev/null 2>&1 && [ -e /runs/batches/quickstart-1/job.sh ] || [ "$n" -ge 60 ]; do sleep 1; n=$((n + 1)); done; exec bash /runs/batches/quickstart-1/job.sh 0
