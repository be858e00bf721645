package records_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/trainer/records"
)

func ExampleResolver_Resolve() {
	dir, err := os.MkdirTemp("", "records")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	body := `{"prompt": "2+2=", "completion": "4"}` + "\n" + `{"text": "the sea"}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(body), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	inputs, err := records.NewResolver(nil).Resolve(context.Background(), []string{filepath.Join(dir, "*.jsonl")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range inputs {
		for doc, err := range in.Documents(context.Background()) {
			fmt.Printf("%s %q %q %v\n", filepath.Base(doc.Place), doc.Prompt, doc.Text, err)
		}
	}
	// Output:
	// a.jsonl:1 "2+2=" "4" <nil>
	// a.jsonl:2 "" "the sea" <nil>
}
