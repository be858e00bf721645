"""One side of `make bench`: LoRA steps and evaluations of PyTorch + PEFT in a process of their own.

argv: the job, as shape.go defines it; float32 or bfloat16; eager or compile. Prints one JSON object. The step is what our
program does: forward, loss, backward, gradient norm and clipping, AdamW, and the loss and the norm read back.
"""

import json
import sys
import time

import peft
import torch
import transformers


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    torch.manual_seed(1)
    model = peft.get_peft_model(base(job["model"], sys.argv[2]), peft.LoraConfig(**job["adapter"]))
    trainable = [p for p in model.parameters() if p.requires_grad]
    compiled = sys.argv[3] == "compile"
    if compiled:
        model = torch.compile(model, dynamic=False)  # a program for each shape, the fastest there is
    losses, steps = train(model, trainable, job)
    after_training = peak_bytes()
    loss, evaluations = evaluate(model, torch.tensor(job["held_out"]), job["evaluations"])
    print(json.dumps({
        "step_seconds": steps[job["warmup"]:], "eval_seconds": evaluations[1:], "compile_seconds": steps[0] if compiled else 0,
        "first_loss": losses[0], "eval_loss": loss, "peak_bytes": after_training, "eval_peak_bytes": peak_bytes(),
        "what": f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}",
    }))


def base(folder, dtype):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    # GPT-2 warns that it takes this for want of another, and at the warning torch.compile gives the whole model up to eager.
    model.loss_type = "ForCausalLM"
    return model


def train(model, trainable, job):
    model.train()
    optimizer = torch.optim.AdamW(trainable, lr=1e-4, weight_decay=0.01)
    losses, seconds = [], []
    for ids in torch.tensor(job["rows"]).split(job["batch"]):
        start = time.perf_counter()
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append((loss.item(), norm.item())[0])
        seconds.append(time.perf_counter() - start)
    return losses, seconds


def evaluate(model, ids, times):
    model.eval()
    seconds = []
    for _ in range(1 + times):
        start = time.perf_counter()
        with torch.no_grad():
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss.item()
        seconds.append(time.perf_counter() - start)
    return loss, seconds


def peak_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise SystemExit("no VmHWM in /proc/self/status: the benchmark needs Linux")


if __name__ == "__main__":
    main()
