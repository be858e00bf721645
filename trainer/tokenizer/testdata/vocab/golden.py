"""Writes folders with vocab.json and merges.txt but without tokenizer.json, and what transformers makes of them, to golden.json.

Run with transformers 5.24.0, tokenizers 0.23.3: python golden.py
The vocabulary is that of ../gpt2 with its first merges only.
"""
import json
import pathlib
import tempfile

import tokenizers
import transformers

HERE = pathlib.Path(__file__).parent
TEXTS = ["", "the then and  in", " it's 12345 don't", "e\u0301 é ﬁ 😀", "a</s>b <pad> c<|endoftext|>d", "<|im_start|>user\nhi<|im_end|>\n", "x\n\n y\t<x> z", "THE  \r\n  IN"]


def token(content, **more):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **more}


def listed(content):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}


def main():
    model = json.loads((HERE / "../gpt2/tokenizer.json").read_text())["model"]
    merges = [tuple(m) for m in model["merges"]][:120]
    kept = {t for t in model["vocab"] if len(t) == 1} | {a + b for a, b in merges}
    vocab = {t: i for i, t in enumerate([t for t, _ in sorted(model["vocab"].items(), key=lambda x: x[1]) if t in kept] + ["</s>", "<pad>"])}
    n = len(vocab)
    cases = {
        "gpt2": ("gpt2", {}),
        "gpt2, spaces": ("gpt2", {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "eos_token": "</s>"}}),
        "opt": ("opt", {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": False, "bos_token": token("</s>"),
                                                  "eos_token": token("</s>"), "unk_token": token("</s>"), "pad_token": token("<pad>")},
                        "special_tokens_map.json": {"bos_token": token("</s>"), "eos_token": token("</s>"), "unk_token": token("</s>"), "pad_token": token("<pad>")}}),
        "gpt_neox": ("gpt_neox", {"tokenizer_config.json": {"tokenizer_class": "GPTNeoXTokenizer", "eos_token": "</s>", "add_eos_token": True}}),
        "qwen2": ("qwen2", {"tokenizer_config.json": {"tokenizer_class": "Qwen2TokenizerFast", "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
                                                     "added_tokens_decoder": {str(n): listed("<|endoftext|>"), str(n + 1): listed("<|im_start|>"), str(n + 2): listed("<|im_end|>")}}}),
        "qwen2, old": ("qwen2", {"added_tokens.json": {"<|im_end|>": n + 1, "<|endoftext|>": n}}),
    }
    out = {"versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}, "vocab": vocab,
           "merges": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), "texts": TEXTS, "cases": []}
    for name, (kind, files) in cases.items():
        with tempfile.TemporaryDirectory() as d:
            files = {"config.json": {"model_type": kind}, **files}
            for file, content in {**files, "vocab.json": vocab}.items():
                pathlib.Path(d, file).write_text(json.dumps(content))
            pathlib.Path(d, "merges.txt").write_text(out["merges"])
            t = transformers.AutoTokenizer.from_pretrained(d)
            out["cases"].append({
                "name": name, "files": files, "class": type(t).__name__, "named": t.special_tokens_map, "eos": t.eos_token_id,
                "ids": [t(x, add_special_tokens=False)["input_ids"] for x in TEXTS], "special": [t(x)["input_ids"] for x in TEXTS],
                "decoded": [t.decode(t(x, add_special_tokens=False)["input_ids"]) for x in TEXTS],
            })
    with open(HERE / "golden.json", "w") as f:
        json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


main()
