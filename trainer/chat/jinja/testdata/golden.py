"""Renders snippets as transformers renders chat templates and writes golden.json.

Run with transformers 5.23.0 and jinja2 3.1.6: python golden.py > golden.json
A case has the template, its values, and either the text or, as "error", what Python raised.
"""
import json

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

VALUES = {
    "messages": [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "  Hi <b>&'\" \u00e9\U0001f600\n"},
        {"role": "assistant", "content": None, "tool_calls": [{"name": "get", "arguments": {"z": 1, "a": 1.0, "t": True, "n": None, "l": [], "d": {}}}]},
        {"role": "tool", "content": "<think>\nhm\n</think>\n\nanswer", "name": "get"},
    ],
    "s": "Hello, World", "e": "", "n": 7, "f": 2.5, "t": True, "z": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"],
    "d": {"b": 1, "a": {"x": [1, 2]}, "C": 0}, "add_generation_prompt": True, "bos_token": "<s>", "big": 1e20, "tiny": 1.5e-7,
}

SNIPPETS = r"""
plain text
{{ s }}|{{ e }}|{{ n }}|{{ f }}|{{ t }}|{{ z }}|{{ l }}|{{ d }}|{{ nothing }}
{{ big }} {{ tiny }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 0.0001 }} {{ 1.0 }} {{ 100.0 }} {{ 1/3 }} {{ 5.0e-324 }} {{ -0.0 }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 + t }} {{ 2 ** 3 ** 2 }}
{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ -n }} {{ +n }} {{ -n|string|length }} {{ 1 - -1 }} {{ 10 - 2 - 3 }} {{ 2 * 3 % 4 }}
{{ 'a' ~ 1 ~ 2.0 ~ z ~ t ~ nothing }} {{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ [1] * 2 + [3] }} {{ 'ab' * -1 }} {{ 1 ~ 2 * 3 }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' + z }}
{{ nothing + 'a' }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ nothing.x }}
{{ nothing['x'] }}
{{ messages.x }}|{{ messages[0].x }}|{{ messages[9] }}|{{ z.x }}|{{ n.x }}|{{ s.x }}
{{ messages[9].role }}
{{ messages[-1].role }} {{ messages[0]['role'] }} {{ messages[0].get('role') }} {{ messages[0].get('x') }} {{ messages[0].get('x', 5) }} {{ l[0] }} {{ s[0] }} {{ s[-1] }} {{ l[True] }} {{ l.0 }}
{{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[::2] }} {{ l[5:] }} {{ l[-9:2] }} {{ l[2:0:-1] }} {{ s[-3:] }} {{ l[::99] }} {{ s[7:2:-2] }}
{{ l[::0] }}
{{ l['a':] }}
{{ 1 == 1.0 }} {{ 1 == t }} {{ 'a' == 'a' }} {{ [1, 2] == [1, 2] }} {{ (1, 2) == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }} {{ z == none }} {{ nothing == z }} {{ nothing == nope }} {{ 1 != 2 }} {{ '1' == 1 }}
{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 <= 1.0 }} {{ 1 < 2 == true }}
{{ 1 < 'a' }}
{{ z < 1 }}
{{ nothing < 1 }}
{{ 'a' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in l }} {{ 'role' in messages[0] }} {{ 'x' in messages[0] }} {{ 'a' in nothing }} {{ not 1 in l }} {{ 'C' in d.keys() }} {{ '' in 'abc' }}
{{ 1 in 'abc' }}
{{ 'a' in z }}
{{ 'a' in 5 }}
{{ s and n }} {{ e or n }} {{ z or 'x' }} {{ not e }} {{ not l and 1 }} {{ t and not e or 5 }} {{ e and nothing.x }}
{{ 'y' if t else 'n' }} {{ 'y' if e }}| {{ 'a' if e else 'b' if z else 'c' }} {{ ('a' if t else 'b') ~ 'c' }} {{ 'a' if t else 'b' ~ 'c' }}
{{ {'a': 1, 'b': [1, 'x']} }} {{ (1, 'a') }} {{ (1,) }} {{ () }} {{ [1, [2], {'k': none}] }} {{ 1, 2 }} {{ {1: 2, true: 3, 'x': 4} }}
{{ ["it's", 'say "x"', 'both \' and "', 'tab\t', 'nl\n', 'é', '\x00', '\u200b', '\\'] }}
{{ "a" 'b' }} {{ 'a\nb\tc\\d\'e\"f\qg' }} {{ '\x41\u00e9\101' }} {{ "é😀" }}
{{ '\u00' }}
{{ 'unterminated }}
{{ 1 | 2 }}
{{ }}
{{ 1 1 }}
{{ (1 }}
{{ 1) }}
{{ a. }}
{% if %}{% endif %}
{% if t %}
{% endif %}{% endfor %}
{% for x in l %}{{ x }}
{% unknown %}
{# no end
{{ 'a' }
{% if t %}yes{% else %}no{% endif %} {% if e %}1{% elif z %}2{% elif n %}3{% else %}4{% endif %}
{% if e %}1{% elif z %}2{% else %}4{% endif %}{% if nothing %}x{% endif %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }};{% endfor %}
{% for x in l %}{{ loop.previtem }}-{{ loop.nextitem }};{% endfor %}
{% for x in [] %}x{% else %}none{% endfor %}{% for x in nothing %}x{% else %}none{% endfor %}{% for x in l if x > 9 %}x{% else %}none{% endfor %}
{% for x in l if x > 1 %}{{ x }}{{ loop.index }}/{{ loop.length }} {% endfor %}{% for c in 'héy' %}{{ c }}.{% endfor %}{% for k in d %}{{ k }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}{% for a, b in [[1, 2], (3, 4)] %}{{ a }}{{ b }}{% endfor %}{% for (a, b) in [[1, 2]] %}{{ a + b }}{% endfor %}
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
{% for a, b in l %}{{ a }}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in z %}{% endfor %}
{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %} {% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% for y in w %}{% if y == 'A' %}{% break %}{% endif %}{{ x }}{{ y }}{{ loop.depth }} {% endfor %}{% endfor %}
{% for x in d.a.x recursive %}{{ x }}{% endfor %}{% for x in [[1, [2, 3]], 4] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}@{{ loop.depth }} {% endif %}{% endfor %}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = x + 1 %}{{ x }} {% endfor %}{{ x }}
{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}{% for i in l %}{% if loop.first %}{% set y = i %}{% endif %}{{ y }},{% endfor %}{{ y }}
{% set ns = namespace(x=1, y='a') %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns.nope }}{{ ns['x'] }}
{% set n2 = 5 %}{% set n2.x = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a = (1, 2) %}{{ a }}{% set a = 1, %}{{ a }}{% set (c, dd) = [1, 2] %}{{ c }}{{ dd }}
{% set a, b = l %}
{% set x %}  block {{ n }}
{% endset %}[{{ x }}]{% set x | upper | trim %} abc {% endset %}[{{ x }}]
{% with a = 1, b = 2 %}{{ a + b }}{% set c = 3 %}{% endwith %}{{ a }}{{ c }}
{% filter upper %}abc{{ s }}{% endfilter %} {% filter trim | upper %} x {% endfilter %}
{% macro m(a, b=2, c='x') %}[{{ a }}|{{ b }}|{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 5) }}{{ m(1, c='y') }}{{ m() }}{{ m(a=3) }}{{ m(1)|length }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}
{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}
{% set g = 1 %}{% macro m() %}{{ g }}{{ h }}{% endmacro %}{% set g = 2 %}{% set h = 3 %}{{ m() }}
{% macro fact(k) %}{% if k <= 1 %}1{% else %}{{ k * (fact(k - 1)|int) }}{% endif %}{% endmacro %}{{ fact(10) }}
{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}{% macro k() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) k() %}{{ a + b }}{% endcall %}
{% generation %}gen {{ n }}{% endgeneration %}
{% raw %}{{ x }} {% if %}{% endraw %} after
{% raw -%}   {{ x }}   {%- endraw %} after
a
  {% if t %}
    b
  {% endif %}
c
a
  {%- if t %}
    b
  {%- endif %}
c
a {%- if t -%} b {%- endif -%} c
a  {{- n }}  {{ n -}}  b {{- ' x ' -}} c
  {%+ if t %}x{% endif +%}
y
  {{ n }}
  {# comment #}
x {# c #} y
  {#- c -#}  z
a{# c #}
b
{{ n }}
 {% if t %}x{% endif %}  {% if t %}y{% endif %}
{{ n }} {% if t %}z{% endif %}
{% if t %}    {% if t %}q{% endif %}{% endif %}
x

y
{{ messages|length }} {{ s|length }} {{ d|count }} {{ nothing|length }} {{ 'é😀'|length }}
{{ n|length }}
{{ l|select|length }}
{{ z|length }}
{{ l|sort }} {{ w|sort }} {{ w|sort(case_sensitive=true) }} {{ l|sort(reverse=true) }} {{ messages|sort(attribute='role')|map(attribute='role')|list }} {{ l|sort|first }}
{{ [1, 'a']|sort }}
{{ l|max }} {{ l|min }} {{ w|max }} {{ w|min }} {{ []|max }}
{{ l|first }} {{ l|last }} {{ ''|first }} {{ 'abc'|last }} {{ []|first }} {{ d|first }} {{ l|select('gt', 1)|first }}
{{ l|select('gt', 1)|last }}
{{ l|select('ne', 2)|list }} {{ l|reject('le', 1)|list }} {{ [0, 1, '']|select|list }} {{ [0, 1, '']|reject|list }} {{ l|select('in', [1, 9])|list }} {{ l|select('equalto', 2)|list }} {{ l|select('==', 2)|list }}
{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }} {{ messages|rejectattr('tool_calls')|map(attribute='role')|join(',') }} {{ messages|selectattr('name', 'defined')|list|length }} {{ messages|selectattr('content', 'none')|list|length }}
{{ messages|map(attribute='name', default='-')|list }} {{ w|map('upper')|join }} {{ l|map('string')|list }} {{ [[1, 2], [3]]|map('length')|list }}
{{ messages[2:3]|map(attribute='tool_calls.0.name')|list }}
{{ messages|map(attribute='tool_calls.0.name')|list }}
{% if l|select('gt', 9) %}true{% endif %} {% if l|select('gt', 9)|list %}x{% else %}false{% endif %}
{{ l|join }} {{ l|join(', ') }} {{ w|join('-') }} {{ [1, none, 2.0]|join('|') }} {{ messages|join(',', attribute='role') }} {{ 'abc'|join('.') }} {{ nothing|join('x') }}
{{ s|upper }} {{ s|lower }} {{ 'hello wORLD'|capitalize }} {{ "hello wORLD it's a-b (c) x.y"|title }} {{ 'straße'|upper }} {{ 'ΑΣ'|lower }} {{ 12|upper }} {{ nothing|upper }}
[{{ '  x  '|trim }}] [{{ 'xxaxx'|trim('x') }}] [{{ ' \n\t x'|trim }}] {{ 5|trim }}
{{ 'a-b-c'|replace('-', '+') }} {{ 'a-b-c'|replace('-', '+', 1) }} {{ 'abc'|replace('', '.') }} {{ 5|replace('5', 6) }}
{{ nothing|default('x') }} {{ e|default('x') }} {{ e|default('x', true) }} {{ z|default('x') }} {{ nothing|d }}| {{ d.nope|default(1) + 1 }} {{ e|default('x', boolean=true) }}
{{ '42'|int }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ 4.9|int }} {{ '4.9'|int }} {{ ' 8 '|int }} {{ t|int }} {{ z|int }} {{ '1e3'|int }} {{ -4.9|int }} {{ '3'|float }} {{ 'x'|float }} {{ 'x'|float(1.5) }} {{ 3|float }} {{ '1e3'|float }}
{{ nothing|int }}
{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 2.345|round(1, 'ceil') }} {{ 2.345|round(1, 'floor') }} {{ 7|round }} {{ 42.55|round(1) }}
{{ (l|list) == l }} {{ 'ab'|list }} {{ d|list }} {{ [3, 3, 1, 3]|unique|list }} {{ w|unique|join }} {{ ['a', 'A']|unique|list }}
{{ d|dictsort }} {{ d|dictsort(true) }} {{ {'b': 2, 'a': 1}|dictsort(by='value') }} {{ {'b': 2, 'a': 1}|dictsort(reverse=true) }}
{{ 'a\nb\n\nc'|indent }} {{ 'a\nb\n\nc'|indent(2, true) }} {{ 'a\nb\n\nc\n'|indent(2, blank=true) }}| {{ 'a\nb'|indent('> ') }} {{ ''|indent }}
{{ 1.5|string ~ 'x' }} {{ l|string|length }}
{{ s|safe }} {{ ('a<' ~ '<b'|safe) }} {{ 'a<' + '<b'|safe }} {{ '<b'|safe + 'c&"' + "'" }}
{{ d|tojson }} {{ l|tojson }} {{ messages[2]|tojson }} {{ s|tojson }} {{ '<b>&\'"\n\t\x00é😀/'|tojson }} {{ z|tojson }} {{ 1.0|tojson }} {{ big|tojson }} {{ (1, 2)|tojson }} {{ {1: 2, none: 3, true: 4}|tojson }}
{{ d|tojson(indent=2) }}{{ []|tojson(indent=2) }}{{ d|tojson(sort_keys=true) }}{{ d|tojson(separators=(',', ':')) }}{{ 'é😀'|tojson(ensure_ascii=true) }}{{ d|tojson(indent=none) }}{{ l|tojson(indent=0) }}
{{ nothing|tojson }}
{{ range(3)|tojson }}
{{ s|nosuchfilter }}
{{ s is nosuchtest }}
{{ s is string }} {{ n is number }} {{ t is number }} {{ n is integer }} {{ t is integer }} {{ f is float }} {{ t is boolean }} {{ z is none }} {{ d is mapping }} {{ l is iterable }} {{ s is iterable }} {{ n is iterable }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ n is sequence }} {{ z is sequence }}
{{ nothing is defined }} {{ n is defined }} {{ d.nope is undefined }} {{ n is not defined }} {{ not n is defined }} {{ t is true }} {{ 1 is true }} {{ e is false }} {{ false is false }}
{{ 1 is in l }} {{ 5 is in(l) }} {{ 5 is eq 5 }} {{ 5 is ne(5) }} {{ 5 is gt 4 }} {{ 5 is lt 4 }} {{ 5 is ge(5) }} {{ 5 is le 5 }} {{ 5 is equalto 5.0 }}
{{ n == 7 is true }} {{ 1 + 1 is number }} {{ n is defined and n > 3 }} {{ n is defined or x }} {{ 'a' if n is defined else 'b' }}
{{ l|map('upper', 1)|list }}
{{ [s.strip(), s.upper(), s.lower(), 'ab'.title(), 'hELLO x1y'.title(), s.startswith('He'), s.endswith(('x', 'ld')), s.replace('l', 'L'), s.replace('l', 'L', 1), s.find('o'), s.find('zz'), s.split(), s.split(', '), s.split('l', 1), s.rsplit('l', 1)] }}
{{ ['  a b  c '.split(), '  a b  c '.split(' '), ' a b c '.split(none, 1), ' a b c '.rsplit(none, 1), 'xxabxx'.strip('x'), 'xxab'.lstrip('x'), 'abxx'.rstrip('x'), 'a\nb\r\nc\n'.splitlines()] }}
{{ ['hello World'.capitalize(), 'é'.upper(), 'é😀x'.find('x'), 'a,b'.split(',')[-1], s.index('W')] }}
{{ s.index('zz') }}
{{ s.split('') }}
{{ s.nosuch() }}
{{ messages[3].content.split('</think>')[-1].lstrip('\n') }}|{{ messages[3].content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') }}
{{ d.keys()|list }} {{ d.items()|list }} {{ d.items()|length }} {{ d.keys()|join(',') }} {% if d.keys() %}x{% endif %} {{ d.get('a').x }} {{ d['items'] is defined }}
{{ l.append(4) }}
{{ d.update({'x': 1}) }}
{{ d.pop('a') }}
{{ s.__class__ }}
{{ range(3)|list }} {{ range(1, 4)|list }} {{ range(5, 0, -2)|list }} {{ range(0)|list }} {{ range(3)|length }} {{ range(5)[2] }} {% for i in range(2) %}{{ i }}{% endfor %} {{ 2 in range(3) }} {{ range(3, 1)|list }}
{{ range(1000000000)|list }}
{{ range() }}
{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }} {{ dict([('a', 1)]).a }} {{ namespace({'q': 1}).q }}
{{ raise_exception('no!') }}
{{ n() }}
{{ nothing() }}
{{ 'x'() }}
{{ {'a': 1}.a }} {{ [1, 2][0] }} {{ (1, 2)[1] }} {{ 'abc'[1] }} {{ 'a'.upper() }}
{{ {[1]: 2} }}
{%- for m in messages %}{% if m.content is string %}{{ '<|' + m['role'] + '|>' + m['content'] | trim }}{% endif %}{% endfor %}
{% for m in messages -%}
    {%- if m.role == 'user' and loop.index0 % 2 == 1 -%}
        {{ '[INST] ' ~ m.content.strip() ~ ' [/INST]' }}
    {%- endif %}
{% endfor %}
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% endif %}{{ loop_messages|length }}{{ system_message }}
{{ messages | selectattr("role", "in", ["user", "tool"]) | list | length }}{{ (messages | last).role }}{{ messages[1:] | map(attribute="role") | join }}
""".strip("\n")

