"""Writes what TRL trains on: python masks.py > masks.json, with trl 1.16.0 and transformers 5.24.0.

Of each template there are the model's own, the one to train with, which marks by {% generation %} what the assistant writes ("" where the own
does), and conversations with their ids and assistant_masks under both. The templates here do what published ones do in few lines.
`python masks.py trl` takes all those that TRL knows, with its training templates: TestMasksAgreeWithTRL runs that.
"""
import json
import pathlib
import sys

import transformers

HERE = pathlib.Path(__file__).parent
TOKENS = {"bos_token": "<|endoftext|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Weather now.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "Where."}}, "required": ["city"]}}}]


def user(text):
    return {"role": "user", "content": text}


def answer(text, **more):
    return {"role": "assistant", "content": text, **more}


CONVERSATIONS = {
    "one turn": {"messages": [user("2+2?"), answer("It is 4.")]},
    "two turns": {"messages": [user("2+2?"), answer("It is 4."), user("and 3+3?"), answer("Six.")]},
    "system": {"messages": [{"role": "system", "content": "Be terse."}, user("2+2?"), answer("It is 4."), user("and 3+3?"), answer("Six.")]},
    "ends with a user": {"messages": [user("2+2?"), answer("It is 4."), user("and 3+3?")]},
    "thoughts in content": {"messages": [user("2+2?"), answer("<think>\ntwo and two\n</think>\n\n4"), user("3+3?"), answer("<think>\ntwice three\n</think>\n\n6")]},
    "reasoning_content": {"messages": [user("2+2?"), answer("4", reasoning_content="two and two"), user("3+3?"), answer("6", reasoning_content="twice three")]},
    "thinking": {"messages": [user("2+2?"), answer("4", thinking="two and two")]},
    "all names": {"messages": [user("2+2?"), answer("4", reasoning="two", thinking="and two", name=None, train=True), user("3+3?"), answer("6", reasoning="three")]},
    "tools": {"messages": [user("Rome?"), answer("", tool_calls=[CALL]), {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "sunny"}, answer("It is sunny.")], "tools": TOOLS},
    "null content": {"messages": [user("Rome?"), answer(None, tool_calls=[CALL]), {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "sunny"}, answer("It is sunny.")], "tools": TOOLS},
}


def turns(before, begin, body, training=None):
    """Two templates: assistant turns begin, and then have a body, marked in the second, where training may change it."""
    one = "{%- for m in messages %}" + before + "{%- if m.role == 'assistant' %}{{- BEGIN }}MARK{{- BODY }}UNMARK{%- endif %}{%- endfor %}"

    def fill(body, mark):
        text = one.replace("BEGIN", begin).replace("BODY", body)
        return text.replace("UNMARK", "{%- endgeneration %}" if mark else "").replace("MARK", "{%- generation %}" if mark else "")

    return fill(body, False), fill(training or body, True)


OTHERS = "{%- if m.role != 'assistant' %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}"
TOOLS_FIRST = "{%- if tools %}{{- '<|im_start|>system\\n' }}{%- for tool in tools %}{{- tool | tojson + '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}"
PROMPT = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
# Qwen3's thoughts: in reasoning_content or before </think>.
SPLIT = (
    "{%- set content = m.content if m.content is string else '' %}{%- set thoughts = '' %}{%- if m.reasoning_content is string %}{%- set thoughts = m.reasoning_content %}"
    "{%- elif '</think>' in content %}{%- set thoughts = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}"
    "{%- set calls %}{%- for call in m.tool_calls %}{{- '<tool_call>\\n' + call.function | tojson + '\\n</tool_call>' }}{%- endfor %}{%- endset %}"
)
THINK = "'<think>\\n' + thoughts + '\\n</think>\\n\\n'"
HEADER = "'<|im_start|>assistant\\n'"


def own_templates():
    qwen, qwen_training = turns(
        OTHERS + SPLIT, HEADER, f"({THINK} if loop.last else '') + content + calls + '<|im_end|>\\n'", training=f"{THINK} + content + calls + '<|im_end|>\\n'"
    )
    # DeepSeek's R1 distills: what is before </think> is dropped from every answer, and <think> is part of the generation prompt.
    r1, r1_training = turns(OTHERS, HEADER, "(m.content or '').split('</think>')[-1] + eos_token", training="(m.content or '') + eos_token")
    # Phi-3.5: the end-of-text token follows the last turn only.
    phi, phi_training = turns(OTHERS, HEADER, "(m.content or '') + '<|end|>\\n'")
    end = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- elif messages[-1].role == 'assistant' %}{%- generation %}{{- eos_token }}{%- endgeneration %}{%- else %}{{- eos_token }}{%- endif %}"
    # Mistral-Nemo: the system turn is written before the last user turn.
    nemo = (
        "{%- set ns = namespace(system='', last=0) %}{%- for m in messages %}{%- if m.role == 'system' %}{%- set ns.system = m.content + '\\n\\n' %}{%- elif m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
        "{%- for m in messages %}{%- if m.role == 'user' %}{{- '[INST]' + (ns.system if loop.index0 == ns.last else '') + m.content + '[/INST]' }}"
        "{%- elif m.role == 'assistant' %}{%- generation %}{{- ' ' + (m.content or '') + eos_token }}{%- endgeneration %}{%- endif %}{%- endfor %}"
    )
    # Marks in macros, captured texts and each other, and within tokens.
    odd = (
        "{%- macro say(text) %}({% generation %}{{ text }}{% endgeneration %}){% endmacro %}"
        "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}an{% generation %}swers {{ m.content }}{% endgeneration %} st{% endgeneration %}op"
        "{{ say(m.content) }}{% set text %}{% generation %}set{% endgeneration %}{% endset %}{{ text }}{% filter upper %}{% generation %}filtered{% endgeneration %}{% endfilter %}"
        "{% else %}{{ m.content }}{% endif %}\n{% endfor %}"
    )

    def unmarked(text):
        return text.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")

    yield "thoughts in the last turn only", TOOLS_FIRST + qwen + PROMPT, TOOLS_FIRST + qwen_training + PROMPT
    yield "thoughts in no turn", r1 + PROMPT.replace("assistant\\n", "assistant\\n<think>\\n"), r1_training + PROMPT.replace("assistant\\n", "assistant\\n<think>\\n")
    yield "end of text after the last turn", unmarked(phi + end), phi_training + end
    yield "system before the last user", unmarked(nemo), nemo
    yield "odd marks", odd, ""
    yield "all that is seen", "{{ tools | tojson }}{% for m in messages %}{{ m | tojson }}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}", ""


