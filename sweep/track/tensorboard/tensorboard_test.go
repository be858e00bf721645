package tensorboard_test

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/tensorboard"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
)

// scalar is a number in an event file.
type scalar struct {
	Tag   string
	Step  int
	Value float32
}

// TestFilesHoldEachPointOnce, whatever the file was before: absent, shorter, torn, foreign, or that of an attempt that another replaced.
func TestFilesHoldEachPointOnce(t *testing.T) {
	t.Parallel()
	first, then := tracktest.Facts(4, 0), tracktest.Facts(4, 2)
	want := map[string][]scalar{"first": wanted(t, first), "then": wanted(t, then)}
	for name, before := range map[string]func(t *testing.T, dir string){
		"absent": func(*testing.T, string) {},
		"there": func(t *testing.T, dir string) {
			t.Helper()
			sync(t, dir, first)
		},
		"begun": func(t *testing.T, dir string) {
			t.Helper()
			sync(t, dir, tracktest.Facts(2, 0))
		},
		"torn": func(t *testing.T, dir string) {
			t.Helper()
			sync(t, dir, first)
			path := trialFile(t, dir)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()-5); err != nil {
				t.Fatal(err)
			}
		},
		"foreign": func(t *testing.T, dir string) {
			t.Helper()
			sync(t, dir, first)
			if err := os.WriteFile(trialFile(t, dir), []byte("something else"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before(t, dir)
			sync(t, dir, first)
			if diff := cmp.Diff(want["first"], scalars(t, dir)); diff != "" {
				t.Errorf("scalars (-want +got):\n%s", diff)
			}
			sync(t, dir, then)
			if diff := cmp.Diff(want["then"], scalars(t, dir)); diff != "" {
				t.Errorf("scalars after steps were taken again (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFilesHoldOnePeakPerStep, also of a step at which several attempts evaluated.
func TestFilesHoldOnePeakPerStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sync(t, dir, tracktest.Restarted())
	var steps []int
	for _, s := range scalars(t, dir) {
		if s.Tag == "peak_host_bytes" {
			steps = append(steps, s.Step)
		}
	}
	if diff := cmp.Diff([]int{0, 2, 4}, steps); diff != "" {
		t.Errorf("steps with a peak (-want +got):\n%s", diff)
	}
}

// TestFoldersOfOneName: sweeps of one name, and of the same trial, in two databases keep files of their own.
func TestFoldersOfOneName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, other := tracktest.Facts(4, 0), tracktest.Facts(4, 2)
	other.Sweep.Created = one.Sweep.Created.Add(time.Second)
	for _, f := range []track.Facts{one, other, one} {
		sync(t, dir, f)
	}
	for pattern, want := range map[string]int{"*/events.*": 2, "*/*/events.*": 2} {
		if files, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(files) != want {
			t.Errorf("%s: %q, %v, want %d", pattern, files, err, want)
		}
	}
}

func sync(t *testing.T, dir string, f track.Facts) {
	t.Helper()
	if unsent, err := tensorboard.New(dir).Sync(t.Context(), f); err != nil || unsent != 0 {
		t.Fatalf("Sync() = %d, %v", unsent, err)
	}
}

func trialFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "events.out.tfevents.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("event files of the trial: %q, %v, want one", files, err)
	}
	return files[0]
}

// wanted are the trial's numbers as the facts have them.
func wanted(t *testing.T, f track.Facts) []scalar {
	t.Helper()
	var all []scalar
	err := func() error {
		_, err := track.Runs(func(_ context.Context, r track.Run) error {
			for _, p := range r.Points {
				for _, v := range p.Values {
					all = append(all, scalar{v.Name, p.Step, float32(v.Value)})
				}
			}
			for _, v := range r.Summary {
				all = append(all, scalar{v.Name, r.Step, float32(v.Value)})
			}
			return nil
		}).Sync(t.Context(), f)
		return err
	}()
	if err != nil || len(all) < 10 {
		t.Fatalf("%d numbers, %v", len(all), err)
	}
	return all
}

// scalars reads the trial's event file by the format's own rules.
func scalars(t *testing.T, dir string) []scalar {
	t.Helper()
	file, err := os.ReadFile(trialFile(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	var all []scalar
	for len(file) > 0 {
		var data []byte
		if data, file, err = record(file); err != nil {
			t.Fatal(err)
		}
		step := 0
		each(t, data, func(field int, v uint64, body []byte) {
			switch field {
			case 2:
				step = int(v)
			case 5:
				each(t, body, func(_ int, _ uint64, value []byte) {
					s, simple := scalar{Step: step}, false
					each(t, value, func(field int, v uint64, body []byte) {
						switch field {
						case 1:
							s.Tag = string(body)
						case 2:
							s.Value, simple = math.Float32frombits(uint32(v)), true
						}
					})
					if simple {
						all = append(all, s)
					}
				})
			}
		})
	}
	return all
}

// record cuts the first record off a file.
func record(file []byte) (data, rest []byte, err error) {
	const head, tail = 12, 4
	if len(file) < head {
		return nil, nil, os.ErrInvalid
	}
	n := binary.LittleEndian.Uint64(file)
	if uint64(len(file)) < head+n+tail {
		return nil, nil, os.ErrInvalid
	}
	data, rest = file[head:head+n], file[head+n+tail:]
	for _, sum := range []struct{ of, at []byte }{{file[:8], file[8:]}, {data, file[head+n:]}} {
		crc := crc32.Checksum(sum.of, crc32.MakeTable(crc32.Castagnoli))
		if (crc>>15|crc<<17)+0xa282ead8 != binary.LittleEndian.Uint32(sum.at) {
			return nil, nil, os.ErrInvalid
		}
	}
	return data, rest, nil
}

// each visits the fields of a message.
func each(t *testing.T, m []byte, visit func(field int, v uint64, body []byte)) {
	t.Helper()
	for len(m) > 0 {
		field, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		m = m[n:]
		var v uint64
		var body []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(m)
		case protowire.Fixed32Type:
			var v32 uint32
			v32, n = protowire.ConsumeFixed32(m)
			v = uint64(v32)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(m)
		default:
			body, n = protowire.ConsumeBytes(m)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		visit(int(field), v, body)
		m = m[n:]
	}
}
