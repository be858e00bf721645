package cause

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// said is a message that people met, and where it is from.
type said struct {
	source string
	what   Evidence
	want   Cause
}

const (
	goErrno  = "Go 1.26, syscall/zerrors_linux_amd64.go"
	goExit   = "Go 1.26, os.ProcessState.String"
	goSignal = "Go 1.26, runtime/sigtab_linux_generic.go"
	kernel   = "Linux 6.6, mm/oom_kill.c: __oom_kill_process, read through dmesg"
	squeue   = "Slurm 24.05, squeue(1), JOB STATE CODES"
	broken   = "exit status 1"
)

func ofLinux() []said {
	return []said{
		{goExit, Evidence{Exit: "signal: killed"}, Killed},
		{goExit, Evidence{Exit: "signal: terminated"}, Killed},
		{goExit, Evidence{Exit: "signal: hangup"}, Killed},
		{goExit, Evidence{Exit: "signal: segmentation fault (core dumped)"}, Crash},
		{goExit, Evidence{Exit: "signal: aborted (core dumped)"}, Crash},
		{goExit, Evidence{Exit: "signal: illegal instruction"}, Crash},
		{goExit, Evidence{Exit: "signal: bus error"}, Disk},
		{goExit, Evidence{Exit: "signal: file size limit exceeded"}, Disk},
		{goExit, Evidence{Exit: "exit status 1"}, Crash},
		{"nobody saw it end", Evidence{}, Lost},
		{"sysexits.h, EX_IOERR", Evidence{Exit: "exit status 74"}, Disk},
		{"sysexits.h, EX_OSERR", Evidence{Exit: "exit status 71"}, NoProcess},
		{"proc_vmstat(5), oom_kill", Evidence{Exit: "signal: killed", OOMKilled: true}, Memory},
		{goErrno, Evidence{Start: "mkdir runs/trials/0123456789abcdef/2: no space left on device"}, Disk},
		{"the same of inodes: https://github.com/moby/moby/issues/10915", Evidence{Start: "open events.jsonl: no space left on device"}, Disk},
		{goErrno, Evidence{Exit: broken, Stderr: "Error: append point event: write events.jsonl: disk quota exceeded"}, Disk},
		{
			"https://github.com/docker/docs/issues/11397",
			Evidence{Start: "mkdir /var/lib/docker/tmp/docker-builder125433410: read-only file system"},
			Disk,
		},
		{goErrno, Evidence{Exit: broken, Stderr: "Error: read /data/cache/train.rows: input/output error"}, Disk},
		{"https://github.com/moby/moby/issues/31931", Evidence{Reason: "rm: cannot remove 'big_file': Input/output error"}, Disk},
		{goErrno, Evidence{Exit: broken, Stderr: "Error: read checkpoint: stale NFS file handle"}, Disk},
		{goErrno, Evidence{Exit: broken, Stderr: "Error: write adapter.safetensors: file too large"}, Disk},
		{goSignal, Evidence{Exit: "exit status 2", Stderr: "SIGXFSZ: file size limit exceeded\nPC=0x40b96e m=0 sigcode=0"}, Disk},
		{"SQLite 3.46, sqlite3ErrStr(SQLITE_FULL)", Evidence{Reason: "database or disk is full"}, Disk},
		{
			"https://github.com/golang/go/issues/37310", Evidence{Exit: "exit status 2", Stderr: "unexpected fault address 0x7f24b561d000\n" +
				"fatal error: fault\n[signal SIGBUS: bus error code=0x2 addr=0x7f24b561d000 pc=0x463c2e]\n\ngoroutine 1 [running]:"}, Disk,
		},
		{
			"https://github.com/goreleaser/goreleaser/issues/331",
			Evidence{Start: "fork/exec /usr/local/go/pkg/tool/darwin_amd64/compile: resource temporarily unavailable"},
			NoProcess,
		},
		{"https://github.com/sqshq/sampler/issues/93", Evidence{Start: "fork/exec /bin/sh: too many open files"}, NoProcess},
		{goErrno, Evidence{Exit: broken, Stderr: "Error: open /proc/self/statm: too many open files in system"}, NoProcess},
		{"https://github.com/golang/go/issues/31936", Evidence{Start: "fork/exec /bin/sleep: cannot allocate memory"}, NoProcess},
		{"the program was replaced: os/exec, " + goErrno, Evidence{Start: "fork/exec /usr/bin/sweep: no such file or directory"}, NoProcess},
		{
			"https://github.com/grafana/loki/issues/227", Evidence{Exit: "exit status 2", Stderr: "runtime: failed to create new OS thread " +
				"(have 772 already; errno=11)\nruntime: may need to increase max user processes (ulimit -u)\nfatal error: newosproc"}, NoProcess,
		},
		{
			kernel + "; https://github.com/docker/for-linux/issues/1001",
			Evidence{Reason: "Out of memory: Killed process 15784 (python3) total-vm:11964kB, anon-rss:4288kB"},
			Memory,
		},
		{
			kernel + "; https://github.com/linux-test-project/ltp/issues/1080",
			Evidence{Reason: "Memory cgroup out of memory: Kill process 42453 (memcg_test_1) score 0 or sacrifice child"},
			Memory,
		},
		{
			"https://github.com/alice-lg/alice-lg/issues/25", Evidence{Exit: "exit status 2", Stderr: "fatal error: runtime: out of memory\n\n" +
				"runtime stack:\nruntime.throw(0xaf7e25, 0x16)\n\t/usr/local/go/src/runtime/panic.go:617 +0x72"}, Memory,
		},
		{
			"https://github.com/golang/go/issues/12233",
			Evidence{Exit: "exit status 2", Stderr: "fatal error: runtime: cannot allocate memory\n\nruntime stack:"},
			Memory,
		},
		{
			"https://github.com/yinlabniu/HGT-Finder/issues/7", Evidence{
				Exit:   "signal: aborted (core dumped)",
				Stderr: "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
			}, Memory,
		},
	}
}

