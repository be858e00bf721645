#!/bin/bash -l
#SBATCH --job-name=quickstart-2
#SBATCH --array=0-11
#SBATCH --output=slurm-%A_%a.out
#SBATCH --chdir="/home/an \"odd\" user's/$runs # 1"
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --export=ALL
#SBATCH --propagate=NONE
#SBATCH --signal=B:USR1@120
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --partition=gpu
#SBATCH --account=nlp
#SBATCH --qos=long
#SBATCH --constraint=a100&nvlink
#SBATCH --gres=gpu:a100:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=12289M
#SBATCH --time=1-02:01:00
#SBATCH --exclude=node7
#SBATCH --comment=a b

trap : USR1 TERM
n=0; until ls '/home/an "odd" user'\''s/$runs # 1' >/dev/null 2>&1 && [ -e '/home/an "odd" user'\''s/$runs # 1/job.sh' ] || [ "$n" -ge 60 ]; do sleep 1; n=$((n + 1)); done; exec bash '/home/an "odd" user'\''s/$runs # 1/job.sh' "$SLURM_ARRAY_TASK_ID"
