package records

import (
	"strings"
	"testing"
)

func TestPartsThatAreNotText(t *testing.T) {
	t.Parallel()
	for part, want := range map[string]string{
		`{"type": "image_url", "image_url": {"url": "a.png"}}`: "message 2: part 2 of its content is of type image_url: only text is supported",
		`{"text": "b"}`:                  "message 2: part 2 of its content is no object with type and text: only text is supported",
		`{"type": "text", "text": null}`: "part 2 of its content is no object with type and text",
		`"b"`:                            "part 2 of its content is no object with type and text",
	} {
		line := `{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [{"type": "text", "text": "a"}, ` +
			part + `]}]}`
		if _, err := parseLine([]byte(line), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseLine of the part %s: %v, want an error with %q", part, err, want)
		}
	}
}
