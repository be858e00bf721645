"""Writes epochs.json: the steps and warm-up steps that transformers' Trainer makes of epochs and ratios.

Written with transformers 5.24.0 and torch 2.15.0: python epochs.py
"""

import json
import math
import random
import tempfile

import torch
import transformers
from transformers import Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return {"x": i}


def case(rows, batch, accumulation, epochs, ratio):
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            folder, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, num_train_epochs=epochs,
            warmup_steps=ratio, use_cpu=True, report_to=[], dataloader_drop_last=False,
        )
        trainer = Trainer(torch.nn.Linear(1, 1), args, train_dataset=Rows(rows), data_collator=lambda rows: rows)
        values = trainer.set_initial_training_values(args, trainer.get_train_dataloader())
    steps = values[-1]
    return {
        "rows": rows, "batch": batch, "accumulation": accumulation, "epochs": epochs, "warmup_ratio": ratio,
        "steps": steps, "warmup": args.get_warmup_steps(steps),
    }


random.seed(0)
cases = [case(10, 3, 2, 1, 0), case(12, 3, 2, 3, 0.1), case(1, 8, 4, 0.5, 0.03), case(100, 8, 1, 1 / 3, 0.06)]
for _ in range(200):
    cases.append(case(random.randint(1, 3000), random.choice([1, 2, 3, 8, 16]), random.choice([1, 2, 4, 5]),
                      random.choice([1, 3, 0.1, 0.7, 2.5, 1.1, 10, random.uniform(0.01, 5)]),
                      random.choice([0, 0.03, 0.05, 0.1, 0.06, random.random()])))
with open("epochs.json", "w") as f:
    json.dump({"transformers": transformers.__version__, "cases": cases}, f, separators=(",", ":"))
    f.write("\n")
