package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"
)

// TestHelp holds the help of every command that people see. The flags that all share are held once, in the root's.
func TestHelp(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.RemoveAll(filepath.Join("testdata", "help")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join("testdata", "help"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var held []string
	root := newRootCommand(&app{})
	root.InitDefaultHelpCmd()
	eachCommand(root, func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())
		name := strings.Join(path, "-") + ".txt"
		held = append(held, name)
		code, stdout, stderr := sweepCommand(t, append(path[1:], "--help")...)
		if code != exitOK || stderr != "" {
			t.Errorf("%s --help = %d, %q on stderr", c.CommandPath(), code, stderr)
		}
		if _, again, _ := sweepCommand(t, append([]string{"help"}, path[1:]...)...); !strings.HasSuffix(again, stdout) {
			t.Errorf("sweep help %s does not print the help of the command:\n%s", strings.Join(path[1:], " "), again)
		}
		own, _, _ := strings.Cut(stdout, "\nGlobal Flags:")
		golden(t, filepath.Join("help", name), own)
		for line := range strings.Lines(own) {
			if n := len([]rune(line)); n > 140 {
				t.Errorf("%s --help has a line of %d columns: %s", c.CommandPath(), n, line)
			}
		}
	})
	files, err := os.ReadDir(filepath.Join("testdata", "help"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(held) {
		t.Errorf("testdata/help holds %d files for %d commands: remove what is left over with -update", len(files), len(held))
	}
}

// eachCommand visits a command and all below it but the hidden ones, those that cobra adds, and topics.
func eachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	if c.Hidden || c.Name() == "completion" {
		return
	}
	visit(c)
	if c.Name() == "help" {
		return
	}
	for _, sub := range c.Commands() {
		eachCommand(sub, visit)
	}
}

// TestHelpTopics prints every topic as a person reads it in a terminal.
func TestHelpTopics(t *testing.T) {
	t.Parallel()
	var names []string
	for _, topic := range helpTopics() {
		names = append(names, topic.name)
		code, stdout, stderr := sweepCommand(t, "help", topic.name)
		if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, "# "+topic.title()+"\n") {
			t.Errorf("sweep help %s = %d, %q on stderr:\n%s", topic.name, code, stderr, stdout)
		}
		page, command, both := strings.Cut(stdout, "\nThe command sweep "+topic.name+":\n")
		want := slices.Contains([]string{"data", "resume", "scout"}, topic.name)
		if both != want || both && !strings.Contains(command, "Usage:") {
			t.Errorf("sweep help %s: the help of a command follows = %v, want %v", topic.name, both, want)
		}
		if left := regexp.MustCompile("\\]\\(|<!--|```|&lt;").FindString(page); left != "" {
			t.Errorf("sweep help %s leaves %q in the text", topic.name, left)
		}
		for line := range strings.Lines(page) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 90 && !strings.HasPrefix(line, "    ") {
				t.Errorf("sweep help %s has a line of %d columns: %s", topic.name, n, line)
			}
		}
	}
	want := []string{
		"adapters", "backends", "cluster", "data", "faq", "grid", "kubernetes", "lifecycle", "memory", "resume", "rule",
		"scout", "security", "sql", "tools",
	}
	if !slices.Equal(names, want) {
		t.Errorf("topics = %v, want %v", names, want)
	}
}

// TestHelpPage: what Markdown becomes in a terminal, and where it cannot show bold text.
func TestHelpPage(t *testing.T) {
	t.Parallel()
	const page = "# A page\n\nSee [the rule](rule.md) and [the log](../../../experiments/LOG.md), x &lt; y.\n<!-- a mark -->\n" +
		"```sh\nsweep run [a](b.md)\n\n# not a heading\n```\n## More\n"
	for name, test := range map[string]struct {
		bold bool
		want string
	}{
		"plain": {false, "# A page\n\nSee the rule (sweep help rule) and the log (experiments/LOG.md), x < y.\n" +
			"    sweep run [a](b.md)\n\n    # not a heading\n## More\n"},
		"bold": {true, "\x1b[1mA page\x1b[0m\n\nSee the rule (sweep help rule) and the log (experiments/LOG.md), x < y.\n" +
			"    sweep run [a](b.md)\n\n    # not a heading\n\x1b[1mMore\x1b[0m\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			if err := writePage(&got, page, test.bold); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.String()); diff != "" {
				t.Errorf("writePage(bold %v) (-want +got):\n%s", test.bold, diff)
			}
		})
	}
}

// TestHelpUnknown: a name that is neither a command nor a topic is an error that suggests one.
func TestHelpUnknown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a topic misspelt":   {[]string{"gird"}, `no command or topic "gird"; did you mean "grid"? (sweep help lists them)`},
		"a command misspelt": {[]string{"expotr"}, `no command or topic "expotr"; did you mean "export"? (sweep help lists them)`},
		"nothing like it":    {[]string{"xyzzy"}, `no command or topic "xyzzy" (sweep help lists them)`},
		"more than a topic":  {[]string{"grid", "rank"}, `unknown command "rank" for "sweep help grid" (see sweep help grid --help)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := sweepCommand(t, append([]string{"help"}, test.args...)...)
			if code != exitUsage || stdout != "" || stderr != "sweep: "+test.want+"\n" {
				t.Errorf("sweep help %v = %d, %q, said %q, want %d and %q", test.args, code, stdout, stderr, exitUsage, test.want)
			}
		})
	}
}

// TestHelpCompletion: a shell completes topics and commands, a shared name once.
func TestHelpCompletion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"a topic and commands": {[]string{"help", "r"}, []string{"resume", "rule", "rename", "report", "retry", "rm", "run"}},
		"a shared name":        {[]string{"help", "da"}, []string{"data"}},
		"below a command":      {[]string{"help", "backend", ""}, []string{"install", "list"}},
		"after a topic":        {[]string{"help", "grid", ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, _ := sweepCommand(t, append([]string{"__completeNoDesc"}, test.args...)...)
			got := strings.Fields(stdout)
			if code != exitOK || len(got) == 0 || got[len(got)-1] != ":4" { // 4: no file names
				t.Fatalf("completion of %v = %d, %q", test.args, code, stdout)
			}
			if diff := cmp.Diff(test.want, got[:len(got)-1], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("completion of %v (-want +got):\n%s", test.args, diff)
			}
		})
	}
}

// TestHelpNamesEverySettingOfPEFT: what becomes of each field of LoraConfig is said.
func TestHelpNamesEverySettingOfPEFT(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../trainer/weights/testdata/lora_fields.json")
	if err != nil {
		t.Fatal(err)
	}
	var peft struct {
		Keys []string `json:"keys"`
	}
	if err := json.Unmarshal(text, &peft); err != nil {
		t.Fatal(err)
	}
	help, err := os.ReadFile("help/adapters.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(help), "## What can be read")
	for _, key := range peft.Keys {
		if !regexp.MustCompile(`\b` + key + `\b`).MatchString(section) {
			t.Errorf("help/adapters.md does not say what becomes of %s", key)
		}
	}
}
