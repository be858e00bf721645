package main

import (
	"embed"
	"fmt"
	"html"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/grid"
)

//go:embed help/*.md
var helpFiles embed.FS

// topic is a page of help about more than one command. Its Markdown file also reads well on the web.
type topic struct {
	name string // of the file, without its extension
	text string
}

// title is the page's first heading, without its mark.
func (t topic) title() string {
	first, _, _ := strings.Cut(t.text, "\n")
	return strings.TrimPrefix(first, "# ")
}

// helpTopics returns all pages, by name.
func helpTopics() []topic {
	files, err := fs.Glob(helpFiles, "help/*.md")
	if err != nil {
		panic(err) // the pattern is constant
	}
	topics := make([]topic, len(files))
	for i, file := range files {
		text, err := helpFiles.ReadFile(file)
		if err != nil {
			panic(err) // it was listed just now
		}
		topics[i] = topic{name: strings.TrimSuffix(path.Base(file), ".md"), text: string(text)}
	}
	return topics
}

// addHelp replaces cobra's help command by one that knows the topics, and lists them in the root's help.
func addHelp(a *app, root *cobra.Command) {
	root.SetHelpCommand(newHelpCommand(a))
	commands := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		commands(cmd, args)
		if cmd == root {
			listTopics(a.stdout)
		}
	})
}

func listTopics(w io.Writer) {
	fmt.Fprintln(w, "\nTopics (sweep help TOPIC):")
	for _, t := range helpTopics() {
		fmt.Fprintf(w, "  %-11s %s\n", t.name, t.title())
	}
}

// newHelpCommand has the topics as subcommands, so that cobra completes them.
func newHelpCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Help about any command or topic",
		Long: `help prints what COMMAND --help prints, or a page about a topic. Without an argument it lists both. Where a topic and a
command share a name, the page comes first and the command's help after it.`,
		Example: `  sweep help run
  sweep help grid`,
		SuggestionsMinimumDistance: 2,
		ValidArgsFunction:          completeCommands,
		RunE:                       showCommand,
	}
	for _, t := range helpTopics() {
		cmd.AddCommand(newTopicCommand(a, t))
	}
	return cmd
}

func newTopicCommand(a *app, t topic) *cobra.Command {
	return &cobra.Command{
		Use:               t.name,
		Short:             t.title(),
		Args:              usageArgs(cobra.NoArgs),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := writePage(a.stdout, t.text, a.textOptions().Color); err != nil {
				return err
			}
			if command, _, err := cmd.Root().Find([]string{t.name}); err != nil || command == cmd.Root() {
				return err // nil where no command has that name
			}
			fmt.Fprintf(a.stdout, "\nThe command sweep %s:\n\n", t.name)
			return showCommand(cmd, []string{t.name})
		},
	}
}

// showCommand prints the help of the command that args name.
func showCommand(cmd *cobra.Command, args []string) error {
	root := cmd.Root()
	found, _, err := root.Find(args)
	if err != nil || found == root && len(args) > 0 {
		return usagef("no command or topic %q%s (sweep help lists them)", args[0], didYouMean(args[0], cmd, root))
	}
	found.InitDefaultHelpFlag()
	found.InitDefaultVersionFlag()
	return found.Help()
}

// didYouMean names a command below one of the parents that is spelt much like name.
func didYouMean(name string, parents ...*cobra.Command) string {
	for _, parent := range parents {
		if s := parent.SuggestionsFor(name); len(s) > 0 {
			return fmt.Sprintf("; did you mean %q?", s[0])
		}
	}
	if _, like := grid.Nearest(name, []string{"help"}); like { // cobra leaves it out
		return `; did you mean "help"?`
	}
	return ""
}

// completeCommands adds the commands to the topics. A topic of the same name stands for both.
func completeCommands(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	parent, _, err := cmd.Root().Find(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, sub := range parent.Commands() {
		shared, _, _ := cmd.Find([]string{sub.Name()}) // cmd itself where there is no such topic
		if sub.IsAvailableCommand() && shared == cmd && strings.HasPrefix(sub.Name(), start) {
			names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// writePage prints Markdown for a terminal: comments and fences left out, code indented, headings bold where the terminal can,
// and links as commands or paths to follow.
func writePage(w io.Writer, text string, bold bool) error {
	var b strings.Builder
	code, plain := false, plainLinks()
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
		case strings.HasPrefix(line, "<!--"):
		case code && line != "\n":
			b.WriteString("    " + line)
		case !code && bold && strings.HasPrefix(line, "#"):
			fmt.Fprintf(&b, "\x1b[1m%s\x1b[0m\n", strings.Trim(line, "# \n"))
		case !code:
			b.WriteString(html.UnescapeString(plain(line)))
		default:
			b.WriteString(line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plainLinks returns what turns [text](rule.md) into text (sweep help rule), and a link to another file into text (path from the top).
func plainLinks() func(line string) string {
	topic := regexp.MustCompile(`\[([^\]]+)\]\((\w+)\.md\)`)
	file := regexp.MustCompile(`\[([^\]]+)\]\((?:\.\./)*([^)]+)\)`)
	return func(line string) string {
		return file.ReplaceAllString(topic.ReplaceAllString(line, "$1 (sweep help $2)"), "$1 ($2)")
	}
}
