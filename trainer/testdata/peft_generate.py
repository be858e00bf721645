"""Write generate.json: what transformers' generate(do_sample=False) continues prompts with, for base models and PEFT adapters on them.

usage: peft_generate.py, in this folder's parent. Every prompt is continued alone, in float32, by 12 tokens or until the model writes a
stop token: the one that it writes fifth after the first prompt. The margin is the least lead of a chosen token's logit over the
next: what keeps another float32 program from choosing otherwise. Versions: torch 2.15.0, transformers 5.24.0, peft 0.21.2.
"""
import json

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

DATA = "model/testdata/"
CASES = [
    ("tiny-gpt2", ""), ("tiny-gpt2", "lora/gpt2_c_attn_r8/final_seeded_B"),
    ("tiny-llama", ""), ("tiny-llama", "lora/llama_qv_r8/final_seeded_B"), ("tiny-llama", "lora/llama_dora_r4/final_seeded_B"),
]
PROMPTS = [[5, 7, 11, 13, 17, 19, 23], [100, 99, 98], [42, 1, 42, 2, 42, 3, 42, 4, 42, 5, 42, 6]]
MOST = 12

torch.set_num_threads(1)
results = []
for base, adapter in CASES:
    model = AutoModelForCausalLM.from_pretrained(DATA + base, dtype=torch.float32)
    if adapter:
        model = PeftModel.from_pretrained(model, DATA + adapter)
    model.eval()

    def generate(prompt, stops):
        ids = torch.tensor([prompt])
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=MOST, eos_token_id=stops,
                             pad_token_id=0, output_logits=True, return_dict_in_generate=True)
        top = [logits[0].topk(2).values for logits in out.logits]
        return out.sequences[0, len(prompt):].tolist(), min(float(a - b) for a, b in top)

    free, _ = generate(PROMPTS[0], None)
    stop = free[4]
    case = {"base": base, "adapter": adapter, "stops": [stop], "prompts": PROMPTS, "answers": [], "margin": 1e9}
    for prompt in PROMPTS:
        answer, margin = generate(prompt, [stop])
        case["answers"].append(answer)
        case["margin"] = min(case["margin"], margin)
    results.append(case)
with open("testdata/generate.json", "w") as f:
    json.dump(results, f)
    f.write("\n")
