"""Load base models and adapters with PEFT and print the logits of some rows as JSON.

usage: peft_logits.py ROWS BASE ADAPTER [BASE ADAPTER]..., where ROWS is a JSON list of lists of token ids. One flat list of
logits is printed per adapter. Versions seen to work: torch 2.15.0, transformers 5.23.0, peft 0.21.2.
"""
import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

rows, pairs = torch.tensor(json.loads(sys.argv[1])), sys.argv[2:]
results = []
for base, adapter in zip(pairs[::2], pairs[1::2]):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        results.append(model(input_ids=rows).logits.flatten().tolist())
json.dump(results, sys.stdout)