func ofDevices() []said {
	return []said{
		{
			"https://github.com/patrickbryant1/AFProfile/issues/8", Evidence{
				Exit:   broken,
				Stderr: "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 4770354232 bytes.",
			}, Memory,
		},
		{
			"https://github.com/google-deepmind/alphafold/issues/197",
			Evidence{Exit: broken, Stderr: "RuntimeError: Resource exhausted: Out of memory while trying to allocate 12582912 bytes."},
			Memory,
		},
		{
			"https://github.com/google-deepmind/alphafold/issues/197", Evidence{Exit: broken, Stderr: "2021-10-15 15:01:44.577626: E external/" +
				"org_tensorflow/tensorflow/stream_executor/cuda/cuda_driver.cc:764] failed to alloc 2740606464 bytes unified memory; " +
				"result: CUDA_ERROR_OUT_OF_MEMORY: out of memory"}, Memory,
		},
		{
			"go-xla 0.4.5, pjrt/error.go", Evidence{Exit: broken, Stderr: "Error: step 3: PJRT error (code=8): Error allocating device buffer: " +
				"Attempting to allocate 1.50GiB. That was not possible."}, Memory,
		},
		{
			"https://github.com/RenYurui/StructureFlow/issues/35",
			Evidence{Exit: broken, Stderr: "RuntimeError: CUDA out of memory. Tried to allocate 8.13 GiB (GPU 0; 10.76 GiB total capacity)"},
			Memory,
		},
		{
			"https://github.com/tensorpack/tensorpack/issues/1303, which goes on", Evidence{Exit: "signal: segmentation fault", Stderr: "W tensorflow/" +
				"core/common_runtime/bfc_allocator.cc:237] Allocator (GPU_0_bfc) ran out of memory trying to allocate 2.39GiB with freed_by_count=0. " +
				"The caller indicates that this is not a failure, but may mean that there could be performance gains if more memory were available."}, Crash,
		},
		{
			"https://github.com/nagadit/DeepFaceLab_Linux/issues/89", Evidence{Exit: "signal: aborted", Stderr: "F tensorflow/stream_executor/lib/" +
				"statusor.cc:34] Attempting to fetch value instead of handling error Internal: failed initializing StreamExecutor for CUDA device ordinal 0: " +
				"Internal: failed call to cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered"}, NodeFailure,
		},
		{
			"https://github.com/vllm-project/vllm/issues/5222",
			Evidence{Exit: broken, Stderr: "RuntimeError: CUDA error: uncorrectable ECC error encountered"},
			NodeFailure,
		},
		{
			"https://github.com/wilicc/gpu-burn/issues/1",
			Evidence{Reason: "NVRM: Xid (PCI:0000:02:00): 79, GPU has fallen off the bus."},
			NodeFailure,
		},
		{
			"https://github.com/autumnai/collenchyma-blas/issues/14",
			Evidence{Reason: "NVRM: Xid (PCI:0000:01:00): 31, Ch 00000013, engmask 00000101, intr 10000000"},
			Crash,
		},
		{"Xid Errors, NVIDIA, r575: 48, double bit ECC error", Evidence{Reason: "NVRM: Xid (PCI:0000:3b:00): 48, pid=2414, Ch 00000010"}, NodeFailure},
		{
			"https://github.com/MFlowCode/MFC/pull/1835", Evidence{Exit: broken, Stderr: "cuInit returned error 999 CUDA_ERROR_UNKNOWN"}, NodeFailure,
		},
		{
			"cuda.h 12.4, CUDA_ERROR_LAUNCH_FAILED; https://github.com/JuliaGPU/CUDAdrv.jl/issues/210",
			Evidence{Exit: broken, Stderr: "INTERNAL: Failed to launch CUDA kernel: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure"},
			Crash,
		},
		{
			"https://github.com/jax-ml/jax/issues/25002", Evidence{Exit: broken, Stderr: "E1120 10:59:55.894873   35984 pjrt_stream_executor_client.cc:3067] " +
				"Execution of replica 0 failed: INTERNAL: Failed to retrieve branch_index value on stream 0x5583cca477e0: CUDA error: Could not " +
				"synchronize CUDA stream: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered."}, Crash,
		},
	}
}

