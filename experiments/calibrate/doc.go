// Command calibrate measures how often stopping rules are right: it draws ladders whose truth is known, lets the plateau
// rule of this program and the rules that people use today judge them, and counts.
//
//	make calibrate                                        all of it, into experiments/calibrate/results.md
//	go run ./experiments/calibrate -ladders 200           a quick look
//
// A ladder is a curve of true losses over ranks (curves.go) plus noise (noise.go). A rule sees the noisy losses and says
// where it would stop, what it claims and what that took (rule.go; ours.go climbs with plateau.Climb itself, scout.go around
// the knee that a scout shows, rivals.go has the others). The tally (tally.go) compares the claims with the curve.
// Everything is seeded: one set of flags gives one table, whatever the number of cores. Every rule sees the same ladders.
package main
