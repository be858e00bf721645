"""Loads a small tokenizer beside different tokenizer_config.json, special_tokens_map.json and added_tokens.json, and writes golden.json:
what transformers then says of its special tokens, and its ids.

Run with transformers 5.24.0, tokenizers 0.23.3: python golden.py
"""
import json
import pathlib
import tempfile

import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent
TEXTS = ["ab <a>ab <b>ab</s>", "x <pad>  y <t0><t1> z </s></s>", "<s> ab<unk><e> <E>  <m> <img>"]


def base(byte_level):
    vocab = {}
    chars = sorted(pre_tokenizers.ByteLevel.alphabet()) if byte_level else sorted({c for t in TEXTS for c in t.replace(" ", "_")} | set("_AB"))
    for token in ["<unk>", "<s>", "</s>", "<pad>"] + chars + ["ab", "</", "s>"]:
        vocab.setdefault(token, len(vocab))
    t = Tokenizer(models.BPE(vocab, [("a", "b"), ("<", "/"), ("s", ">")]))
    if byte_level:
        t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    else:
        t.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "_")])
        t.decoder = decoders.Replace("_", " ")
    t.add_tokens([AddedToken("<a>", lstrip=True, normalized=False)])
    t.add_special_tokens(["<s>"])
    return t


def added(content, special=False, normalized=False, **more):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special, **more}


def cases(size):
    config, specials, extra = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
    return {
        "nothing": {},
        "eos as text": {config: {"eos_token": "</s>"}},
        "eos as object": {config: {"eos_token": {"__type": "AddedToken", **added("</s>", normalized=True)}}},
        "eos with space": {config: {"eos_token": {"__type": "AddedToken", **added("</s>", lstrip=True)}}},
        "eos is new": {config: {"eos_token": "<e>", "pad_token": "<pad>"}},
        "null": {config: {"eos_token": None, "bos_token": "<s>"}},
        "map alone": {specials: {"eos_token": "</s>", "bos_token": {**added("<s>"), "special": True}}},
        "map as object": {specials: {"eos_token": {k: v for k, v in added("</s>", lstrip=True).items() if k != "special"}}},
        "map wins": {config: {"eos_token": "<pad>", "unk_token": "<unk>"}, specials: {"eos_token": "</s>"}},
        "decoder wins": {config: {"eos_token": "<pad>", "added_tokens_decoder": {"3": added("<pad>", True)}}, specials: {"eos_token": "</s>", "bos_token": "<s>"}},
        "decoder": {config: {"eos_token": "</s>", "added_tokens_decoder": {"2": added("</s>", True), "0": added("<unk>", True), str(size): added("<t0>"), str(size + 1): added("<t1>", True, rstrip=True)}}},
        "decoder, other ids": {config: {"added_tokens_decoder": {"900": added("<t1>"), "800": added("<t0>", lstrip=True)}}},
        "decoder, known token": {config: {"added_tokens_decoder": {str(size - 1): added("<a>", True), "1": added("<s>", False)}}},
        "decoder, known special": {config: {"bos_token": "<s>", "added_tokens_decoder": {"1": added("<s>", True, rstrip=True)}}},
        "extra, known": {config: {"additional_special_tokens": ["<a>"]}},
        "named, known": {config: {"sep_token": "<a>"}},
        "named, known, decoder": {config: {"sep_token": "<a>", "added_tokens_decoder": {"3": added("<pad>", True)}}},
        "decoder, normalized": {config: {"added_tokens_decoder": {str(size): added("<E>", normalized=True)}}},
        "named new": {config: {"sep_token": "<b>", "cls_token": "<m>", "mask_token": "<t0>", "img_token": "<img>"}},
        "additional": {config: {"additional_special_tokens": ["<t0>", "<t1>"]}},
        "extra": {config: {"extra_special_tokens": ["<t1>", "<t0>"], "additional_special_tokens": ["<m>"]}},
        "extra by name": {config: {"extra_special_tokens": {"image_token": "<img>"}}},
        "additional in the map": {specials: {"additional_special_tokens": ["<t0>", "<t1>"]}},
        "extra in the map": {config: {"extra_special_tokens": ["<b>"]}, specials: {"extra_special_tokens": ["<t0>", {k: v for k, v in added("<t1>", lstrip=True).items() if k != "special"}]}},
        "name in the map": {specials: {"img_token": "<img>"}},
        "added tokens": {config: {"eos_token": "<e>"}, extra: {"<t1>": size + 1, "<e>": size}},
        "added and decoder": {config: {"added_tokens_decoder": {str(size): added("<t0>")}}, extra: {"<t1>": size}},
    }


def main():
    out = {"versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}, "texts": TEXTS, "bases": {}, "cases": []}
    for kind in ("bytes", "chars"):
        t = base(kind == "bytes")
        out["bases"][kind] = json.loads(t.to_str())
        for name, files in cases(t.get_vocab_size()).items():
            with tempfile.TemporaryDirectory() as d:
                t.save(d + "/tokenizer.json")
                for file, content in files.items():
                    if file == "tokenizer_config.json":
                        content = {"tokenizer_class": "PreTrainedTokenizerFast", **content}
                    pathlib.Path(d, file).write_text(json.dumps(content))
                pathlib.Path(d, "config.json").write_text('{"model_type": "llama"}')
                got = transformers.PreTrainedTokenizerFast.from_pretrained(d)
                out["cases"].append({
                    "name": f"{kind}: {name}", "base": kind, "files": files, "named": got.special_tokens_map, "eos": got.eos_token_id, "bos": got.bos_token_id,
                    "ids": [got(x, add_special_tokens=False)["input_ids"] for x in TEXTS],
                    "decoded": [got.decode(got(x, add_special_tokens=False)["input_ids"], skip_special_tokens=True) for x in TEXTS],
                })
    with open(HERE / "golden.json", "w") as f:
        json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


main()
