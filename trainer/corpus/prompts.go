package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Prompt is the beginning of a row, and what the row has after it.
type Prompt struct {
	Row           int // counted from 1
	IDs, Expected []int32
}

// Prompts returns the prompts of the first n rows that have any. A prompt ends where the row's first answer begins. Text has neither: of
// its longest document in the row the first half is the prompt.
func (r Rows) Prompts(n int) []Prompt {
	var all []Prompt
	for i := 0; i < r.Len() && len(all) < n; i++ {
		if p := promptOf(r.Row(i)); len(p.Expected) > 0 {
			p.Row = i + 1
			all = append(all, p)
		}
	}
	return all
}

func promptOf(r Row) Prompt {
	scored := func(i int) bool { return r.Labels[i] != trial.IgnoredLabel }
	end := len(r.IDs)
	for end > 0 && !scored(end-1) {
		end--
	}
	begin := 0 // of the document
	for i := 1; i < end; i++ {
		if r.Segments[i] != r.Segments[i-1] {
			begin = i
		}
		// Nothing predicts a document's first id: a run from its second on need not follow a prompt.
		if i < begin+2 || !scored(i) || scored(i-1) {
			continue
		}
		to := i + 1
		for to < end && scored(to) && r.Segments[to] == r.Segments[i] {
			to++
		}
		return Prompt{IDs: r.IDs[begin:i], Expected: r.IDs[i:to]}
	}
	from, to := longestDocument(r.Segments[:end])
	half := (from + to) / 2
	return Prompt{IDs: r.IDs[from:half], Expected: r.IDs[half:to]}
}

// longestDocument returns where the longest run of equal numbers is.
func longestDocument(segments []int32) (from, to int) {
	for begin := 0; begin < len(segments); {
		end := begin + 1
		for end < len(segments) && segments[end] == segments[begin] {
			end++
		}
		if end-begin > to-from {
			from, to = begin, end
		}
		begin = end
	}
	return from, to
}

// Prompter makes prompts of texts as the rows of a data set would have them, and text of ids.
type Prompter struct {
	src Source
	enc *encoder
}

// NewPrompter reads the model's tokenizer and chat template, which may be missing.
func NewPrompter(src Source) (*Prompter, error) {
	enc, err := newEncoder(src.Files, src.Spec, nil)
	return &Prompter{src: src, enc: enc}, err
}

// Text returns the text of ids; of a model without tokenizer the ids themselves.
func (p *Prompter) Text(ids []int32) string {
	if p.enc.Tokenizer != nil {
		return p.enc.Tokenizer.Decode(ids)
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
	}
	return strings.Join(words, " ")
}

// Answer returns the text of ids up to the first that ends an answer.
func (p *Prompter) Answer(ids, stops []int32) string {
	if end := slices.IndexFunc(ids, func(id int32) bool { return slices.Contains(stops, id) }); end >= 0 {
		ids = ids[:end]
	}
	return p.Text(ids)
}

// Prompt returns the ids of a text. Where the rows of data.train are conversations, it is a user's message.
func (p *Prompter) Prompt(ctx context.Context, text string) ([]int32, error) {
	if p.enc.Tokenizer == nil {
		return nil, fmt.Errorf("a prompt needs the model's tokenizer: %w", p.enc.tokErr)
	}
	chats, err := p.chats(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("whether prompts are messages of a conversation: %w", err)
	case !chats:
		return p.enc.Tokenizer.EncodeBeginning(text), nil
	case p.enc.Template == nil:
		return nil, p.enc.tmplErr
	}
	return p.enc.Prompt(text)
}

// chats looks at the first row of data.train that can be read.
func (p *Prompter) chats(ctx context.Context) (bool, error) {
	inputs, err := records.NewResolver(p.src.Hub).Resolve(ctx, p.src.Spec.Train, "train")
	if err != nil {
		return false, err
	}
	for _, in := range inputs {
		in.Columns = p.src.Spec.Columns
		for doc, err := range in.Documents(ctx) {
			switch {
			case records.IsRowError(err):
				continue
			case err != nil:
				return false, err
			}
			return doc.Form == records.FormChat || doc.Form == records.FormInstruction && !p.enc.untemplated(), nil
		}
	}
	return false, nil
}

// Stops returns the ids that end an answer: those that the model's configuration names, its end-of-text token, and the token with which its
// chat template ends a turn.
func (p *Prompter) Stops() ([]int32, error) {
	stops, err := configuredStops(p.src.Files)
	if err != nil {
		return nil, err
	}
	if t := p.enc.Tokenizer; t != nil {
		if id, ok := t.EOS(); ok {
			stops = append(stops, id)
		}
		if p.enc.Template != nil {
			if id, ok := p.enc.TurnEnd(); ok {
				stops = append(stops, id)
			}
		}
	}
	slices.Sort(stops)
	return slices.Compact(stops), nil
}

// configuredStops reads eos_token_id, a number or a list.
func configuredStops(files fs.FS) (stops []int32, err error) {
	for _, name := range []string{"generation_config.json", weights.ConfigFile} {
		body, err := weights.ReadText(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var config struct {
			EOS json.RawMessage `json:"eos_token_id"`
		}
		if err == nil {
			err = json.Unmarshal(body, &config)
		}
		var one *int32
		var list []int32
		if err == nil && len(config.EOS) > 0 && json.Unmarshal(config.EOS, &list) != nil {
			err = json.Unmarshal(config.EOS, &one)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: eos_token_id: %w", trial.ErrInput, name, err)
		}
		if stops = append(stops, list...); one != nil {
			stops = append(stops, *one)
		}
	}
	return stops, nil
}
