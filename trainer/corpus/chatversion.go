package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// chatVersion is empty where conversations become the rows that they became under prepareVersion 2 from the first: their corpora keep
// their fingerprints, and what was trained on them its identity. Since then null values are absent, thoughts are known by all their
// names and kept where a template drops them from every answer, tools and chat_template_kwargs of a row count, as do weight, train and
// {% generation %}. Whether data has any of these is told by the words alone: a file is read again, but no row of it.
func chatVersion(ctx context.Context, template *chat.Template, inputs []records.Input) (string, error) {
	if template == nil {
		return "", nil
	}
	words := []string{`"role"`, "null", `"reasoning"`, `"thinking"`, `"tools"`, `"chat_template_kwargs"`, `"weight"`, `"train"`}
	if template.DropsThoughts() {
		words = append(words, "/think")
	}
	differs := false
	for _, in := range inputs {
		if in.Kind == records.KindParquet && template.Marked() {
			differs = true
		}
		if in.Kind != records.KindJSONL {
			continue
		}
		found, err := in.Mentions(ctx, words...)
		if err != nil {
			return "", err
		}
		differs = differs || found[0] && (template.Marked() || slices.Contains(found[1:], true))
	}
	if !differs {
		return "", nil
	}
	sum := sha256.Sum256([]byte(template.ToolUse()))
	return "1 " + hex.EncodeToString(sum[:]), nil
}
