"""Make adapters with PEFT, save them, and print the logits of some rows as JSON.

usage: peft_adapters.py ROWS OUT BASE CONFIG [BASE CONFIG]..., where ROWS is a JSON list of lists of token ids and CONFIG are
LoraConfig's arguments as JSON. Adapter i is saved as OUT/i; one flat list of logits is printed per adapter. Every trainable
value is moved, so that nothing is at its initial value. Versions seen to work: torch 2.15.0, transformers 5.23.0, peft 0.21.2.
"""
import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

rows, out, pairs = torch.tensor(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3:]
results = []
for i, (base, config) in enumerate(zip(pairs[::2], pairs[1::2])):
    torch.manual_seed(i)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **json.loads(config))).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.05 * torch.randn_like(p)
        results.append(model(input_ids=rows).logits.flatten().tolist())
    model.save_pretrained(f"{out}/{i}")
json.dump(results, sys.stdout)
