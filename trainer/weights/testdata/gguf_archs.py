"""Makes gguf_archs/*.gguf, gguf_split/*.gguf and gguf_archs.json with gguf-py, llama.cpp's own Python package, and transformers' configurations.

python gguf_archs.py              (gguf 0.19.0, transformers 5.24.0, torch 2.15.0)

Each model has the tensors that transformers gives its architecture. Element i of a tensor is crc32(name) % 64 + i/1024, so that no file
needs to hold what is right. The values are changed as llama.cpp's converter changes them (conversion/{base,llama,gemma,phi,olmo,granite,
smollm,gpt_neox}.py of github.com/ggml-org/llama.cpp, read in 2026), and named by gguf-py's own tables. gguf_archs.json has what
transformers' own config.json says of each.
"""
import json
import math
import os
import zlib

import gguf
import numpy as np
import torch
import transformers

here = os.path.dirname(os.path.abspath(__file__))
SIZES = dict(vocab_size=5, hidden_size=16, intermediate_size=12, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)
ARCHS = {
    "qwen3": (transformers.Qwen3Config, dict(head_dim=6, num_hidden_layers=1)),
    "smollm3": (transformers.SmolLM3Config, dict(num_hidden_layers=1, pad_token_id=0, rope_parameters={"rope_type": "default", "rope_theta": 5e6})),
    "granite": (transformers.GraniteConfig, dict(num_hidden_layers=1, attention_multiplier=0.0625, embedding_multiplier=12.0,
                                                 residual_multiplier=0.22, logits_scaling=8.0)),
    "olmo2": (transformers.Olmo2Config, dict(num_hidden_layers=1, pad_token_id=0)),
    "phi3": (transformers.Phi3Config, dict(num_hidden_layers=1, pad_token_id=0, sliding_window=9)),
    "phi3-long": (transformers.Phi3Config, dict(num_hidden_layers=1, pad_token_id=0, hidden_size=32, original_max_position_embeddings=16, rope_parameters={
        "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75, "original_max_position_embeddings": 16,
        "long_factor": [1.5, 2.0, 4.0], "short_factor": [1.0, 1.25, 1.5]})),
    "gemma2": (transformers.Gemma2Config, dict(head_dim=6, num_hidden_layers=2, query_pre_attn_scalar=6, sliding_window=7)),
    "gemma3": (transformers.Gemma3TextConfig, dict(head_dim=6, num_hidden_layers=7, query_pre_attn_scalar=6, sliding_window=7, rope_parameters={
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})),
    "gptneox": (transformers.GPTNeoXConfig, dict(num_hidden_layers=1, use_parallel_residual=False, hidden_size=32)),
}
# What config.json says and Config must say.
KEYS = """model_type vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim
max_position_embeddings rms_norm_eps layer_norm_eps tie_word_embeddings rope_parameters hidden_activation query_pre_attn_scalar
sliding_window attn_logit_softcapping final_logit_softcapping attention_multiplier embedding_multiplier
residual_multiplier logits_scaling no_rope_layer_interval use_parallel_residual original_max_position_embeddings""".split()
LAYER_TYPES = ("gemma2", "gemma3")


def values(name, shape):
    n = math.prod(shape)
    return (np.float32(zlib.crc32(name.encode()) % 64) + np.arange(n, dtype=np.float32) / 1024).reshape(shape)


