"""Prints what TensorBoard's own reader finds below a folder: scalars, texts and hyperparameters of each run."""

import json
import sys

from tensorboard.backend.event_processing import event_multiplexer
from tensorboard.plugins.hparams import metadata
from tensorboard.util import tensor_util

multiplexer = event_multiplexer.EventMultiplexer(size_guidance={"scalars": 0, "tensors": 0})
multiplexer.AddRunsFromDirectory(sys.argv[1])
multiplexer.Reload()
runs = {}
for name in multiplexer.Runs():
    run = multiplexer.GetAccumulator(name)
    tags = run.Tags()
    seen = {"scalars": {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in tags["scalars"]}, "texts": {}, "hparams": {}}
    for tag in tags["tensors"]:
        found = run.SummaryMetadata(tag).plugin_data
        if found.plugin_name == "text":
            seen["texts"][tag] = tensor_util.make_ndarray(run.Tensors(tag)[0].tensor_proto).item().decode()
        elif tag == metadata.SESSION_START_INFO_TAG:
            start = metadata.parse_session_start_info_plugin_data(found.content)
            seen["hparams"] = {k: v.number_value if v.HasField("number_value") else v.string_value for k, v in start.hparams.items()}
        elif tag == metadata.SESSION_END_INFO_TAG:
            seen["status"] = metadata.parse_session_end_info_plugin_data(found.content).status
    runs[name] = seen
json.dump(runs, sys.stdout)
