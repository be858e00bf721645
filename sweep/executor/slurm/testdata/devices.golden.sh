#!/bin/bash -l
#SBATCH --job-name=b
#SBATCH --array=0-1
#SBATCH --output=slurm-%A_%a.out
#SBATCH --chdir="/runs/b"
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --export=ALL
#SBATCH --propagate=NONE
#SBATCH --signal=B:USR1@30
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gres=gpu:2
#SBATCH --mem=1024M
#SBATCH --time=0-00:01:00

trap : USR1 TERM
n=0; until ls /runs/b >/dev/null 2>&1 && [ -e /runs/b/job.sh ] || [ "$n" -ge 60 ]; do sleep 1; n=$((n + 1)); done; exec bash /runs/b/job.sh "$SLURM_ARRAY_TASK_ID"
