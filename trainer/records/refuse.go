package records

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// refusedColumns mark rows that are made for something else than supervised training (TRL's dataset formats).
func refusedColumns() []string {
	return []string{"chosen", "rejected", "completions", "labels", "image", "images", "video", "videos", "audio", "audios"}
}

// mediaColumns hold what only other models can see or hear.
func mediaColumns() []string { return refusedColumns()[4:] }

// refusal says what a row is made for that has no form to train on; nil where nothing is known of it.
func (j jsonRow) refusal(names []string) error {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return j[name] == nil })
	}
	switch {
	case has("chosen", "rejected"):
		return errors.New("a preference row (chosen, rejected), as DPO takes it: preferences are not trained here; to train on the chosen " +
			"answers, name them: data.columns: {prompt: prompt, completion: chosen}, or {messages: chosen} where chosen is the whole chat")
	case has("completions", "labels"):
		return errors.New("a row of stepwise supervision (completions, labels), as reward models take it: rewards are not trained here")
	case has("prompt") && !has("completion"):
		return fmt.Errorf("no column to train on (columns: %s): a prompt without an answer, as GRPO and other reinforcement learning take "+
			"it, which is not trained here; add the answer as completion, or name its column with data.columns: {completion: …}",
			cut(strings.Join(names, ", ")))
	}
	return nil
}

// kto refuses an answer with a verdict on it: half of such answers are those not to give.
func (j jsonRow) kto() error {
	label := j["label"]
	if j["kto_tag"] != nil {
		label = j["kto_tag"]
	}
	if string(label) != "true" && string(label) != "false" {
		return nil
	}
	return errors.New("a row with a verdict on its answer (label true or false), as KTO takes it: verdicts are not trained here; keep the " +
		"rows whose label is true, and leave the column out")
}

// media refuses a row with an image, a video or a sound, without which its answer has no ground.
func (j jsonRow) media() error {
	for _, name := range mediaColumns() {
		switch string(j[name]) {
		case "", `""`, "[]", "{}":
		default:
			return errors.New("column " + name + ": only text is supported; leave rows with images, videos or sounds out, or, where the " +
				"text stands without them, the column")
		}
	}
	return nil
}
