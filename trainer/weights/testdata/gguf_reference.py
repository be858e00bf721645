"""Makes gguf_blocks.json and ../../model/testdata/tiny-llama/gguf*/*.gguf with gguf-py, llama.cpp's own Python package.

python gguf_reference.py          (gguf 0.19.0, numpy 2.4.6; seed 7)

The blocks are random bytes whose float16 scales were replaced by random ones of a usual size; the values are gguf-py's
dequantisation. The model is tiny-llama/bf16 with its bfloat16 weights as they are and q and k in llama.cpp's order; in gguf-split/ it
is cut in parts.
"""
import json
import os
import struct

import gguf
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(7)

# Where the float16 scales stand in a block.
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "F16": [0], "F32": None, "BF16": None,
    "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}


def blocks():
    out = {}
    for name, scales in SCALES.items():
        kind = gguf.GGMLQuantizationType[name]
        values, size = gguf.GGML_QUANT_SIZES[kind]
        n = 2 if values > 1 else 8
        raw = rng.integers(0, 256, (n, size), dtype=np.uint8)
        if name == "F32":
            raw = rng.standard_normal((n, 1)).astype("<f4").view(np.uint8)
        elif name == "BF16":
            raw = np.ascontiguousarray(rng.standard_normal((n, 1)).astype("<f4").view(np.uint8)[:, 2:])
        else:
            for at in scales:
                raw[:, at:at + 2] = (rng.standard_normal((n, 1)) * 0.05).astype("<f2").view(np.uint8)
        got = gguf.quants.dequantize(raw.reshape(-1), kind).astype(np.float32).reshape(-1)
        assert got.size == n * values, (name, got.size)
        out[name] = {"number": int(kind), "hex": raw.tobytes().hex(), "values": [float(v) for v in got]}
    with open(os.path.join(here, "gguf_blocks.json"), "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


def read_bf16(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = f.read()
    for name, e in header.items():
        if name != "__metadata__":
            assert e["dtype"] == "BF16"
            yield name, np.frombuffer(data[e["data_offsets"][0]:e["data_offsets"][1]], "<u2").reshape(e["shape"])


def permute(w, heads):  # convert_hf_to_gguf.py, LlamaModel.permute
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


FORMATS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]


def model(name, split, quantised=False):
    folder = os.path.join(here, "../../model/testdata/tiny-llama")
    with open(os.path.join(folder, "bf16/config.json")) as f:
        c = json.load(f)
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    w = gguf.GGUFWriter(os.path.join(folder, name, "model.gguf"), "llama", split_max_tensors=split)
    w.add_block_count(c["num_hidden_layers"])
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(c["num_key_value_heads"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
    w.add_rope_dimension_count(c["head_dim"])
    w.add_vocab_size(c["vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, c["num_hidden_layers"])
    matrices = 0
    for name, t in read_bf16(os.path.join(folder, "bf16/model.safetensors")):
        if ".q_proj." in name:
            t = permute(t, c["num_attention_heads"])
        if ".k_proj." in name:
            t = permute(t, c["num_key_value_heads"])
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if t.ndim == 1:  # as the converter does: norms are float32
            w.add_tensor(new, (t.astype(np.uint32) << 16).view(np.float32))
        elif quantised:  # in each of the formats in turn
            kind = gguf.GGMLQuantizationType[FORMATS[matrices % len(FORMATS)]]
            matrices += 1
            w.add_tensor(new, gguf.quants.quantize((t.astype(np.uint32) << 16).view(np.float32), kind), raw_dtype=kind)
        else:
            w.add_tensor(new, np.ascontiguousarray(t).view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


blocks()
model("gguf", 0)
model("gguf-split", 8)
model("gguf-quantised", 0, quantised=True)
