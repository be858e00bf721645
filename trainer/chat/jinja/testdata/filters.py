"""Renders every filter of this package over every kind of value, as transformers renders chat templates, and writes filters.json.

Run with transformers 5.24.0 and jinja2 3.1.6: python filters.py > filters.json
A case is [template, text], or [template] where Python raises. What a filter yields lazily is put into a list.
"""
import json

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

VALUES = [
    "none", "nothing", "true", "false", "0", "7", "0.0", "2.5", "''", "'b A'", "[]", "[none]", "[3, 1]", "['b', 'A']", "[{'a': 1}, {'b': 2}]", "{}",
    "{'b': 1, 'a': none}", "()", "(2, 1)", "range(0)", "range(2)", "[1, 2]|select('gt', 1)", "namespace(a=1)", "'s'|safe",
]
FILTERS = [
    "capitalize", "default('x')", "default('x', true)", "d", "dictsort", "dictsort(by='value')", "first", "last", "float", "float(1.5)", "indent", "indent(2, true)",
    "int", "int(5)", "items|list", "join", "join('-')", "join(attribute='a')", "length", "count", "list", "lower", "map('upper')|list", "map(attribute='a')|list",
    "map(attribute='a', default='-')|list", "map('nosuch')|list", "max", "min", "max(attribute='a')", "reject|list", "select|list", "select('defined')|list",
    "select('nosuch')|list", "rejectattr('a')|list", "selectattr('a')|list", "selectattr('a', 'equalto', 1)|list", "replace('A', none)", "replace('1', 2)", "round",
    "round(1, 'floor')", "safe", "sort", "sort(reverse=true)", "sort(attribute='a')", "string", "title", "tojson", "tojson(indent=1)", "trim", "trim('b')", "unique|list",
    "unique(attribute='a')|list", "upper",
]


def main():
    cases = []
    for f in FILTERS:
        for value in VALUES:
            source = "{{ (" + value + ")|" + f + " }}"
            try:
                text = _compile_jinja_template(source).render()
            except Exception:  # every error counts
                cases.append([source])
                continue
            if not any(repr in text.lower() for repr in ("object", "dict_items", "range(", "namespace")):  # which are not printed here
                cases.append([source, text])
    versions = {"jinja2": jinja2.__version__, "transformers": transformers.__version__}
    body = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    print('{"versions": ' + json.dumps(versions) + ',\n"cases": [\n' + body + "\n]}")


main()
