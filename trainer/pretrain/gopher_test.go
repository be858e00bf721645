package pretrain

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

// The model in the program is what experiments/basemodel says it is, and it knows Go: an untrained model of 2,048 tokens
// has a loss of ln 2048 = 7.6 nats, this one had 2.5 to 3 on held-out code (experiments/LOG.md).
func TestGopher(t *testing.T) {
	t.Parallel()
	info, err := trainer.Inspect(t.Context(), "builtin:gopher", trainer.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Params < 1_000_000 || info.Params > 1_200_000 || info.VocabSize != 2048 || info.MaxPositions != 128 {
		t.Errorf("Inspect = %+v, want about a million parameters, 2,048 tokens and 128 positions", info)
	}
	files, err := trainer.Files(info)
	if err != nil {
		t.Fatal(err)
	}
	if size := totalSize(t, files); size > 4<<20 {
		t.Errorf("builtin:gopher has %d bytes, want at most 4 MiB", size)
	}
	tok, err := tokenizer.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	_, more := tok.Token(2048)
	if eos, ok := tok.EOS(); !ok || eos != 2047 || more {
		t.Errorf("tokenizer with EOS %d, %v, and a token 2048: %v; want 2047 as the last one", eos, ok, more)
	}
	const code = "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfor i := 0; i < len(args); i++ {\n\t\tif err != nil " +
		"{\n\t\t\treturn nil, err\n\t\t}\n\t}\n}\n"
	path := filepath.Join(t.TempDir(), "main.txt")
	if err := os.WriteFile(path, []byte(code), 0o666); err != nil {
		t.Fatal(err)
	}
	backendtest.NeedPureGo(t)
	choice := backend.Choice{Platform: backend.PlatformGo}
	result, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{Model: info, Data: []string{path}, BatchSize: 1, Backend: choice})
	if err != nil {
		t.Fatal(err)
	}
	if result.Loss > 3 {
		t.Errorf("loss on plain Go = %.2f nats per token, want below 3", result.Loss)
	}
}

func totalSize(t *testing.T, files fs.FS) int64 {
	t.Helper()
	var total int64
	err := fs.WalkDir(files, ".", func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		total += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}
