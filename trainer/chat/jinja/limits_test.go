package jinja

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Not parallel: it measures what one template allocates.
func TestHostileTemplatesEndSoon(t *testing.T) { //nolint:paralleltest // see above
	deep := func(open, middle, end string) string {
		return strings.Repeat(open, 100_000) + middle + strings.Repeat(end, 100_000)
	}
	double := "{% set s = s ~ s %}"
	cases := map[string]string{
		"loops within loops": strings.Repeat("{% for i in range(100000) %}", 5) + "x" + strings.Repeat("{% endfor %}", 5),
		"a huge range":       "{% for i in range(10000000000) %}{% endfor %}",
		"all of an int":      "{{ range(-9223372036854775807, 9223372036854775807)|list }}",
		"a repeated string":  "{{ 'a' * 1000000000000 }}",
		"a repeated list":    "{{ [1] * 1000000000 }}",
		"doubling":           "{% set s = 'abcdefgh' %}" + strings.Repeat(double, 60) + "{{ s }}",
		"doubling lists":     "{% set s = [1] %}" + strings.Repeat("{% set s = s + s %}", 60) + "{{ s }}",
		"doubling dicts":     "{% set s = {} %}" + strings.Repeat("{% set s = {'a': s, 'b': s} %}", 60) + "{{ s }}",
		"doubling for json":  "{% set s = [] %}" + strings.Repeat("{% set s = [s, s] %}", 60) + "{{ s|tojson(indent=100) }}",
		"comparing": "{% set s = [] %}{% set u = [] %}" + strings.Repeat("{% set s = [s, s] %}{% set u = [u, u] %}", 60) +
			"{{ s == u }}{{ s < u }}",
		"nested values": "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}" +
			"{{ ns.x }}{{ ns.x|tojson }}",
		"replace":              "{% set s = 'a' * 100000 %}{{ s.replace('a', s) }}",
		"replace nothing":      "{% set s = 'a' * 100000 %}{{ s|replace('', s) }}",
		"join":                 "{% set s = 'a' * 100000 %}{{ s|join(s) }}",
		"indent":               "{{ ('a\n' * 100000)|indent(100000) }}",
		"indent by an int":     "{{ 'a\nb'|indent(9223372036854775807) }}",
		"a macro for ever":     "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"a macro without text": "{% macro m(n) %}{% if m(n) or m(n) %}{% endif %}{% endmacro %}{{ m(1) }}",
		"a loop for ever":      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
		"a caller for ever":    "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
		"map of map":           "{{ [[[[[1]]]]]|map('map', 'map', 'map', 'map', 'nope')|list }}{{ range(100000)|map('list')|list }}",
		"power":                "{{ 10 ** 1000000000000 }}",
		"power of one": "{% for i in range(1000) %}{{ 1 ** 9223372036854775807 }}{{ (-1) ** 9223372036854775806 }}{% endfor %}" +
			"{{ nothing.x }}",
		"brackets":        "{{ " + deep("(", "1", ")") + " }}",
		"lists":           "{{ " + deep("[", "1", "]") + " }}",
		"not":             "{{ " + strings.Repeat("not ", 100_000) + "1 }}",
		"signs":           "{{ " + strings.Repeat("-", 100_000) + "1 }}",
		"if":              deep("{% if 1 %}", "x", "{% endif %}"),
		"else":            "{{ " + strings.Repeat("1 if 0 else ", 80_000) + "1 }}",
		"a long sum":      "{{ 1" + strings.Repeat("+1", 100_000) + " }}",
		"a long chain":    "{{ x" + strings.Repeat(".x", 100_000) + " }}",
		"many filters":    "{{ 'x'" + strings.Repeat("|upper", 100_000) + " }}",
		"a long template": strings.Repeat("x", maxSource+1),
		"chars to strip":  "{% set s = 'ab' * 100000 %}{{ s.strip(s ~ 'c') }}",
		"much text":       "{% for i in range(100000) %}{{ messages }}{% endfor %}",
	}
	input := []any{strings.Repeat("content ", 1000)}
	for name, source := range cases {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		template, err := Parse(source)
		if err == nil {
			var text string
			text, err = template.Render(map[string]any{"messages": input}, start)
			if err == nil {
				t.Errorf("%s: rendered %d bytes, want an error", name, len(text))
			}
		}
		elapsed := time.Since(start)
		runtime.ReadMemStats(&after)
		if elapsed > 30*time.Second { // a second or two on an idle core
			t.Errorf("%s: took %v", name, elapsed)
		}
		if made := after.TotalAlloc - before.TotalAlloc; made > 3<<30 { // all garbage counted; what lives at once is far less
			t.Errorf("%s: allocated %d MiB", name, made>>20)
		}
		t.Logf("%-22s %8v %6d MiB  %.80v", name, elapsed.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, err)
	}
}

