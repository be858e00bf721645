"""Makes configs/: what transformers makes of config.json files.

python configs.py     (torch 2.15.0, transformers 5.24.0)

rope.json has the frequencies, and the factor on cosine and sine, of rope_parameters and rope_scaling; shapes.json the parameters,
windows and frequencies of models as their config.json files on the hub describe them, and of files that say nothing.
"""
import copy
import json
import os

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "configs")
NEW = ("gemma2", "gemma3_text", "granite", "olmo2", "phi3", "smollm3")
YARN = dict(max_position_embeddings=32768, head_dim=128)
ROPES = {
    "linear": dict(rope_scaling=dict(type="linear", factor=4.0)),
    "llama3": dict(head_dim=64, max_position_embeddings=131072, rope_theta=5e5, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)),
    "dynamic": dict(rope_scaling=dict(type="dynamic", factor=2.3)),
    "yarn as Qwen2.5": dict(**YARN, rope_theta=1e6, rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=32768)),
    "yarn, its length left out": dict(**YARN, rope_scaling=dict(rope_type="yarn", factor=2)),
    "yarn, betas": dict(**YARN, rope_scaling=dict(
        rope_type="yarn", factor=8.0, original_max_position_embeddings=4096, beta_fast=16, beta_slow=2)),
    "yarn, attention_factor": dict(**YARN, rope_scaling=dict(
        rope_type="yarn", factor=8.0, original_max_position_embeddings=4096, attention_factor=0.9)),
    "yarn, mscale": dict(**YARN, rope_scaling=dict(
        rope_type="yarn", factor=40.0, original_max_position_embeddings=4096, mscale=0.707, mscale_all_dim=1.2)),
    "yarn, mscale alone": dict(**YARN, rope_scaling=dict(rope_type="yarn", factor=40.0, original_max_position_embeddings=4096, mscale=0.7)),
    "yarn, not truncated": dict(**YARN, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=4096, truncate=False)),
    "yarn, no factor": dict(**YARN, rope_scaling=dict(rope_type="yarn", factor=None, original_max_position_embeddings=4096)),
    "yarn, one dimension": dict(head_dim=8, rope_scaling=dict(rope_type="yarn", factor=2.0, original_max_position_embeddings=4)),
    "yarn, two lengths": dict(**YARN, original_max_position_embeddings=1024, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=4096)),
    "two scalings": dict(rope_scaling=dict(rope_type="linear", factor=4.0), rope_parameters=dict(rope_type="linear", factor=2.0)),
    "two thetas": dict(rope_theta=700.0, rope_parameters=dict(rope_type="default", rope_theta=500.0)),
    "longrope": dict(head_dim=8, max_position_embeddings=131072, rope_scaling=dict(
        rope_type="longrope", short_factor=[1.0, 1.5, 2.0, 2.5], long_factor=[1.0, 4.0, 9.0, 16.0], original_max_position_embeddings=4096)),
    "longrope, factor": dict(head_dim=8, max_position_embeddings=131072, rope_scaling=dict(
        rope_type="longrope", factor=2.0, short_factor=[1.0, 1.5, 2.0, 2.5], long_factor=[1.0, 4.0, 9.0, 16.0],
        original_max_position_embeddings=4096)),
    "longrope, attention_factor": dict(head_dim=8, max_position_embeddings=131072, rope_scaling=dict(
        rope_type="longrope", attention_factor=1.25, short_factor=[1.0, 1.5, 2.0, 2.5], long_factor=[1.0, 4.0, 9.0, 16.0],
        original_max_position_embeddings=4096)),
    "phi3, longrope": dict(model_type="phi3", max_position_embeddings=131072, original_max_position_embeddings=2048,
        rope_scaling=dict(type="longrope", short_factor=[1.0, 1.5, 2.0, 2.5], long_factor=[1.0, 4.0, 9.0, 16.0])),
    "phi3, longrope of a share": dict(model_type="phi3", max_position_embeddings=131072, partial_rotary_factor=0.75,
        rope_scaling=dict(type="longrope", short_factor=[1.0, 1.5, 2.0], long_factor=[1.0, 4.0, 9.0])),
    "phi3, a share": dict(model_type="phi3", partial_rotary_factor=0.5),
}
TINY = dict(model_type="llama", vocab_size=8, hidden_size=16, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=64, pad_token_id=None)


def rope(text):
    text = TINY | text
    rotary = AutoModel.from_config(AutoConfig.for_model(**copy.deepcopy(text))).rotary_emb
    return dict(config=text, frequencies=rotary.inv_freq.tolist(), scale=float(rotary.attention_scaling))


