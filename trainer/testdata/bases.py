"""Makes bases/: tiny bases and adapters whose output head, embeddings and tensors are stored in the ways that people's are, with the
losses that transformers and PEFT compute for them in expected.json.

torch 2.15.0, transformers 5.24.0, peft 0.21.2, safetensors; seed 0:  python bases.py
"""

import json
import os
import shutil
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bases")
SHAPE = dict(vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=32, bos_token_id=None, eos_token_id=None)
expected = {}


def folder(name):
    path = os.path.join(HERE, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def rows():
    g = torch.Generator().manual_seed(1)
    return [torch.randint(0, 64, (12,), generator=g).tolist() for _ in range(4)]


@torch.no_grad()
def loss(model):
    model.eval()
    total = count = 0
    for row in rows():
        ids = torch.tensor([row])
        logits = model(input_ids=ids).logits[0, :-1].double()
        total += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        count += len(row) - 1
    return total / count


def base(name):
    return AutoModelForCausalLM.from_pretrained(os.path.join(HERE, name), dtype=torch.float32)


def shaken(tensor, seed, by=0.5):
    return tensor + by * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(seed))


def save_base(name, config, edit=None):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for i, p in enumerate(model.parameters()):
        p.data = shaken(p.data, 100 + i, 0.3)
    path = folder(name)
    model.save_pretrained(path)
    if edit:
        file = os.path.join(path, "model.safetensors")
        tensors = load_file(file)
        edit(tensors)
        save_file(tensors, file, metadata={"format": "pt"})
    os.remove(os.path.join(path, "generation_config.json"))
    expected[name] = loss(base(name))


def save_adapter(name, on, edit=None, config=None, **settings):
    """edit changes the tensors, config the settings, of what PEFT has saved."""
    torch.manual_seed(0)
    model = get_peft_model(base(on), LoraConfig(r=2, lora_alpha=4, task_type="CAUSAL_LM", **settings))
    for i, (key, p) in enumerate(model.named_parameters()):
        if p.requires_grad:
            p.data = shaken(p.data, 200 + i)
    path = folder(name)
    model.save_pretrained(path)
    os.remove(os.path.join(path, "README.md"))
    file = os.path.join(path, "adapter_model.safetensors")
    tensors = load_file(file)
    if edit:
        edit(tensors)
        save_file(tensors, file, metadata={"format": "pt"})
    file = os.path.join(path, "adapter_config.json")
    with open(file) as f:
        saved = json.load(f)
    saved["base_model_name_or_path"] = on
    saved.update(config or {})
    for key in ("target_modules", "exclude_modules"):
        if isinstance(saved[key], list):
            saved[key].sort()
    with open(file, "w") as f:
        json.dump(saved, f, indent=2, sort_keys=True)
    try:
        expected[name] = loss(PeftModel.from_pretrained(base(on), path))
    except Exception as e:
        expected[name] = str(e)[:200]


KEY = "base_model.model."
HEAD, TOKENS = "lm_head.weight", "model.embed_tokens.weight"
QV = dict(target_modules=["q_proj", "v_proj"])


def tied():
    return Qwen2Config(tie_word_embeddings=True, **SHAPE)


def with_embeddings(on, head=None, tokens=None):
    """Adds what save_embedding_layers stores, shaken by these seeds."""
    def edit(t):
        state = base(on).state_dict()
        if head is not None:
            t[KEY + HEAD] = shaken(state[HEAD], head)
        if tokens is not None:
            t[KEY + TOKENS] = shaken(state[TOKENS], tokens)
    return edit


def without_layer_1(t):
    for key in [key for key in t if ".layers.1." in key]:
        del t[key]


def shaken_base_layer(t):
    key = KEY + "lm_head.base_layer.weight"
    t[key] = shaken(t[key], 7)


def main():
    os.makedirs(HERE, exist_ok=True)
    with open(os.path.join(HERE, "rows.jsonl"), "w") as f:
        f.writelines(json.dumps({"input_ids": row}) + "\n" for row in rows())
    save_base("untied", LlamaConfig(tie_word_embeddings=False, **SHAPE))
    save_base("tied", tied())
    save_base("tied-own-head", tied(), lambda t: t.update({HEAD: shaken(t[TOKENS], 3)}))
    save_base("tied-equal-head", tied(), lambda t: t.update({HEAD: t[TOKENS].clone()}))
    save_base("tied-head-alone", tied(), lambda t: t.update({HEAD: t.pop(TOKENS)}))

    save_adapter("untied+saved-embeddings", "untied", with_embeddings("untied", 5, 6), **QV)
    save_adapter("untied+saved-tokens", "untied", with_embeddings("untied", tokens=6), **QV)
    save_adapter("untied+saved-and-trained", "untied", with_embeddings("untied", tokens=6), modules_to_save=["lm_head"], **QV)
    save_adapter("untied+ensure-tying", "untied", ensure_weight_tying=True, **QV)
    save_adapter("untied+missing-layer", "untied", without_layer_1, **QV)
    save_adapter("tied+saved-tokens", "tied", with_embeddings("tied", tokens=6), **QV)
    save_adapter("tied+saved-head", "tied", with_embeddings("tied", head=6), **QV)
    save_adapter("tied+saved-both", "tied", with_embeddings("tied", 6, 6), **QV)
    save_adapter("tied+saved-differing", "tied", with_embeddings("tied", 5, 6), **QV)
    save_adapter("tied+lm-head", "tied", target_modules=["lm_head", "q_proj"])
    save_adapter("tied+lm-head-base", "tied", shaken_base_layer, target_modules=["lm_head", "q_proj"])
    save_adapter("tied+tokens", "tied", target_modules=["embed_tokens", "q_proj"])
    save_adapter("tied+ensure-tying", "tied", ensure_weight_tying=True, **QV)
    save_adapter("tied+ensure-tying-tokens", "tied", ensure_weight_tying=True, target_modules=["embed_tokens", "q_proj"])
    save_adapter("tied+ensure-tying-saved", "tied", ensure_weight_tying=True, modules_to_save=["lm_head"], **QV)
    save_adapter("tied-own-head+lm-head", "tied-own-head", target_modules=["lm_head", "q_proj"])
    save_adapter("tied-own-head+qv", "tied-own-head", **QV)
    with open(os.path.join(HERE, "expected.json"), "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    sys.exit(main())
