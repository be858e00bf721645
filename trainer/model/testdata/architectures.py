"""Makes architectures/: one small random model for each architecture or form of it, and LoRA on it, computed with PEFT.

python architectures.py [NAME...]   (torch 2.15.0, transformers 5.24.0, peft 0.21.2, safetensors 0.8.0; one thread, float32, eager)

Each folder is a model as save_pretrained writes it, its weights in float16 and computed with in float32, and
- case.json: LoRA's settings (r 4, alpha 16, all-linear), the modules that PEFT targets, a batch of two rows with its loss and gradient
  norm, and 20 AdamW steps (lr 1e-3, weight decay 0.01, clipped at 1, 5 steps of warm-up, cosine) on batches of their own;
- golden.safetensors: the adapter that they start from (B normal, sd 0.05), the batch's logits and gradients, the adapter after 20 steps;
  of models that scale the embedded tokens, those of the batch in bfloat16.
The second row of a batch holds two documents. PyTorch computes each document by itself, so packing is compared too.
"""
import json
import os
import sys

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, get_cosine_schedule_with_warmup

here = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
VOCAB, T = 128, 24
COMMON = dict(
    vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=32,
    bos_token_id=None, eos_token_id=None, pad_token_id=None, attn_implementation="eager",
)
CASES = {
    "gpt_neox": dict(model_type="gpt_neox", intermediate_size=64, rope_parameters=dict(
        rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)),
    "gpt_neox_serial": dict(
        model_type="gpt_neox", intermediate_size=48, use_parallel_residual=False, attention_bias=False, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=500.0, partial_rotary_factor=1.0)),
    "opt": dict(model_type="opt", ffn_dim=64, dropout=0.0),
    # As opt-350m: norms after, no final norm, narrow token embeddings.
    "opt_projected": dict(model_type="opt", ffn_dim=64, dropout=0.0, do_layer_norm_before=False, word_embed_proj_dim=16),
    # Full, windowed, windowed.
    "qwen2_window": dict(
        model_type="qwen2", intermediate_size=48, num_hidden_layers=3, num_key_value_heads=2, tie_word_embeddings=True,
        use_sliding_window=True, sliding_window=8, max_window_layers=1),
    # Caps that bend scores and logits; heads wider than their share; windows in layers 0 and 2.
    "gemma2": dict(
        model_type="gemma2", intermediate_size=40, num_hidden_layers=3, num_key_value_heads=2, head_dim=12, query_pre_attn_scalar=20,
        sliding_window=8, attn_logit_softcapping=1.5, final_logit_softcapping=4.0),
    # Two thetas, of which one is stretched; windows away from the standard.
    "gemma3_text": dict(
        model_type="gemma3_text", intermediate_size=40, num_hidden_layers=3, num_key_value_heads=2, head_dim=12, query_pre_attn_scalar=20,
        sliding_window=8, final_logit_softcapping=6.0, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6),
            sliding_attention=dict(rope_type="default", rope_theta=1e4))),
    "granite": dict(
        model_type="granite", intermediate_size=40, num_key_value_heads=2, tie_word_embeddings=True, mlp_bias=True,
        embedding_multiplier=3.3, attention_multiplier=0.2, residual_multiplier=0.6, logits_scaling=2.5),
    # Norms after attention and MLP, and over all of q and k; dynamic within the trained length.
    "olmo2": dict(
        model_type="olmo2", intermediate_size=40, num_key_value_heads=2, rope_parameters=dict(
            rope_type="dynamic", rope_theta=5e5, factor=2.0)),
    # Three quarters of a head turn, by longrope; a window in every layer.
    "phi3": dict(
        model_type="phi3", intermediate_size=40, num_key_value_heads=2, tie_word_embeddings=True, sliding_window=8,
        max_position_embeddings=256, original_max_position_embeddings=64, partial_rotary_factor=0.75, rope_parameters=dict(
            rope_type="longrope", rope_theta=1e4, short_factor=[1.0, 1.3, 2.0], long_factor=[1.0, 4.0, 16.0])),
    # Layer 1 does not turn and has the window; positions by YaRN.
    "smollm3": dict(
        model_type="smollm3", intermediate_size=40, num_hidden_layers=3, num_key_value_heads=2, attention_bias=True,
        no_rope_layers=[1, 0, 1], use_sliding_window=True, sliding_window=8, rope_parameters=dict(
            rope_type="yarn", rope_theta=2e6, factor=4.0, original_max_position_embeddings=16)),
}
SCALED = ("gemma2", "gemma3_text", "granite")  # they scale the embedded tokens


