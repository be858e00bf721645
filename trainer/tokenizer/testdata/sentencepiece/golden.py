"""Trains a SentencePiece BPE model with byte fallback and writes what a GGUF file would say of it, and its ids, to golden.json.

Run with sentencepiece 0.2.3: python golden.py > golden.json
ids are those of the texts of ../llama2/tests.json.gz, in their order; null where a text names a control token, which
SentencePiece itself does not look for.
"""
import gzip
import io
import json
import pathlib

import sentencepiece

HERE = pathlib.Path(__file__).parent


def main():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter((HERE / "../gpt2/long_text.txt").read_text().split("\n")), model_writer=model, model_type="bpe", vocab_size=900, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.999, minloglevel=2,
    )
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    size = sp.get_piece_size()
    kinds = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else 1 for i in range(size)]
    texts = [t["text"] for t in json.loads(gzip.open(HERE / "../llama2/tests.json.gz").read())["tests"]]
    ids = [None if any(c in t for c in ("<s>", "</s>", "<unk>")) else sp.encode(t) for t in texts]
    print(json.dumps({
        "versions": {"sentencepiece": sentencepiece.__version__}, "bos": sp.bos_id(), "eos": sp.eos_id(), "unknown": sp.unk_id(),
        "tokens": [sp.id_to_piece(i) for i in range(size)], "scores": [sp.get_score(i) for i in range(size)], "types": kinds, "ids": ids,
        "decoded": [None if i is None else sp.decode(i) for i in ids],
    }, ensure_ascii=False, separators=(",", ":")))


main()
