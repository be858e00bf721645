"""One side of `make bench-sweep`: every trial of a grid with PyTorch + PEFT, one after another in one process.

argv[1] is the job, as loop.go defines it. It is written as one would write it by hand: the model is loaded once, each trial
gets an adapter of its own, and the validation rows are scored 32 at a time before the first step, every eval_steps and after
the last one. Prints one JSON object.
"""

import collections
import json
import sys

import numpy
import peft
import torch
import transformers

from peft_step import base

EVALUATED = 32  # rows at once


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    rows, held = (torch.from_numpy(numpy.fromfile(job[name], dtype=numpy.int32).reshape(-1, 2, job["length"])).long()
                  for name in ("train", "validation"))
    model = base(job["model"], job["trials"][0]["train"]["dtype"])
    losses = collections.defaultdict(list)
    for number, trial in enumerate(job["trials"]):
        torch.manual_seed(trial["seed"])
        adapted = peft.get_peft_model(model, peft.LoraConfig(**trial["adapter"]))
        loss = train(adapted, trial, rows, held)
        settings = json.dumps([{**trial["adapter"], "r": None}, trial["train"]])
        losses[trial["adapter"]["r"], settings].append(loss)
        print(f"trial {number + 1} of {len(job['trials'])}: {loss:.4f}", file=sys.stderr)
        model = adapted.unload()
    mean, rank = min((sum(seeds) / len(seeds), rank) for (rank, _), seeds in losses.items())
    print(json.dumps({"trials": len(job["trials"]), "val_loss": mean, "rank": rank}))


def train(model, trial, rows, held):
    """Returns the lowest validation loss."""
    recipe = trial["train"]
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=recipe["learning_rate"], weight_decay=recipe["weight_decay"])
    schedule = transformers.get_scheduler(recipe["lr_scheduler_type"], optimizer, recipe["warmup_steps"], recipe["steps"])
    best = evaluate(model, held)
    batches = draw(rows, recipe["batch_size"], trial["shuffle"])
    for step in range(1, recipe["steps"] + 1):
        model.train()
        for _ in range(recipe["gradient_accumulation_steps"]):
            batch = next(batches)
            loss = model(input_ids=batch[:, 0], labels=batch[:, 1], use_cache=False).loss
            (loss / recipe["gradient_accumulation_steps"]).backward()
        if recipe["max_grad_norm"] > 0:
            torch.nn.utils.clip_grad_norm_(trainable, recipe["max_grad_norm"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % recipe["eval_steps"] == 0 or step == recipe["steps"]:
            best = min(best, evaluate(model, held))
    return best


def draw(rows, size, shuffle):
    while True:
        yield from torch.utils.data.DataLoader(rows, batch_size=size, shuffle=shuffle)


def evaluate(model, held):
    model.eval()
    total, tokens = 0.0, 0
    with torch.no_grad():
        for batch in held.split(EVALUATED):
            loss = model(input_ids=batch[:, 0], labels=batch[:, 1], use_cache=False).loss
            scored = (batch[:, 1, 1:] != -100).sum().item()
            total, tokens = total + loss.item() * scored, tokens + scored
    return total / tokens


if __name__ == "__main__":
    main()
