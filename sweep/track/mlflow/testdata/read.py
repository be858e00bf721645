"""Prints what MLflow's own client finds on a server: every run of an experiment, with each metric's whole history."""

import json
import sys

from mlflow import MlflowClient

client = MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name(sys.argv[2])
runs = {}
for run in client.search_runs([experiment.experiment_id]):
    name = run.info.run_name
    if name in runs:
        sys.exit(f"there are two runs {name}")
    runs[name] = {
        "id": run.info.run_id,
        "status": run.info.status,
        "params": run.data.params,
        "tags": run.data.tags,
        "metrics": {
            key: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, key)] for key in run.data.metrics
        },
    }
json.dump(runs, sys.stdout)
