"""Writes lora_fields.json: every key of the adapter_config.json that PEFT saves for LoRA, and every kind of adapter that it has.

peft 0.21.2:  python lora_fields.py > lora_fields.json
"""

import json

from peft import LoraConfig, PeftType

print(json.dumps({"keys": sorted(LoraConfig().to_dict()), "types": sorted(t.value for t in PeftType)}, indent=1))