def batch():
    """Two rows: one document of 24 tokens, and two of 10 and 14. Some labels do not count."""
    ids = torch.randint(0, VOCAB, (2, T))
    labels = ids.clone()
    labels[0, :5], labels[1, 12:15] = -100, -100
    return dict(input_ids=ids.tolist(), labels=labels.tolist(), segments=[[0] * T, [0] * 10 + [1] * 14])


def documents(b):
    ids, labels = torch.tensor(b["input_ids"]), torch.tensor(b["labels"])
    return [(ids[r:r + 1, lo:hi], labels[r:r + 1, lo:hi]) for r, lo, hi in [(0, 0, T), (1, 0, 10), (1, 10, T)]]


def loss_of(model, b):
    total, count, logits = 0, 0, []
    for ids, labels in documents(b):
        z = model(ids).logits[0]
        logits.append(z.detach())
        total = total + torch.nn.functional.cross_entropy(z[:-1], labels[0, 1:], ignore_index=-100, reduction="sum")
        count += int((labels[0, 1:] != -100).sum())
    return total / count, torch.cat(logits).reshape(2, T, -1)


def key_of(name):
    return name.replace(".default", "")


def make(name, settings):
    folder = os.path.join(here, "architectures", name)
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(sum(name.encode()))
    config = AutoConfig.for_model(**(COMMON | settings))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            around = 1.0 if "norm" in key and key.endswith("weight") and not name.startswith("gemma") else 0.0
            p.copy_((around + 0.2 * torch.randn(p.shape)).half().float())
    model.half().save_pretrained(folder)
    os.remove(os.path.join(folder, "generation_config.json"))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()

    settings = dict(r=4, lora_alpha=16, target_modules="all-linear")
    peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **settings))
    with torch.no_grad():
        for key, p in peft.named_parameters():
            if "lora_B" in key:
                p.copy_(0.05 * torch.randn(p.shape))
    trained = [(key, p) for key, p in peft.named_parameters() if p.requires_grad]
    golden = {"seeded/" + k: v.clone() for k, v in get_peft_model_state_dict(peft).items()}

    b = batch()
    loss, logits = loss_of(peft, b)
    loss.backward()
    golden["logits"] = logits
    golden |= {"gradient/" + key_of(k): p.grad.clone() for k, p in trained}
    norm = float(torch.nn.utils.clip_grad_norm_([p for _, p in trained], 1e9))
    case = dict(
        peft_config=settings,
        targeted_module_names=[k.removeprefix("base_model.model.") for k, m in peft.named_modules() if hasattr(m, "lora_A")],
        batch=b, loss=loss.item(), grad_norm=norm, train=[batch() for _ in range(20)], trace=[])

    optimizer = torch.optim.AdamW([p for _, p in trained], lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    schedule = get_cosine_schedule_with_warmup(optimizer, 5, 20)
    for step in case["train"]:
        optimizer.zero_grad()
        loss, _ = loss_of(peft, step)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in trained], 1.0)
        case["trace"].append(dict(loss=loss.item(), grad_norm=float(norm), lr=optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    golden |= {"final/" + k: v.clone() for k, v in get_peft_model_state_dict(peft).items()}
    if name in SCALED:
        half = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="eager").eval()
        states = half(torch.tensor(b["input_ids"]), output_hidden_states=True).hidden_states
        golden["bfloat16.embedded"] = states[0].detach().float()
    save_file({k: v.contiguous() for k, v in golden.items()}, os.path.join(folder, "golden.safetensors"))
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump(case, f)
        f.write("\n")
    print(name, case["loss"], case["grad_norm"], float(logits.abs().max()), case["trace"][-1])


for n in sys.argv[1:] or CASES:
    make(n, CASES[n])
