// Package ray hands attempts to a Ray cluster as jobs, through the REST interface of Ray Jobs (version 4 of it, as Ray 2.60 has it).
//
// A job's submission id is its batch's name and its index, so that a second submission of the same job is refused: a lost reply is
// settled by asking again. One request tells the states of all jobs, and one more which nodes are dead. The second is needed because the
// states alone lie: where the head's job agent dies its node dies with it, and nobody writes any more that its jobs have ended. They stay
// RUNNING.
//
// What Ray does otherwise than other queues:
//
//   - A job that waits for resources cannot be taken back: a stop reaches it once it runs. And it fails after
//     RAY_JOB_START_TIMEOUT_SECONDS of the head's environment, 15 minutes by default.
//   - A stop is a SIGTERM to every process of the job, and a SIGKILL 3 seconds later. Settings.StopTime makes that longer, so that a job
//     which is stopped from outside can write its checkpoint.
//   - CPUs, GPUs and memory of a job count where Ray places it. They bound nothing, but that CUDA_VISIBLE_DEVICES names the job's GPUs.
//   - There is no time limit.
//
// What jobs there were is gone where a head starts anew, unless it has a Redis. Then the attempts' files tell.
package ray
