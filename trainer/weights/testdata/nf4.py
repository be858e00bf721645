"""Makes nf4.json: what bitsandbytes makes of a matrix as load_in_4bit with NF4 does, without double quantisation.

python nf4.py          (bitsandbytes 0.50.2, torch 2.15.0; seed 0)
"""
import json
import os

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit

torch.manual_seed(0)
w = torch.randn(4, 64) * 0.02
w[1] = 0
w[2, 5] = 3  # an outlier
codes, state = quantize_4bit(w, blocksize=64, quant_type="nf4")
values = dequantize_4bit(codes, state)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nf4.json"), "w") as f:
    json.dump({"levels": state.code.tolist(), "weights": w.flatten().tolist(), "values": values.flatten().tolist()}, f)
    f.write("\n")
