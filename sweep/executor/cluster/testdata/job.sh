#!/bin/bash
# Trains one attempt of a batch: bash job.sh INDEX. Written by sweep; the attempt's folder is line INDEX+1 of the file attempts.
batch=/data/runs/batches/b1
trap : USR1 TERM INT # until a worker can be told; who asks has written a file, too
# This machine may see what was written elsewhere a while later.
tries=0
until dir=$(sed -n "$(($1 + 1))p" "$batch/attempts") && [ -n "$dir" ] && ls "$dir" >/dev/null && [ -e "$dir/spec.json" ]; do
	if [ "$tries" -ge 60 ]; then
		echo "job.sh: $batch names no attempt $1 whose spec.json can be read on $(hostname)" >&2
		exit 72
	fi
	sleep 1
	tries=$((tries + 1))
done
# Whoever makes this file first has the attempt: O_EXCL, by noclobber.
if ! (set -C && echo "{\"worker\": \"process $$ on $(hostname)\"}" >"$dir/claim.json") 2>/dev/null; then
	if ls "$dir" | grep -qx claim.json; then # asking for the name alone may be answered from memory
		echo "job.sh: $dir was run before, or given up" >&2
		exit 0
	fi
	echo "job.sh: no file can be made in $dir on $(hostname): is its disk full, or a quota used up?" >&2
	exit 74 # EX_IOERR of sysexits.h
fi
exec >>"$dir/stdout.log" 2>>"$dir/stderr.log" || exit 74

# Processes that the kernel has killed for want of memory.
ooms() { while read -r name count; do [ "$name" != oom_kill ] || echo "$count"; done 2>/dev/null </proc/vmstat; }
before=$(ooms)

# How it ended is said last of all, also where a line of the set-up ends it.
finish() {
	case $1 in
	129) how='signal: hangup' ;;
	130) how='signal: interrupt' ;;
	131) how='signal: quit' ;;
	132) how='signal: illegal instruction' ;;
	134) how='signal: aborted' ;;
	135) how='signal: bus error' ;;
	136) how='signal: floating point exception' ;;
	137) how='signal: killed' ;;
	139) how='signal: segmentation fault' ;;
	143) how='signal: terminated' ;;
	*) how="exit status $1" ;;
	esac
	if [ "$1" = 137 ] && [ "$(ooms)" != "$before" ]; then
		how="$how, out of memory"
	fi
	echo "$how" >"$dir/.exit.$$" && mv "$dir/.exit.$$" "$dir/exit"
}
trap 'finish $?' EXIT

# The queue asks by a signal; a worker in a container may not hear it, and looks for the file.
stop() {
	again=yes
	: >"$dir/stop"
	[ -z "$worker" ] || kill -TERM "$worker"
}
worker=
trap stop USR1 TERM INT

export GOMLX_BACKEND=xla:cuda
export NOTE='it'\''s'
module load cuda/12.4
echo "on $(hostname)"
apptainer exec --nv /images/base.sif '/opt/my tools/sweep' worker --job "$dir" &
worker=$!
again=yes
while [ -n "$again" ]; do # a signal ends the wait, not the worker
	again=
	wait "$worker"
	status=$?
done
exit "$status"
