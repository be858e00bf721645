"""Tokenizes with the pre-tokenizers that tokenizer.ggml.pre names, on the small vocabulary of ../gpt2, and writes golden.json.gz.

Run with tokenizers 0.23.3: python golden.py
The pre-tokenizers are those of the models' own tokenizer.json, as llama.cpp quotes or copies them (src/llama-vocab.cpp). The patterns of
deepseek-llm and deepseek-v3 are long: they are read from ../../ggufpre.go, whose own splitting is what is tested.
"""
import gzip
import json
import pathlib
import re

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

HERE = pathlib.Path(__file__).parent
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
WORDS = r"[^\r\n\p{{L}}\p{{N}}]?{u}*{l}+{e}|[^\r\n\p{{L}}\p{{N}}]?{u}+{l}*{e}|\p{{N}}{n}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GO = (HERE / "../../ggufpre.go").read_text()
LETTERS = "".join(re.findall("`(.*?)`", re.search("const letters = .*?return", GO, re.S)[0]))
LETTERS = re.sub(r"\\u([0-9A-F]{4})", lambda m: chr(int(m[1], 16)), LETTERS)
PRES = {
    "dbrx": [LLAMA3],
    "tekken": [WORDS.format(u=UPPER, l=LOWER, e="", n="")],
    "gpt-4o": [WORDS.format(u=UPPER, l=LOWER, e="(?i:'s|'t|'re|'ve|'m|'ll|'d)?", n="{1,3}")],
    "seed-coder": [r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"],
    "deepseek-llm": [r"[\r\n]", r"\s?[" + LETTERS + "]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-퟿]+", r"\p{N}+"],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
                    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
                    r"\s*[\r\n]+|\s+(?!\S)|\s+"],
}
IGNORE_MERGES = {"tekken"}


def main():
    model = json.loads((HERE / "../gpt2/tokenizer.json").read_text())["model"]
    merges = [tuple(m) for m in model["merges"]]
    texts = [t["text"] for t in json.loads(gzip.open(HERE / "../gpt2/tests.json.gz").read())["tests"]]
    texts += ["HELLO helloWorld ÀÉÎ straße ǅ ϴ", "1234567 ٣٤٥ ½Ⅷ x12y345", "a/b//c\n\n/d", "漢字かなカナ 한국어 ๑๒", "  \t\n x \r\n\r\n  y  ", "don't DON'T we'LL 'tis",
              "！＂～ “quoted” ‟ 。、 ＡＢｃ", "e\u0301a\u0308 नमस्ते", "𐐀𐐨 𝒜 😀👍🏽", "Δίνω ԱԲ ႠႡ ℝℤ Ω K", "foo_bar.baz(qux)[1] += `x` $5 <tag/>", " 3 x", "\u00a0\u3000a \u2028b"]
    cases = {}
    for name, patterns in PRES.items():
        t = Tokenizer(models.BPE(model["vocab"], merges, ignore_merges=name in IGNORE_MERGES))
        splits = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
        t.pre_tokenizer = pre_tokenizers.Sequence(splits + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        t.decoder = decoders.ByteLevel()
        cases[name] = [{"pieces": [p for p, _ in t.pre_tokenizer.pre_tokenize_str(x)], "ids": t.encode(x, add_special_tokens=False).ids} for x in texts]
    body = json.dumps({"versions": {"tokenizers": tokenizers.__version__}, "texts": texts, "cases": cases}, ensure_ascii=False, separators=(",", ":"))
    with gzip.GzipFile(HERE / "golden.json.gz", "wb", mtime=0) as f:
        f.write(body.encode())


main()
