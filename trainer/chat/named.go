package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TemplateFile holds a model's chat template alone.
const TemplateFile = "chat_template.jinja"

// ToolUseFile holds the template for conversations with tools, where a model has one of its own for them.
const ToolUseFile = "additional_chat_templates/tool_use.jinja"

// The names of templates that are used: without tools and with them.
const (
	standardName = "default"
	toolUseName  = "tool_use"
)

// namedTemplates are a model's templates by name. A single one is named default.
type namedTemplates map[string]string

// readTemplates finds the templates' sources and the special tokens they may write.
func readTemplates(files fs.FS) (namedTemplates, map[string]string, error) {
	config, err := tokenizer.ReadConfig(files)
	if err != nil {
		return nil, nil, err
	}
	named, err := readTemplateFiles(files)
	if err != nil {
		return nil, nil, err
	}
	where := ToolUseFile
	if len(named) == 0 && len(config.ChatTemplate) > 0 {
		if err := json.Unmarshal(config.ChatTemplate, &named); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", tokenizer.ConfigFile, err)
		}
		where = tokenizer.ConfigFile
	}
	if len(named) == 0 {
		source, tokens, err := tokenizer.GGUFChatTemplate(files)
		if !errors.Is(err, fs.ErrNotExist) {
			return namedTemplates{standardName: source}, tokens, err
		}
		return nil, nil, noTemplateError{}
	}
	if _, ok := named[standardName]; !ok {
		return nil, nil, fmt.Errorf("%s: chat_template has %s, but none is named default: put the one to use into %s",
			where, strings.Join(slices.Sorted(maps.Keys(named)), ", "), TemplateFile)
	}
	return named, config.SpecialTokens(), nil
}

// readTemplateFiles reads the templates that have files of their own.
func readTemplateFiles(files fs.FS) (namedTemplates, error) {
	named := namedTemplates{}
	for name, file := range map[string]string{standardName: TemplateFile, toolUseName: ToolUseFile} {
		body, err := weights.ReadText(files, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		named[name] = string(body)
	}
	return named, nil
}

// UnmarshalJSON reads a string, a list of {"name", "template"}, or null.
func (c *namedTemplates) UnmarshalJSON(body []byte) error {
	*c = nil
	var single *string
	if err := json.Unmarshal(body, &single); err == nil {
		if single != nil {
			*c = namedTemplates{standardName: *single}
		}
		return nil
	}
	var list []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("chat_template is neither a string nor a list of named templates: %w", err)
	}
	*c = namedTemplates{}
	for _, t := range list {
		(*c)[t.Name] = t.Template
	}
	return nil
}

// noTemplateError says that a model has no chat template. It is an fs.ErrNotExist, whose own words say nothing here.
type noTemplateError struct{}

// Error says what to do.
func (noTemplateError) Error() string {
	return "the model has no chat template, which chat messages need: put it into " + TemplateFile + " beside the model, or write the " +
		"data as prompt and completion"
}

// Is reports whether target is fs.ErrNotExist.
func (noTemplateError) Is(target error) bool { return target == fs.ErrNotExist }