func ofClusters() []said {
	return []said{
		{
			"https://github.com/hafs-community/HAFS/issues/101", Evidence{Exit: "signal: killed", Stderr: "slurmstepd: error: Detected 1 oom-kill " +
				"event(s) in step 3495064.0 cgroup. Some of your processes may have been killed by the cgroup out-of-memory handler."}, Memory,
		},
		{
			"https://github.com/nextflow-io/nextflow/issues/5932", Evidence{Exit: "signal: killed", Stderr: "slurmstepd: error: Detected 1 oom_kill " +
				"event in StepId=11300781.0. Some of the step tasks have been OOM Killed.\nsrun: error: sdumont6156: task 0: Out Of Memory"}, Memory,
		},
		{
			"https://github.com/marbl/canu/issues/1052",
			Evidence{Reason: "slurmstepd: error: *** JOB 3884617 ON node023 CANCELLED AT 2018-08-19T16:30:21 DUE TO TIME LIMIT ***"},
			Time,
		},
		{
			"https://github.com/SystemsGenetics/GEMmaker/pull/242",
			Evidence{Reason: "slurmstepd: error: *** JOB 32391783 ON cn119 CANCELLED AT 2021-06-18T13:05:36 DUE TO PREEMPTION ***"},
			Preempted,
		},
		{
			"https://github.com/facebookincubator/submitit/issues/1708",
			Evidence{Reason: "slurmstepd: error: *** JOB 608 ON SERVER_NAME CANCELLED AT 2022-08-12T02:06:12 DUE TO JOB REQUEUE ***"},
			Preempted,
		},
		{
			"Slurm 24.05, slurmstepd/req.c: _handle_signal_container",
			Evidence{Reason: "slurmstepd: error: *** JOB 99 ON n7 CANCELLED AT 2024-06-01T10:00:00 DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***"},
			NodeFailure,
		},
		{
			"https://github.com/hafs-community/HAFS/issues/101",
			Evidence{Exit: "signal: terminated", Stderr: "slurmstepd: error: *** STEP 3495064.0 ON orion-01-01 CANCELLED AT 2021-10-27T19:35:36 ***"},
			Killed,
		},
		{squeue, Evidence{Reason: "OUT_OF_MEMORY"}, Memory},
		{squeue, Evidence{Reason: "TIMEOUT"}, Time},
		{squeue, Evidence{Reason: "PREEMPTED"}, Preempted},
		{squeue, Evidence{Reason: "NODE_FAIL"}, NodeFailure},
		{"Slurm 24.05, sacct(1)", Evidence{Reason: "CANCELLED by 1000"}, Killed},
		{squeue, Evidence{Reason: "FAILED", Exit: "exit status 1"}, Crash},
		{
			"https://github.com/ray-project/ray/pull/30312",
			Evidence{Reason: "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory."},
			Memory,
		},
		{
			"https://github.com/ray-project/ray/pull/58638",
			Evidence{Reason: "Task failed because the node it was running on is dead or unavailable. " +
				"Node IP: 127.0.0.1, node ID: e55b8ca0. This can happen if the node was preempted, had a hardware failure, or its raylet crashed unexpectedly."},
			NodeFailure,
		},
		{
			"https://github.com/verl-project/verl/issues/472, which guesses", Evidence{Reason: "The actor is dead because its worker process has died. Worker exit type: " +
				"SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of file. There are some potential root causes. " +
				"(1) The process is killed by SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called."}, Lost,
		},
		{
			"https://github.com/hiyouga/EasyR1/issues/324", Evidence{Reason: "The actor is dead because its owner has died. Owner worker exit type: " +
				"SYSTEM_ERROR Worker exit detail: Owner's node has crashed."}, NodeFailure,
		},
		{
			"Ray 2.9, python/ray/exceptions.py: WorkerCrashedError",
			Evidence{Reason: "The worker died unexpectedly while executing this task. Check python-core-worker-*.log files for more information."},
			Lost,
		},
		{"Ray 2.9, python/ray/exceptions.py: NodeDiedError", Evidence{Reason: "ray.exceptions.NodeDiedError: Task failed due to the node dying."}, NodeFailure},
		{
			"Ray 2.60, ray/dashboard/modules/job/job_manager.py: _monitor_job_internal",
			Evidence{Reason: "Job supervisor actor failed to start within 900.0 seconds. This timeout can be configured by setting the environment " +
				"variable RAY_JOB_START_TIMEOUT_SECONDS. This may be because the job entrypoint's specified resources aren't available."},
			Lost,
		},
		{
			"Ray 2.60, the same, of a package that the cluster has dropped",
			Evidence{Reason: "runtime_env setup failed: Failed to set up runtime environment.\nOSError: Failed to download runtime_env file package"},
			NoProcess,
		},
		{"Ray 2.60, a node that died under its job", Evidence{Reason: "NODE_FAIL Unexpected termination: dashboard_agent failed"}, NodeFailure},
		{"Ray 2.60, a job that was stopped", Evidence{Reason: "CANCELLED in Ray"}, Killed},
	}
}

