#!/bin/sh
# Starts a Slurm of one node in a temporary folder, runs a command with it, and stops it: one-node.sh COMMAND...
# The command finds the folder in SWEEP_SLURM (pid files, logs, slurm.conf). It exits 0, loudly, where there is no Slurm and none can be had.
set -u

skip() {
	echo "==== SKIPPED: $1 ====" >&2
	exit 0
}

for program in munged slurmctld slurmd sbatch; do
	command -v "$program" >/dev/null && continue
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || skip "no $program here: install Debian's slurm-wlm and munge"
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge; } >&2 ||
		skip "no $program here, and apt-get could not install slurm-wlm and munge"
	break
done

dir=$(mktemp -d) || exit 1
chmod 755 "$dir"
export SWEEP_SLURM="$dir" SLURM_CONF="$dir/slurm.conf"

# stop ends what runs, by process id, and waits for it.
stop() {
	trap '' EXIT INT TERM HUP
	scancel --quiet --signal=KILL --batch --user="$(id -un)" 2>/dev/null && scancel --quiet --user="$(id -un)" 2>/dev/null && sleep 2
	for daemon in slurmd slurmctld munged; do
		pid=$(cat "$dir/$daemon.pid" 2>/dev/null) || continue
		kill "$pid" 2>/dev/null
		for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null && sleep 1 || break; done
		kill -9 "$pid" 2>/dev/null
	done
	[ -n "${SWEEP_SLURM_KEEP:-}" ] && echo "kept $dir" >&2 || rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

# Two ports that nobody listens on.
port=$((20000 + $$ % 20000))
while grep -qi ":$(printf '%04X\|:%04X' $port $((port + 1))) " /proc/net/tcp; do port=$((port + 2)); done

mkdir -m 700 "$dir/state" "$dir/spool" "$dir/munge"
dd if=/dev/urandom of="$dir/munge/key" bs=128 count=1 2>/dev/null && chmod 600 "$dir/munge/key"
munged --force --key-file="$dir/munge/key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" --log-file="$dir/munge/log" \
	--seed-file="$dir/munge/seed" --num-threads=2 || exit 1

# The node pretends to have more cores than the machine, so that jobs run beside each other; nothing pins them. Memory is looked at every
# second, and a job that takes more than it asked for is killed, as cgroups do it elsewhere. A job is forgotten soon after its end.
cat >"$SLURM_CONF" <<CONF
ClusterName=onenode
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerNode=1024
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=20
SlurmctldTimeout=10
MinJobAge=15
KillWait=5
MaxArraySize=101
MpiDefault=none
SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=2
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=4 RealMemory=8192 State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
PartitionName=main Nodes=$(hostname) Default=YES MaxTime=60 State=UP PriorityTier=1
PartitionName=urgent Nodes=$(hostname) MaxTime=60 State=UP PriorityTier=9 PreemptMode=OFF
CONF

slurmctld && slurmd || exit 1
ready=
for _ in $(seq 60); do
	[ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ] && ready=yes && break
	sleep 0.5
done
[ -n "$ready" ] || { echo "Slurm did not get ready:" >&2; tail -n 20 "$dir/slurmctld.log" "$dir/slurmd.log" >&2; exit 1; }
"$@"
