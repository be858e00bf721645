"""Write peft_match.json: what PEFT's own functions make of settings that select modules and give them ranks.

usage: python peft_match.py > peft_match.json, with peft 0.21.2. TestMatchAsPEFT compares.
"""
import itertools
import json

from peft import LoraConfig
from peft.tuners.tuners_utils import _ExcludedModule, check_target_module_exists
from peft.utils.other import get_pattern_key

GPT2 = [f"transformer.h.{i}.{m}" for i in range(12) for m in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
LLAMA = [
    f"model.layers.{i}.{m}" for i in range(12)
    for m in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
]
MODULES = {
    "gpt2": ["transformer.wte", "transformer.wpe", *GPT2, "lm_head"],
    "llama": ["model.embed_tokens", *LLAMA, "lm_head"],
    "odd": ["a", "b.a", "ab.a", "layers.0.x.layers.1.a", "m.1.a.2.a", "m.01.a", "m.layers.1a.a", "h.3.a", "layersx.4.a"],
}
TARGETS = {
    "gpt2": [["c_attn"], ["attn.c_proj", "lm_head"], ["transformer.h.1.mlp.c_fc", "wte"], r".*\.(1|10)\..*c_.*", "c_attn|lm_head"],
    "llama": [["q_proj", "v_proj"], ["mlp.up_proj", "embed_tokens"], ["proj"], r"model\.layers\.\d\.self_attn\.[qv]_proj"],
    "odd": [["a"], [".a"], ["1.a", "b.a"], ".*a"],
}
EXCLUDE = {"gpt2": [None, ["1.attn.c_attn", "lm_head"], r".*\.2\..*"], "llama": [None, ["v_proj"], "model.*up_proj"], "odd": [None, ["b.a"], "a"]}
LAYERS = [(None, None), (1, None), ([1, 10], None), ([0, 3], "layers"), ([0, 1], ["h", "layers"]), ([4], "layer.*")]
SAVE = {"gpt2": [None, ["mlp"], ["h.1"]], "llama": [None, ["lm_head", "layers.1.mlp"]], "odd": [None, ["b"]]}
RANKS = [
    {}, {"c_attn": 2, "q_proj": 3}, {r"h\.\d\.attn\.c_attn": 5, "c_attn": 2}, {"layers.1.self_attn.v_proj": 6, "v_proj|up_proj": 7, "lm_head": 1},
    {"proj": 4, "attn": 8, ".*": 9}, {"a": 2}, {"1.a|h.3.a": 3}, {"1.self_attn.q_proj": 5},
]

cases = []
for kind, modules in MODULES.items():
    for target, exclude, (layers, pattern), save in itertools.product(TARGETS[kind], EXCLUDE[kind], LAYERS, SAVE[kind]):
        if isinstance(target, str) and layers is not None:
            continue  # PEFT refuses it
        ranks = RANKS[len(cases) % len(RANKS)]
        arguments = dict(target_modules=target, exclude_modules=exclude, layers_to_transform=layers, layers_pattern=pattern, modules_to_save=save)
        config = LoraConfig(r=1, rank_pattern=ranks, **arguments)
        matched = {}
        for name in modules:
            found = check_target_module_exists(config, name)
            if found and not isinstance(found, _ExcludedModule):
                matched[name] = config.rank_pattern.get(get_pattern_key(config.rank_pattern.keys(), name), config.r)
        cases.append({"modules": kind, "rank_pattern": ranks, **arguments, "want": matched})
print(json.dumps({"modules": MODULES, "cases": cases}, separators=(",", ":")))
