"""Makes full/: three AdamW steps that train weights themselves, computed with PyTorch.

python full.py          (torch 2.15.0, transformers 5.24.0, safetensors 0.8.0; one thread, float32, eager attention)

On tiny-gpt2 the attention's output projections train, weight and bias; all else is frozen. Every step takes the rows of inputs.json.
"""
import json
import os

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

here = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
LR, DECAY, CLIP, STEPS = 1e-3, 0.01, 1.0, 3

base = os.path.join(here, "tiny-gpt2")
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()
trained = {}
for name, p in model.named_parameters():
    p.requires_grad_(".attn.c_proj." in name)
    if p.requires_grad:
        trained[name] = p
with open(os.path.join(base, "inputs.json")) as f:
    rows = json.load(f)
ids, labels = torch.tensor(rows["input_ids"]), torch.tensor(rows["labels"])
optimizer = torch.optim.AdamW(trained.values(), lr=LR, weight_decay=DECAY)
losses, norms = [], []
for _ in range(STEPS):
    optimizer.zero_grad()
    loss = model(ids, labels=labels).loss
    loss.backward()
    norms.append(torch.nn.utils.clip_grad_norm_(trained.values(), CLIP).item())
    losses.append(loss.item())
    optimizer.step()
folder = os.path.join(here, "full")
os.makedirs(folder, exist_ok=True)
save_file({n: p.detach().contiguous() for n, p in trained.items()}, os.path.join(folder, "final.safetensors"), {"format": "pt"})
with open(os.path.join(folder, "trace.json"), "w") as f:
    json.dump({"lr": LR, "weight_decay": DECAY, "max_grad_norm": CLIP, "loss": losses, "grad_norm": norms}, f, indent=1)
    f.write("\n")
