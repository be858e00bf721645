// Package track shows a sweep in the tools that people have: one run per trial and one for the sweep itself.
//
// Data flows one way. The facts in the store are turned into runs by pure functions (Runs), and a Sink brings one tool up to date with
// them. Nothing that trains knows of it: a Follower reads the store beside the scheduler, as the live page does, so that a tool that is
// away costs a sweep nothing.
//
// The store is also the queue. A sink compares what there is with what its tool has, and sends what is missing: a file is continued
// where it ends, a server is asked how far it got. So nothing is lost or doubled, whoever was killed or away, and sending a sweep later
// is the same as sending it while it runs.
//
// One tool is one folder: tensorboard, mlflow, wandb. Messages to people (notify) are a sink as well: what is sent are events.
package track