# A template that spans lines begins with a line that is not complete; these are joined by hand.
MULTILINE = {
    "{% if t %}\n{% endif %}{% endfor %}", "{% set x %}  block {{ n }}\n{% endset %}[{{ x }}]{% set x | upper | trim %} abc {% endset %}[{{ x }}]",
    "  {% raw %}\n x\n  {% endraw %}\n y\n", "a\n  {% if t %}\n    b\n  {% endif %}\nc\n", "a\n  {%- if t %}\n    b\n  {%- endif %}\nc",
    "  {%+ if t %}x{% endif +%}\ny\n", "  {{ n }}\n  {# comment #}\nx {# c #} y\n  {#- c -#}  z\na{# c #}\nb\n",
    "{{ n }}\n {% if t %}x{% endif %}  {% if t %}y{% endif %}\n{{ n }} {% if t %}z{% endif %}\n", "x\n\n", "x\r\ny\rz\r\n",
    "{% for m in messages -%}\n    {%- if m.role == 'user' and loop.index0 % 2 == 1 -%}\n        {{ '[INST] ' ~ m.content.strip() ~ ' [/INST]' }}\n    {%- endif %}\n{% endfor %}\n",
    "{% set x = {\n  'a': [\n 1, ] ,\n} %}{{ x\n}}", "{{ {'a':{'b':1}}}}", "{{'}}'}}{{ '%}' }}{# {{ #}{% if '%}' %}x{% endif %}", "\n\n{% if t %}\n\n x{% endif %}\n\n",
    "{%- if t -%}\n\n  x  \n{%- endif -%}\n\n y", "{% for x in l %}\n{{ x }}\n{% endfor %}\n", "  {%- set q = 1 -%}  \n  {{- q }}\n", "{% if t %}{# c #}\n{% endif %}\nx",
}


def main():
    cases = []
    for source in SNIPPETS.split("\n") + sorted(MULTILINE):
        case = {"template": source}
        try:
            case["text"] = _compile_jinja_template(source).render(**VALUES)
        except Exception as err:  # every error counts
            case["error"] = f"{type(err).__name__}: {err}"
        cases.append(case)
    versions = {"jinja2": jinja2.__version__, "transformers": transformers.__version__}
    print(json.dumps({"versions": versions, "values": VALUES, "cases": cases}, ensure_ascii=False, indent=0))


main()