func TestLimitsLeaveRoomForRealConversations(t *testing.T) {
	t.Parallel()
	template, err := Parse("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content | trim + '<|im_end|>\n' }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	var messages []any
	for range 2000 {
		m := NewDict()
		m.Set("role", "user")
		m.Set("content", strings.Repeat("ten bytes ", 1000))
		messages = append(messages, m)
	}
	text, err := template.Render(map[string]any{"messages": messages}, time.Now())
	if err != nil || len(text) < 2000*9999 {
		t.Errorf("20 MB of messages: %d bytes, %v", len(text), err)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"a\n{{ x.y }}":                                      "line 2: 'x' is undefined",
		"a\n\n{{ raise_exception('no') }}":                  "line 3: raise_exception(): the template refuses this conversation: no",
		"{% if 1 %}\n{{ 'a' + 1 }}\n{% endif %}":            "line 2: + is not defined between a str and a int",
		"{% include 'x' %}":                                 `line 1: statement "include" is not supported in a chat template`,
		"\n{{ 'x'|xmlattr }}":                               `line 2: filter "xmlattr" is not supported`,
		"{{ 'x'.zfill(5) }}":                                "line 1: zfill(): this method of a str is not supported",
		"{{ joiner() }}":                                    "line 1: joiner(): it is not supported",
		"{{ 'a b'|wordcount }}":                             `line 1: filter "wordcount" is not supported`,
		"{{ 3 is odd }}":                                    `line 1: test "odd" is not supported`,
		"{{ {'a': 1}.values() }}":                           "line 1: values(): this method of a dict is not supported",
		"{{ [1].count(1) }}":                                "line 1: count(): this method of a list is not supported",
		"{{ (1, 2).index(1) }}":                             "line 1: index(): this method of a tuple is not supported",
		"{{ '%s' % 1 }}":                                    "line 1: formatting a str with % is not supported",
		"{% for x in [1] %}{{ loop.cycle(1) }}{% endfor %}": "line 1: loop.cycle(): it is not supported",
		"{% for x in l %}\n":                                "line 1: the template ends within a block: want endfor",
	}
	for source, want := range cases {
		_, err := render(source, NewDict())
		if err == nil || err.Error() != want {
			t.Errorf("Render(%q) = %v, want %s", source, err, want)
		}
	}
	if _, err := render("{{ 'a' * 1000000000 }}", NewDict()); !errors.Is(err, errLimit) {
		t.Errorf("a huge string: %v, want errLimit", err)
	}
}

func TestStrftimeNow(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"%d %b %Y":             "04 Mar 2026",
		"%Y-%m-%d %H:%M:%S %%": "2026-03-04 05:06:07 %",
		"%A, %B %-d, %y":       "Wednesday, March 4, 26",
		"%I:%M %p %j":          "05:06 AM 063",
	}
	for format, want := range cases {
		if got, err := render("{{ strftime_now('"+format+"') }}", NewDict()); err != nil || got != want {
			t.Errorf("strftime_now(%q) = %q, %v, want %q", format, got, err, want)
		}
	}
	if got, err := render("{{ strftime_now('%q') }}", NewDict()); err == nil {
		t.Errorf("an unknown format gave %q", got)
	}
}
