package chat

import (
	"testing"
	"testing/fstest"
)

// FuzzTemplate: whatever a model brings as its template, loading and rendering it ends soon, with a text or an error.
func FuzzTemplate(f *testing.F) {
	var golden goldenChat
	readGolden(f, "testdata/golden.json", &golden)
	for _, source := range []string{
		"{% for m in messages %}{{ m.role ~ m.content|trim }}{% endfor %}",
		"{{ messages|tojson(indent=2) }}{{ messages[::-1][0]['role'].split('s', 1) }}",
		"{% macro m(a, b=1) %}{{ caller(a) }}{% endmacro %}{% call(x) m(2) %}{{ x }}{% endcall %}",
		"{% set ns = namespace(a=1) %}{% set ns.a %}x{% endset %}{{ ns.a }}",
		"{% for a, b in messages[0].items() recursive %}{{ loop(b) if loop.first else b }}{% endfor %}",
		"{% raw %}{{ {% endraw %}{#- x -#}\n {%+ if 1 %}{% endif %}",
		"{{ 'a' * 99999 * 99999 }}", "{{ range(99999)|map('list')|list }}",
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if c, err := Load(fstest.MapFS{"chat_template.jinja": {Data: []byte(source)}}); err == nil {
			_, _ = c.Render(golden.Cases[6].Messages, true) // an error is as good as a text
		}
	})
}
