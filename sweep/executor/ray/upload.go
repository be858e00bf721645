package ray

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// pack is the program as a package of Ray's.
type pack struct {
	name string // in the cluster; by content, so that all sweeps of a program share it
	data []byte
}

// uploadTime is how long an upload may take: some 20 MB, to a cluster that may be far away.
const uploadTime = 10 * time.Minute

// workingDir returns the URI of the jobs' working directory. Ray drops a package that no job uses any more, and keeps one that was asked
// for some minutes longer (pin_runtime_env_uri of ray/_private/runtime_env/packaging.py), so that it is asked for before each job.
func (q *Queue) workingDir(ctx context.Context) (string, error) {
	if q.Settings.WorkingDir != Upload {
		return q.Settings.WorkingDir, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.program.name == "" {
		p, err := packed(q.Program)
		if err != nil {
			return "", fmt.Errorf("pack the program for the cluster: %w", err)
		}
		q.program = p
	}
	path := "/api/packages/gcs/" + q.program.name
	err := q.call(ctx, http.MethodGet, path, nil, nil)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound {
		err = q.do(ctx, uploadTime, http.MethodPut, path, "application/zip", q.program.data, func(reader) error { return nil })
	}
	if err != nil {
		return "", fmt.Errorf("upload the program: %w", err)
	}
	return "gcs://" + q.program.name, nil
}

// packed zips a program, under its own name. The same program gives the same bytes.
func packed(path string) (pack, error) {
	const most = 1 << 30
	program, err := trial.ReadInput(path, most)
	if err != nil {
		return pack{}, err
	}
	var data bytes.Buffer
	z := zip.NewWriter(&data)
	header := zip.FileHeader{Name: filepath.Base(path), Method: zip.Deflate}
	header.SetMode(0o755)
	w, err := z.CreateHeader(&header)
	if err != nil {
		return pack{}, err
	}
	if _, err := w.Write(program); err != nil {
		return pack{}, err
	}
	if err := z.Close(); err != nil {
		return pack{}, err
	}
	return pack{name: fmt.Sprintf("ranksweep_%x.zip", sha256.Sum256(data.Bytes())), data: data.Bytes()}, nil
}
