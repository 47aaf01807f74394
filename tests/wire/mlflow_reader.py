"""Runs in MLflow's own environment: prints the spans of an experiment as it read them."""

import json
import sys

import mlflow


def main(url: str, experiment: str) -> None:
    """Prints one list with an object for each trace."""
    mlflow.set_tracking_uri(url)
    found = mlflow.search_traces(locations=[experiment], return_type="list")
    told = [
        {
            "trace": trace.info.trace_id,
            "state": str(trace.info.state),
            "metadata": dict(trace.info.trace_metadata),
            "request": trace.info.request_preview,
            "spans": [
                {
                    "name": span.name,
                    "id": span.span_id,
                    "parent": span.parent_id,
                    "type": span.span_type,
                    "inputs": span.inputs,
                    "outputs": span.outputs,
                }
                for span in trace.data.spans
            ],
        }
        for trace in found
    ]
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
