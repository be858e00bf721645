"""One side of `make bench`: LoRA steps of PyTorch + PEFT in a process of their own.

argv[1] is the shape as JSON, as main.go defines it. Prints one JSON object. The step is what our program does: forward,
loss, backward, gradient norm and clipping, AdamW, and the loss and the norm read back. Dropout is 0 and the base model's
weights are random, in float32.
"""

import json
import random
import sys
import time

import peft
import torch
import transformers


def main():
    shape = json.loads(sys.argv[1])
    torch.set_num_threads(shape["threads"])
    torch.manual_seed(1)
    model = peft.get_peft_model(base(shape), peft.LoraConfig(
        r=shape["rank"], lora_alpha=16, target_modules=["c_attn"], lora_dropout=0.0,
        fan_in_fan_out=True, task_type="CAUSAL_LM"))
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, weight_decay=0.01)
    draw = random.Random(1)
    losses, seconds = [], []
    for _ in range(shape["warmup"] + shape["steps"]):
        ids = torch.tensor([[draw.randrange(shape["vocab"]) for _ in range(shape["length"])]
                            for _ in range(shape["batch"])])
        start = time.perf_counter()
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append((loss.item(), norm.item())[0])
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "step_seconds": seconds[shape["warmup"]:], "first_loss": losses[0], "peak_bytes": peak_bytes(),
        "trainable": sum(p.numel() for p in trainable),
        "what": f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}",
    }))


def base(shape):
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=shape["vocab"], n_positions=shape["positions"], n_embd=shape["width"], n_layer=shape["layers"],
        n_head=shape["heads"], resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))


def peak_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise SystemExit("no VmHWM in /proc/self/status: the benchmark needs Linux")


if __name__ == "__main__":
    main()
