"""Prints what wandb's own reader finds in the .wandb files below a folder: config, rows, summary and how each run ended."""

import glob
import json
import sys

from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal import datastore

runs = {}
for path in glob.glob(sys.argv[1] + "/offline-run-*/run-*.wandb"):
    file = datastore.DataStore()
    file.open_for_scan(path)
    seen = {"config": {}, "rows": [], "summary": {}, "exit": None, "numbers": []}
    while (data := file.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        seen["numbers"].append(record.num)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            seen["name"] = record.run.display_name
            seen["group"] = record.run.run_group
            seen["config"] = {u.key: json.loads(u.value_json) for u in record.run.config.update}
        elif kind == "history":
            row = {"".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
            if row["_step"] != record.history.step.num:
                sys.exit(f"a row of step {row['_step']} says step {record.history.step.num}")
            seen["rows"].append(row)
        elif kind == "summary":
            seen["summary"].update({u.key: json.loads(u.value_json) for u in record.summary.update})
        elif kind == "exit":
            seen["exit"] = record.exit.exit_code
    runs[seen["name"]] = seen
json.dump(runs, sys.stdout)
