"""Makes what the journey test starts from: a tiny Llama folder as transformers saves one, and alpaca rows as one JSON array.

Made with transformers 5.24.0, tokenizers of that release, torch 2.15.0 (CPU): python make.py
"""
import json
import random

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

random.seed(7)
torch.manual_seed(7)

words = ["stone", "river", "lamp", "garden", "window", "bread", "music", "silver", "winter", "paper"]
rows = []
for _ in range(160):
    some = random.sample(words, random.randint(2, 4))
    task = random.choice(["reverse", "first", "count"])
    instruction, output = {
        "reverse": ("Write the words in the opposite order.", " ".join(reversed(some))),
        "first": ("Name the first word.", some[0]),
        "count": ("Count the words.", str(len(some))),
    }[task]
    rows.append({"instruction": instruction, "input": " ".join(some), "output": output})
with open("alpaca.json", "w") as f:
    json.dump(rows, f, indent=1)

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
special = ["<|begin_of_text|>", "<|end_of_text|>"]
alpaca = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:\n"
)  # so that rows are short: it is what such rows become for a model without a chat template
tokenizer.train_from_iterator(
    (alpaca.format(r["instruction"], r["input"]) + r["output"] for r in rows),
    trainers.BpeTrainer(vocab_size=448, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
)
PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1]).save_pretrained("tiny-llama")

config = LlamaConfig(
    vocab_size=len(tokenizer.get_vocab()), hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=256, bos_token_id=0, eos_token_id=1, tie_word_embeddings=True,
)
LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained("tiny-llama")
