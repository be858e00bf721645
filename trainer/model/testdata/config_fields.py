"""Writes config_fields.json: every key that transformers' configuration of an architecture has, and every one that its modelling code
reads, whether or not the configuration has it.

transformers 5.24.0:  python config_fields.py > config_fields.json
"""

import inspect
import json
import re

from transformers import masking_utils, modeling_rope_utils
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

KINDS = [
    "gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "smollm3", "olmo2", "granite", "gpt_neox", "opt",
]
READS = re.compile(r"config\.([a-z_]+)\b(?!\()|getattr\((?:self\.)?config, \"([a-z_]+)\"")
shared = inspect.getsource(masking_utils) + inspect.getsource(modeling_rope_utils)
fields = {}
for kind in KINDS:
    config = CONFIG_MAPPING[kind]
    source = shared + inspect.getsource(inspect.getmodule(MODEL_FOR_CAUSAL_LM_MAPPING[config]))
    read = {a or b for a, b in READS.findall(source)}
    fields[kind] = sorted(set(config().to_dict()) | {key for key in read if not key.startswith("_")})
print(json.dumps(fields, indent=1))
