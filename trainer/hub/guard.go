package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	hf "github.com/gomlx/go-huggingface/hub"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// The library names files of the cache after what the server says (go-huggingface 0.4.3: files.go joins the ETag to blobs/, repo.go the
// commit to snapshots/) and has no setting for its transport. So a guard stands before the transport that it uses.
func init() {
	http.DefaultTransport = guard{http.DefaultTransport}
}

// guarded marks the context of requests whose answers name files.
type guarded struct{}

// guard has such an answer name its file as the hub does, and refuses one that would lead elsewhere than to a file of its folder. Other
// requests pass as they are.
type guard struct{ http.RoundTripper }

func (g guard) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := g.RoundTripper.RoundTrip(request)
	if err != nil || answer.StatusCode != http.StatusOK || request.Context().Value(guarded{}) == nil {
		return answer, err
	}
	asked, key, etag := named(answer)
	if etag == "" { // the library says so
		return answer, nil
	}
	name := strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	if !plainName(name) {
		return nil, errors.Join(notPlain(asked.URL.Redacted(), key, etag), answer.Body.Close())
	}
	answer.Header.Set(hf.HeaderXLinkedETag, name) // which the library prefers
	return answer, nil
}

// named returns what was asked first and what its file is named by: the hub's checksum, which stands on its redirect to the server that
// has the file. That server's ETag may be anything; it counts only where no answer has the hub's.
func named(answer *http.Response) (asked *http.Request, key, etag string) {
	key, etag = "ETag", answer.Header.Get("ETag")
	for ; answer != nil; answer = asked.Response { // back to the first
		asked = answer.Request
		if linked := answer.Header.Get(hf.HeaderXLinkedETag); linked != "" {
			key, etag = hf.HeaderXLinkedETag, linked
		}
	}
	return asked, key, etag
}

// CloseIdleConnections passes on what http.Client and tests' servers ask.
func (g guard) CloseIdleConnections() {
	if t, ok := g.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func plainName(name string) bool { return regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(name) }

// notPlain is an error of one sentence, without others inside: cause keeps the innermost.
func notPlain(where, what, value string) error {
	return fmt.Errorf("%s answers with %s %q: a file of the cache would be named so, and only letters, digits, - and _ may be in it. "+
		"Nothing was written; use another mirror (HF_ENDPOINT)", where, what, value)
}

// describe downloads the hub's description of the repository, whose commit names a folder.
func (h Client) describe(repo *hf.Repo) (err error) {
	defer func() {
		if p := recover(); p != nil { // of go-huggingface 0.4.3, info.go, where the description is null
			err = fmt.Errorf("what the hub answers is no description of %s: %v", repo.ID, p)
		}
	}()
	url, err := repo.FileURL("") // downloads it; DownloadInfo would, and then so would the first file
	if err != nil {
		return err
	}
	where := strings.TrimSuffix(url, "/resolve/"+repo.Info().CommitHash+"/")
	if commit := repo.Info().CommitHash; !plainName(commit) {
		return notPlain(where, "the commit", commit)
	}
	if slices.Contains(repo.Info().Siblings, nil) { // the library reads their names
		return fmt.Errorf("%s lists a file without a name: use another mirror (HF_ENDPOINT)", where)
	}
	return nil
}

// description is the hub's of a snapshot, as the library keeps it, as far as it is used.
type description struct {
	Commit string       `json:"sha"`
	Files  []listedFile `json:"siblings"`
}

type listedFile struct {
	Name string `json:"rfilename"`
}

// readDescription returns an empty one where there is none.
func readDescription(folder string) description {
	var d description
	text, err := trial.ReadInput(filepath.Join(folder, "info", "main"), trial.MostJSON)
	if err != nil || json.Unmarshal(text, &d) != nil {
		return description{}
	}
	return d
}

func (d description) lists(name string) bool { return slices.Contains(d.Files, listedFile{name}) }
