"""Makes variants/: what the tiny models do not show, computed with transformers.

python variants.py          (torch 2.15.0, transformers 5.23.0, safetensors 0.8.0; one thread, float32, eager attention)

Each variant is a model of width 32 with random weights, its config.json (transformers 5's spelling) and its logits on two rows of 24
tokens of a vocabulary of 64. Weights are float16 on disk and computed with in float32.
"""
import json
import os

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)

COMMON = dict(
    vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, attn_implementation="eager", bos_token_id=None, eos_token_id=None,
)
VARIANTS = {
    # A window of 6 tokens; head_dim away from hidden_size / heads.
    "mistral_window": dict(model_type="mistral", sliding_window=6, head_dim=12, tie_word_embeddings=False),
    # Positions interpolated by 4, and biases on every projection; tanh GELU instead of SiLU.
    "llama_linear_biases": dict(
        model_type="llama", attention_bias=True, mlp_bias=True, tie_word_embeddings=True, hidden_act="gelu_pytorch_tanh",
        rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0)),
    "qwen3_biases": dict(model_type="qwen3", attention_bias=True, head_dim=16, tie_word_embeddings=True, num_key_value_heads=4),
    "gpt2_by_layer": dict(
        model_type="gpt2", n_embd=32, n_layer=2, n_head=4, n_positions=64, n_inner=40, activation_function="relu",
        scale_attn_by_inverse_layer_idx=True, tie_word_embeddings=False, vocab_size=64, bos_token_id=None, eos_token_id=None,
        attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, attn_implementation="eager"),
}


def make(number, name, settings):
    if settings["model_type"] != "gpt2":
        settings = COMMON | settings
    config = AutoConfig.for_model(**settings)
    torch.manual_seed(100 + number)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            around = 1.0 if "norm" in key and "weight" in key or ".ln_" in key and "weight" in key else 0.0
            p.copy_((around + 0.3 * torch.randn(p.shape)).half().float())
    ids = torch.randint(0, 64, (2, 24))
    with torch.no_grad():
        logits = model(ids).logits
    folder = os.path.join(here, "variants", name)
    os.makedirs(folder, exist_ok=True)
    config.save_pretrained(folder)
    seen = {}
    for key, p in model.state_dict().items():
        if p.data_ptr() not in seen.values():
            seen[key] = p.data_ptr()
    state = model.state_dict()
    save_file({k: state[k].half().contiguous() for k in seen}, os.path.join(folder, "model.safetensors"), {"format": "pt"})
    save_file({"logits": logits}, os.path.join(folder, "forward.safetensors"))
    with open(os.path.join(folder, "inputs.json"), "w") as f:
        json.dump({"input_ids": ids.tolist()}, f)
        f.write("\n")


for i, (n, s) in enumerate(VARIANTS.items()):
    make(i, n, s)
