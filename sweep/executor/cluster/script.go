package cluster

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Files of a batch's folder, ROOT/batches/<name>. What the queue writes lies beside them.
const (
	batchesFolder = "batches"
	bodyFile      = "job.sh"
	attemptsFile  = "attempts" // the attempts' folders, one a line, index 0 first
)

// late is how long files of a shared file system may take to be seen by another machine: NFS caches the attributes of folders and files
// for up to 60 s (acdirmax and acregmax of nfs(5)).
const late = time.Minute

// Script is what a job runs on its machine, whatever the queue.
type Script struct {
	Command   []string // of a worker: the program and its command; "--job" and the attempt's folder are appended
	Env       []string // KEY=VALUE, exported before all else
	Setup     []string // lines of bash that come before the worker: module load cuda
	Container string   // what comes before the command, as bash reads it: apptainer exec --nv image.sif
}

// BatchFolder is a batch's folder below a root.
func BatchFolder(root, name string) string { return filepath.Join(root, batchesFolder, name) }

// Entry is the line of a shell that runs one job of a batch: what a queue is given. index is text of the shell, such as a variable. A
// node may see the folder a while after it was written.
func Entry(folder, index string) string {
	dir, body := trial.Quote(folder), trial.Quote(filepath.Join(folder, bodyFile))
	return fmt.Sprintf(`n=0; until ls %s >/dev/null 2>&1 && [ -e %s ] || [ "$n" -ge %.0f ]; do sleep 1; n=$((n + 1)); done; exec bash %s %s`,
		dir, body, late.Seconds(), body, index)
}

//go:embed job.sh
var body string

// Body is job.sh of a batch's folder: it takes the index of an attempt, runs its worker, passes on the requests to end that a queue
// makes by signals, and writes to the attempt's folder how the worker ended.
func (s Script) Body(folder string) string {
	var setup strings.Builder
	for _, pair := range s.Env {
		key, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&setup, "export %s=%s\n", key, trial.Quote(value))
	}
	for _, line := range s.Setup {
		setup.WriteString(line + "\n")
	}
	var words []string
	if s.Container != "" {
		words = append(words, s.Container)
	}
	for _, word := range s.Command {
		words = append(words, trial.Quote(word))
	}
	return strings.NewReplacer(
		"@BATCH@", trial.Quote(folder), "@PATIENCE@", fmt.Sprintf("%.0f", late.Seconds()),
		"@SETUP@\n", setup.String(), "@WORKER@", strings.Join(words, " "),
	).Replace(body)
}