def trl_templates():
    import trl

    folder = pathlib.Path(trl.__file__).parent / "chat_templates"
    for path in sorted(folder.glob("*.jinja")):
        training = folder / (path.stem + "_training.jinja")
        if not path.stem.endswith("_training"):
            yield path.stem, path.read_text(encoding="utf-8"), training.read_text(encoding="utf-8") if training.exists() else ""


def masks(tokenizer, conversation, template):
    try:
        done = tokenizer.apply_chat_template(
            conversation["messages"], tools=conversation.get("tools"), chat_template=template, return_dict=True, return_assistant_tokens_mask=True
        )
    except Exception as err:  # every error counts
        return {"error": f"{type(err).__name__}: {err}"}
    return {"ids": done["input_ids"], "mask": done["assistant_masks"]}


def main():
    file = HERE / "../../tokenizer/testdata/qwen2/tokenizer.json"
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(file), **TOKENS)
    assert len(tokenizer) == len(transformers.PreTrainedTokenizerFast(tokenizer_file=str(file))), "no token is added"
    templates = []
    for name, own, training in trl_templates() if sys.argv[1:] == ["trl"] else own_templates():
        cases = [
            {"name": title, "row": row, "own": masks(tokenizer, row, own), "training": masks(tokenizer, row, training or own)}
            for title, row in CONVERSATIONS.items()
        ]
        templates.append({"name": name, "own": own, "training": training, "cases": cases})
    print(json.dumps({"versions": {"transformers": transformers.__version__}, "tokens": TOKENS, "templates": templates}))


main()