// TestOf: what people met is understood, wherever it stands.
func TestOf(t *testing.T) {
	t.Parallel()
	n := 0
	for _, list := range [][]said{ofLinux(), ofDevices(), ofClusters()} {
		for _, s := range list {
			n++
			got, line := Of(s.what)
			if got != s.want {
				t.Errorf("%+v is %q, want %q (%s)", s.what, got, s.want, s.source)
			}
			if line == "" && s.want != Lost {
				t.Errorf("%+v: no line tells that it is %q", s.what, got)
			}
			if strings.Contains(line, "\n") {
				t.Errorf("%+v is told by more than a line: %q", s.what, line)
			}
		}
	}
	if n < 40 {
		t.Errorf("%d messages, want at least 40", n)
	}
}

// TestExitStatus: a worker that cannot write says why it ends by its exit status.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []Cause{Disk, NoProcess} {
		if got, _ := Of(Evidence{Exit: fmt.Sprintf("exit status %d", c.ExitStatus())}); got != c {
			t.Errorf("exit status %d is %q, want %q", c.ExitStatus(), got, c)
		}
	}
}

// TestKilledSaysNothing: what a process wrote before it was killed is not why it was killed.
func TestKilledSaysNothing(t *testing.T) {
	t.Parallel()
	got, _ := Of(Evidence{Exit: "signal: killed", Stderr: "checkpoint step-00000004.ckpt passed over: read: input/output error"})
	if got != Killed {
		t.Errorf("killed after a disk error is %q, want %q", got, Killed)
	}
}

// TestOfError: an error's number counts, not what it quotes.
func TestOfError(t *testing.T) {
	t.Parallel()
	quoted := errors.New(`row 3: "no space left on device" is no number`)
	for err, want := range map[error]Cause{
		fmt.Errorf("save: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}): Disk,
		&os.SyscallError{Syscall: "read", Err: syscall.EIO}:                                Disk,
		fmt.Errorf("open: %w", syscall.EMFILE):                                             NoProcess,
		fmt.Errorf("fork: %w", syscall.EAGAIN):                                             NoProcess,
		fmt.Errorf("mmap: %w", syscall.ENOMEM):                                             Memory,
		&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}:                          None,
		quoted: None,
	} {
		if got := OfError(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
	for text, want := range map[string]Cause{
		"PJRT error (code=8): no":                                Memory,
		"RESOURCE_EXHAUSTED: Out of memory":                      Memory,
		"CUDA_ERROR_ECC_UNCORRECTABLE":                           NodeFailure,
		"the column out of memory is missing":                    None,
		"PJRT error (code=3): shapes do not match":               None,
		"INTERNAL: CUDA_ERROR_LAUNCH_FAILED: unspecified launch": Crash,
	} {
		if got := OfDevice(text); got != want {
			t.Errorf("OfDevice(%q) = %q, want %q", text, got, want)
		}
	}
}
