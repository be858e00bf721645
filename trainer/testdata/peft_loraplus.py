"""Write loraplus.json: one AdamW step of PEFT's LoRA+ optimiser on made-up tensors, for TestLoraPlusAsPEFT of package model.

usage: peft_loraplus.py BASE > loraplus.json. Versions: torch 2.15.0, transformers 5.23.0, peft 0.21.2.
"""
import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=1, target_modules=["c_attn", "wte"], bias="lora_only", use_dora=True, modules_to_save=["ln_f", "c_fc"], fan_in_fan_out=True)
model = get_peft_model(model, config)
optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=16, loraplus_weight_decay=0.1, loraplus_lr_embedding=1e-5)
groups = {}
for group in optimizer.param_groups:
    for p in group["params"]:
        name = next(n for n, q in model.named_parameters() if q is p)
        name = name.replace(".default", "").replace(".modules_to_save", "")
        if name.endswith("lora_magnitude_vector.weight"):
            name = name.removesuffix(".weight")
        groups[name] = [group["lr"], group["weight_decay"]]
json.dump({"groups": groups}, sys.stdout, indent=1)
