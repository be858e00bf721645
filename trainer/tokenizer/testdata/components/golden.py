"""Tokenizes with small tokenizers that use one component each, and writes golden.json.

Run with tokenizers 0.23.3: python golden.py > golden.json
"""
import json

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

WORDS = "Hello World hello the cat's 123 45 a b ab abc . , ! ? - don't e é É x y".split()
TEXTS = [
    "", " ", "Hello World", "hello  world ", " a b ab abc", "123 45a6 ½ ٣", "don't, a-b... c!?", "É é e\u0301 ﬁ Ａ", "a<x>b <x> c<y>d", "x<y>  <x>y",
    "a\n\nb\tc", "▁a ▁b", "_word_ word words word", "😀é", "aaa bbb", "İstanbul ẞ", "ab \nba\n\n a\n",
]
PATTERN = r"\d{1,2}|[a-z]+(?=b)|\s+(?!\S)"


def make(byte_level=False, fallback=False, **parts):
    chars = sorted({c for t in TEXTS + WORDS for c in t} | set("▁ Ġ"))
    if byte_level:
        chars = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {"<unk>": 0}
    for token in ([f"<0x{i:02X}>" for i in range(256)] if fallback else []) + chars + ["ab", "He", "ll", "▁a", "Ġa", "wo", "rd"]:
        if fallback and token in "é😀½":
            continue
        vocab.setdefault(token, len(vocab))
    merges = [m for m in [("a", "b"), ("H", "e"), ("l", "l"), ("▁", "a"), ("Ġ", "a"), ("w", "o"), ("r", "d")] if m[0] in vocab and m[1] in vocab]
    t = Tokenizer(models.BPE(vocab, merges, unk_token=None if byte_level else "<unk>", byte_fallback=fallback, fuse_unk=parts.pop("fuse", False)))
    added = parts.pop("added", [])
    for name, part in parts.items():
        setattr(t, name, part)
    if byte_level:
        t.decoder = decoders.ByteLevel()
    elif "decoder" not in parts:
        t.decoder = decoders.Fuse()
    for token in added:
        t.add_tokens([token])
    return t


def split(pattern, behavior, invert=False):
    return make(pre_tokenizer=pre_tokenizers.Split(pattern, behavior, invert))


TOKENIZERS = {
    "plain": make(),
    "fuse": make(fuse=True),
    "fallback": make(fallback=True, decoder=decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])),
    "byte level": make(byte_level=True, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "prefix space": make(byte_level=True, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True), added=[AddedToken("<x>")]),
    "no regex": make(byte_level=True, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)),
    "lowercase": make(normalizer=normalizers.Lowercase()),
    "nfkc": make(normalizer=normalizers.NFKC()),
    "nfd": make(normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.Strip(left=False, right=True)])),
    "strip": make(normalizer=normalizers.Strip(), added=[AddedToken("<x>", normalized=False)]),
    "replace regex": make(normalizer=normalizers.Replace(Regex(" {2,}"), "▁")),
    "prepend": make(normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), added=[AddedToken("<x>", special=True), AddedToken("<y>", normalized=True)]),
    "isolated": split(Regex(PATTERN), "isolated"),
    "removed": split(Regex(PATTERN), "removed"),
    "contiguous": split(Regex(r"\d|\s"), "contiguous"),
    "previous": split(Regex(r"[ab\s]"), "merged_with_previous"),
    "next": split(Regex(r"[ab\s]"), "merged_with_next"),
    "inverted": split(Regex("[a-z]+"), "removed", True),
    "split text": split(" ", "merged_with_next"),
    "line ends": split(Regex(r"\w$|^[a-z]|\s+$"), "isolated"),
    "digits": make(pre_tokenizer=pre_tokenizers.Digits(individual_digits=False)),
    "single digits": make(pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.WhitespaceSplit()])),
    "punctuation": make(pre_tokenizer=pre_tokenizers.Punctuation("merged_with_previous")),
    "metaspace": make(pre_tokenizer=pre_tokenizers.Metaspace(), decoder=decoders.Metaspace(), added=[AddedToken("<x>")]),
    "metaspace first": make(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first"), decoder=decoders.Metaspace(prepend_scheme="first"), added=[AddedToken("<x>")]),
    "metaspace never": make(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="never", split=False), decoder=decoders.Metaspace(prepend_scheme="never"), added=[AddedToken("<x>")]),
    "lstrip": make(added=[AddedToken("<x>", lstrip=True), AddedToken("<y>", rstrip=True)]),
    "single word": make(added=[AddedToken("word", single_word=True), AddedToken("or"), AddedToken("a", single_word=True)]),
    "longest": make(added=[AddedToken("<"), AddedToken("<x>"), AddedToken("<x>b"), AddedToken("  ")]),
    "normalized tokens": make(normalizer=normalizers.Lowercase(), added=[AddedToken("Hello", normalized=True), AddedToken("World", normalized=False)]),
    "roberta": make(post_processor=processors.RobertaProcessing(("</s>", 5), ("<s>", 4))),
    "templates": make(post_processor=processors.Sequence([
        processors.ByteLevel(), processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 3), ("</s>", 4)]),
    ])),
    "strip decoder": make(decoder=decoders.Sequence([decoders.Fuse(), decoders.Strip("a", 2, 0)])),
}


def main():
    cases = []
    for name, tokenizer in TOKENIZERS.items():
        tests = []
        for text in TEXTS:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            tests.append({"text": text, "ids": ids, "special": tokenizer.encode(text).ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
        cases.append({"name": name, "tokenizer": json.loads(tokenizer.to_str()), "tests": tests})
    print(json.dumps({"versions": {"tokenizers": tokenizers.__version__}, "cases": cases}, ensure_ascii=False, separators=(",", ":")))


main()
