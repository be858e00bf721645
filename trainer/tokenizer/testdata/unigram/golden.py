"""Makes small tokenizers of the kinds of T5, XLM-RoBERTa, ALBERT, Gemma and Mistral's Tekken, and writes them with their ids to golden.json.gz.

Run with tokenizers 0.23.3 and sentencepiece 0.2.3: python golden.py
The normalization rules are few, so that the table that SentencePiece makes of them is small.
"""
import gzip
import io
import json
import pathlib
import random
import tempfile

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).parent
TEXT = (HERE / "../gpt2/long_text.txt").read_text()
RULES = {"ﬁ": "fi", "Ａ": "A", "…": "...", "\u3000": " ", "\u00a0": " ", "e\u0301": "é", "é": "e", "\t": " ", "\u200b": "", "½": "1⁄2", "ﷺ": "صلى الله عليه وسلم", "\u0958": "\u0915\u093c",
         "\r\n": " ", "😀": ":)", "👍🏽": "+1", "👍": "+", "a\u0308": "ä", "ß": "ss", "\u1100\u1161": "가"}
MORE = ["", " ", "  ", "Hello  World\t\t!", "ﬁne … Ａ½", "e\u0301a\u0308o\u0308 é ß", "😀👍🏽👍 x", "\u1100\u1161\u1112\u1161\u11ab \u0958 \u0915\u093c नमस्ते ﷺ", "a\r\nb\n\nc", "▁a ▁▁b", "日本語テキスト", "<pad></s><unk> x<extra_id_0> y",
        "\u200b\u200b", "e\u0301\u0301\u0323", "İstanbul ẞ ``quote''", "\x00a\x01", "zzzzzqqqq", "[INST] HelloWorld [/INST]", "<start_of_turn>user\nHi\n\n\n  there<end_of_turn>", "don't 12345 \u00a0 x"]


def charsmap():
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
        for src, dst in RULES.items():
            f.write(" ".join(f"{ord(c):X}" for c in src) + "\t" + " ".join(f"{ord(c):X}" for c in dst) + "\n")
        f.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT.split("\n")), model_writer=model, model_type="unigram", vocab_size=400,
                                                 normalization_rule_tsv=f.name, minloglevel=2)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [(sp.id_to_piece(i), sp.get_score(i)) for i in range(sp.get_piece_size())]
    return field(field(model.getvalue(), 3), 2), pieces  # ModelProto.normalizer_spec.precompiled_charsmap


def varint(b, at):
    n = shift = 0
    while True:
        n |= (b[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if b[at - 1] < 128:
            return n, at


def field(b, wanted):
    """The first field of a protocol buffer with this number, which is bytes or a message."""
    at = 0
    while at < len(b):
        key, at = varint(b, at)
        if key & 7 == 2:
            size, at = varint(b, at)
            if key >> 3 == wanted:
                return b[at:at + size]
            at += size
        elif key & 7 == 0:
            _, at = varint(b, at)
        else:
            at += 4 if key & 7 == 5 else 8


def unigram(pieces, fallback=False, **parts):
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [p for p in pieces if p[0] not in ("<unk>", "<s>", "</s>")]
    if fallback:
        vocab += [(f"<0x{i:02X}>", -30.0 - i / 7) for i in range(256)]
    t = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=fallback))
    t.add_special_tokens(["<pad>", "</s>", "<unk>", "<extra_id_0>"])
    t.decoder = decoders.Metaspace()
    for name, part in parts.items():
        setattr(t, name, part)
    return t


def gemma():
    rng = random.Random(5)
    words = [w for w in TEXT.split() if w.isascii()]
    vocab = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "<start_of_turn>": 4, "<end_of_turn>": 5, "\n\n": 6, "\n\n\n": 7, "▁▁": 8}
    for token in [f"<0x{i:02X}>" for i in range(256)] + sorted({c for w in words for c in w}) + ["▁", "\n"]:
        vocab.setdefault(token, len(vocab))
    merges = []
    for w in rng.sample(words, 150):
        for i in range(2, len(w) + 1):
            pair = (w[:i - 1], w[i - 1])
            if w[:i] not in vocab:
                vocab[w[:i]] = len(vocab)
                merges.append(pair)
    for w in ["▁" + m[0] for m in merges[:40]]:
        if w[1:] in vocab and w not in vocab:
            vocab[w] = len(vocab)
            merges.append(("▁", w[1:]))
    t = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.post_processor = processors.TemplateProcessing("<bos> $A", special_tokens=[("<bos>", 2)])
    t.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"])
    t.add_tokens([AddedToken(x, normalized=False) for x in ["\n\n", "\n\n\n", "▁▁"]])
    return t


def tekken():
    model = json.loads((HERE / "../gpt2/tokenizer.json").read_text())["model"]
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    pattern = (rf"[^\r\n\p{{L}}\p{{N}}]?{upper}*{lower}+|[^\r\n\p{{L}}\p{{N}}]?{upper}+{lower}*|"
               r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    t = Tokenizer(models.BPE(model["vocab"], [tuple(m) for m in model["merges"]], ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])
    first = t.token_to_id("<s>")
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", first)])])
    return t


def main():
    table, pieces = charsmap()
    precompiled = normalizers.Precompiled(table)
    end = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    kinds = {
        "t5": unigram(pieces, normalizer=normalizers.Sequence([precompiled, normalizers.Replace(Regex(" {2,}"), "▁")]), pre_tokenizer=pre_tokenizers.Metaspace(), post_processor=end),
        "t5, old": unigram(pieces, normalizer=precompiled, pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])),
        "xlm-roberta": unigram(pieces, normalizer=normalizers.Sequence([normalizers.Strip(False, True), normalizers.Replace(Regex(" {2,}"), " ")]), pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first"),
                               decoder=decoders.Metaspace(prepend_scheme="first")),
        "albert": unigram(pieces, normalizer=normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), precompiled]),
                          pre_tokenizer=pre_tokenizers.Metaspace()),
        "whole": unigram(pieces, pre_tokenizer=pre_tokenizers.Metaspace(split=False)),
        "bytes": unigram(pieces, fallback=True, normalizer=normalizers.Replace(" ", "▁"),
                         decoder=decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])),
        "gemma": gemma(), "tekken": tekken(),
    }
    texts = MORE + [t["text"] for t in json.loads(gzip.open(HERE / "../gpt2/tests.json.gz").read())["tests"]][::6]
    cases = []
    for name, t in kinds.items():
        tests = []
        for text in texts:
            ids = t.encode(text, add_special_tokens=False).ids
            tests.append({"text": text, "ids": ids, "special": t.encode(text).ids, "decoded": t.decode(ids, skip_special_tokens=False)})
        cases.append({"name": name, "tokenizer": json.loads(t.to_str()), "tests": tests})
    body = json.dumps({"versions": {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}, "cases": cases}, ensure_ascii=False, separators=(",", ":"))
    with gzip.GzipFile(HERE / "golden.json.gz", "wb", mtime=0) as f:
        f.write(body.encode())


main()