def permute(w, heads):  # LlamaModel.permute
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def converted(arch, c, name, w):
    if arch in ("smollm3", "granite") and name.endswith(("q_proj.weight", "q_proj.bias")):
        return permute(w, c.num_attention_heads)
    if arch in ("smollm3", "granite") and name.endswith(("k_proj.weight", "k_proj.bias")):
        return permute(w, c.num_key_value_heads)
    if arch in ("gemma2", "gemma3") and name.endswith("norm.weight"):
        return w + 1
    if "query_key_value" in name:  # GPTNeoXModel.modify_tensors
        by_heads = w.reshape(c.num_attention_heads, 3, c.hidden_size // c.num_attention_heads, *w.shape[1:])
        return np.concatenate([by_heads[:, i].reshape(-1, *w.shape[1:]) for i in range(3)])
    return w


def metadata(w, arch, c):
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    head = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    rope = c.rope_parameters.get("full_attention", c.rope_parameters)
    turned = int(head * rope.get("partial_rotary_factor", 1.0))
    if arch == "gptneox":
        w.add_rope_dimension_count(turned)
        w.add_parallel_residual(c.use_parallel_residual)
        w.add_layer_norm_eps(c.layer_norm_eps)
        return
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    if arch != "gemma2":
        w.add_rope_freq_base(rope["rope_theta"])
    if arch in ("qwen3", "gemma2", "gemma3"):
        w.add_key_length(head)
        w.add_value_length(head)
    if arch in ("smollm3", "granite"):  # LlamaModel
        w.add_rope_dimension_count(head)
        w.add_vocab_size(c.vocab_size)
    if rope["rope_type"] == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(rope["factor"])
    if arch == "phi3":
        w.add_rope_scaling_orig_ctx_len(c.original_max_position_embeddings)
        w.add_rope_dimension_count(turned)
        w.add_sliding_window(c.sliding_window or 0)
    if arch in ("gemma2", "gemma3"):
        w.add_sliding_window(c.sliding_window)
    if arch == "gemma2":
        w.add_attn_logit_softcapping(c.attn_logit_softcapping)
        w.add_final_logit_softcapping(c.final_logit_softcapping)
    if arch == "granite":
        w.add_attention_scale(c.attention_multiplier)
        w.add_embedding_scale(c.embedding_multiplier)
        w.add_residual_scale(c.residual_multiplier)
        w.add_logit_scale(c.logits_scaling)
    if rope.get("long_factor"):
        scale = c.max_position_embeddings / c.original_max_position_embeddings
        w.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(c.original_max_position_embeddings)))
        for kind, key in ((gguf.MODEL_TENSOR.ROPE_FACTORS_LONG, "long_factor"), (gguf.MODEL_TENSOR.ROPE_FACTORS_SHORT, "short_factor")):
            w.add_tensor(gguf.TENSOR_NAMES[kind] + ".weight", np.array(rope[key], np.float32))


def write(w, arch, c, shapes):
    metadata(w, arch, c)
    key = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names = gguf.get_tensor_name_map(key, c.num_hidden_layers)
    for hf, shape in shapes.items():
        new = names.get_name(hf, try_suffixes=(".weight", ".bias"))
        assert new, (arch, hf)
        w.add_tensor(new, converted(arch, c, hf, values(hf, shape)))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    golden = {}
    for folder in ("gguf_archs", "gguf_split"):
        os.makedirs(os.path.join(here, folder), exist_ok=True)
    for name, (config, more) in ARCHS.items():
        arch = name.split("-")[0]
        c = config(**{**SIZES, **more})
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(c)
        shapes = {k: list(v.shape) for k, v in model.state_dict().items() if not (c.tie_word_embeddings and k == "lm_head.weight")}
        if arch == "gptneox":  # as save_pretrained names it (conversion_mapping.py)
            shapes["embed_out.weight"] = shapes.pop("lm_head.weight")
        write(gguf.GGUFWriter(os.path.join(here, f"gguf_archs/{name}.gguf"), arch), arch, c, shapes)
        if name == "granite":
            write(gguf.GGUFWriter(os.path.join(here, f"gguf_split/{name}.gguf"), arch, split_max_tensors=5), arch, c, shapes)
        said = c.to_dict()
        if said["rope_parameters"].get("partial_rotary_factor") == 1.0:  # as without it
            del said["rope_parameters"]["partial_rotary_factor"]
        if arch == "gptneox":  # which has no such heads
            del said["num_key_value_heads"]
        golden[name] = {"shapes": shapes, "config": {k: said[k] for k in KEYS + (["layer_types"] if arch in LAYER_TYPES else []) if k in said}}
    with open(os.path.join(here, "gguf_archs.json"), "w") as f:
        json.dump(golden, f, indent=1)
        f.write("\n")


main()
