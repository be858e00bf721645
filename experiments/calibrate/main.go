package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "calibrate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p := plan{
		shares: []float64{.0025, .005, .01}, seeds: []int{1, 3, 5}, noises: noises(), curves: curves(),
		protocols: append(ours(), rivals()...),
	}
	var jobs int
	var brief, alone bool
	f := flag.NewFlagSet("calibrate", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&p.ladders, "ladders", 2000, "ladders for each curve and noise")
	f.Uint64Var(&p.seed, "seed", 1, "of the random numbers")
	f.IntVar(&jobs, "jobs", runtime.NumCPU(), "simulations at a time")
	f.BoolVar(&brief, "brief", false, "leave the tables by curve out")
	f.BoolVar(&alone, "ours", false, "only this program's rule")
	if err := f.Parse(args); err != nil {
		return err
	}
	if p.ladders < 1 || jobs < 1 {
		return fmt.Errorf("-ladders %d -jobs %d: want at least 1 of each", p.ladders, jobs)
	}
	if alone {
		p.protocols = ours()
	}
	r, err := p.simulate(ctx, jobs)
	if err != nil {
		return err
	}
	return p.write(stdout, r, brief)
}