# The settings of config.json files on the hub that decide about shapes, in the spelling that they have there.
HUB = {
    "gemma-2-2b": dict(
        model_type="gemma2", attention_bias=False, attn_logit_softcapping=50.0, final_logit_softcapping=30.0, head_dim=256,
        hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh", hidden_size=2304, intermediate_size=9216,
        max_position_embeddings=8192, num_attention_heads=8, num_hidden_layers=26, num_key_value_heads=4, query_pre_attn_scalar=256,
        rms_norm_eps=1e-6, rope_theta=10000.0, sliding_window=4096, vocab_size=256000),
    "gemma-3-1b-it": dict(
        model_type="gemma3_text", attention_bias=False, attn_logit_softcapping=None, final_logit_softcapping=None, head_dim=256,
        hidden_activation="gelu_pytorch_tanh", hidden_size=1152, intermediate_size=6912, max_position_embeddings=32768,
        num_attention_heads=4, num_hidden_layers=26, num_key_value_heads=1, query_pre_attn_scalar=256, rms_norm_eps=1e-6,
        rope_local_base_freq=10000, rope_scaling=None, rope_theta=1000000, sliding_window=512, sliding_window_pattern=6,
        vocab_size=262144),
    "Phi-3-mini-4k-instruct": dict(
        model_type="phi3", hidden_act="silu", hidden_size=3072, intermediate_size=8192, max_position_embeddings=4096,
        num_attention_heads=32, num_hidden_layers=32, num_key_value_heads=32, original_max_position_embeddings=4096, rms_norm_eps=1e-5,
        rope_scaling=None, rope_theta=10000.0, sliding_window=2047, tie_word_embeddings=False, vocab_size=32064),
    "Phi-4-mini-instruct": dict(
        model_type="phi3", attention_bias=False, hidden_act="silu", hidden_size=3072, intermediate_size=8192, lm_head_bias=False,
        max_position_embeddings=131072, mlp_bias=False, num_attention_heads=24, num_hidden_layers=32, num_key_value_heads=8,
        original_max_position_embeddings=4096, partial_rotary_factor=0.75, rms_norm_eps=1e-5, rope_scaling=dict(
            type="longrope", short_factor=[1.0] * 48, long_factor=[1.0 + i / 10 for i in range(48)]),
        rope_theta=10000.0, sliding_window=262144, tie_word_embeddings=True, vocab_size=200064),
    "SmolLM3-3B": dict(
        model_type="smollm3", attention_bias=False, hidden_act="silu", hidden_size=2048, intermediate_size=11008,
        layer_types=["full_attention"] * 36, max_position_embeddings=65536, max_window_layers=28, mlp_bias=False,
        no_rope_layer_interval=4, no_rope_layers=[1, 1, 1, 0] * 9, num_attention_heads=16, num_hidden_layers=36, num_key_value_heads=4,
        rms_norm_eps=1e-6, rope_scaling=None, rope_theta=5000000.0, sliding_window=None, use_sliding_window=False, vocab_size=128256),
    "OLMo-2-0425-1B": dict(
        model_type="olmo2", attention_bias=False, hidden_act="silu", hidden_size=2048, intermediate_size=8192,
        max_position_embeddings=4096, num_attention_heads=16, num_hidden_layers=16, num_key_value_heads=16, rms_norm_eps=1e-6,
        rope_scaling=None, rope_theta=500000, tie_word_embeddings=False, vocab_size=100352),
    "granite-3.3-2b-instruct": dict(
        model_type="granite", attention_bias=False, attention_multiplier=0.015625, embedding_multiplier=12.0, hidden_act="silu",
        hidden_size=2048, intermediate_size=8192, logits_scaling=8.0, max_position_embeddings=131072, mlp_bias=False,
        num_attention_heads=32, num_hidden_layers=40, num_key_value_heads=8, residual_multiplier=0.22, rms_norm_eps=1e-5,
        rope_scaling=None, rope_theta=10000000.0, tie_word_embeddings=True, vocab_size=49159),
    "smollm3, windows on": dict(model_type="smollm3", use_sliding_window=True, sliding_window=512, no_rope_layer_interval=3),
    "smollm3, windows off": dict(model_type="smollm3", sliding_window=512),
    "smollm3, heads of their own": dict(model_type="smollm3", num_key_value_heads=None),
    "gemma3_text, every third": dict(model_type="gemma3_text", sliding_window_pattern=3, rope_scaling=dict(rope_type="linear", factor=8.0)),
    "phi3, layer types": dict(model_type="phi3", sliding_window=100, num_hidden_layers=2, layer_types=["full_attention"] * 2),
    **{name + ", nothing said": dict(model_type=name) for name in NEW},
}


def shape(text):
    """What a whole model holds, and by layer its window and the first and last of its frequencies: none where positions do not turn."""
    config = AutoConfig.for_model(**copy.deepcopy(text))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    rotary = type(model.model.rotary_emb)(config)
    layers = []
    for i in range(config.num_hidden_layers):
        everywhere = "full_attention" if getattr(config, "sliding_window", None) is None else "sliding_attention"
        kind = config.layer_types[i] if hasattr(config, "layer_types") and config.model_type != "phi3" else everywhere
        f = getattr(rotary, kind + "_inv_freq") if hasattr(rotary, kind + "_inv_freq") else rotary.inv_freq
        turns = not hasattr(config, "no_rope_layers") or config.no_rope_layers[i]
        layers.append(dict(window=config.sliding_window if kind == "sliding_attention" else 0,
                           frequencies=[f[0].item(), f[-1].item()] if turns else []))
    return dict(config=text, parameters=sum(p.numel() for p in model.parameters()), layers=layers)


def write(name, value):
    with open(os.path.join(here, name), "w") as f:
        json.dump(value, f)
        f.write("\n")


write("rope.json", {n: rope(t) for n, t in ROPES.items()})
write("shapes.json", {n: shape(t) for n, t in HUB.items()})
