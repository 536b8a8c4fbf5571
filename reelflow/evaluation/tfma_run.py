"""TFMA on the cells: its own result files, and its verdict on every bound."""

from __future__ import annotations

import json
from collections.abc import Iterable

import apache_beam as beam
import pyarrow as pa
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from reelflow.evaluation.gate import ROUNDING, Bound
from reelflow.evaluation.metrics import PROTOCOLS, RMSE, WEIGHT, ZERO

SHOWN = ("top_10", "top_100", "ndcg_10", "mrr")


def evaluate(
    pipeline: beam.Pipeline,
    cells: pa.RecordBatch,
    eval_config: config_pb2.EvalConfig,
    output_path: str,
) -> None:
    """Add TFMA's evaluation to a Beam pipeline; its files are in `output_path` when it has run."""
    writers = tfma.default_writers(
        output_path=output_path, eval_shared_model=None, eval_config=eval_config
    )
    (
        pipeline
        | "Cells" >> beam.Create([cells])
        | "Evaluate"
        >> tfma.ExtractEvaluateAndWriteResults(
            eval_config=eval_config,
            eval_shared_model=None,
            output_path=output_path,
            extractors=tfma.default_extractors(eval_config=eval_config),
            evaluators=tfma.default_evaluators(eval_config=eval_config),
            writers=writers,
        )
    )


def eval_config(
    bounds: Iterable[Bound], protocol: str, slice_keys: Iterable[str]
) -> config_pb2.EvalConfig:
    """TFMA's configuration: the metrics of both protocols by slice, the bounds over all rows.

    The bounds apply to the overall slice alone: a small noisy slice must not block a blessing.
    """
    outputs = [RMSE, *(f"{p}/{name}" for p in PROTOCOLS for name in SHOWN)]
    gated = {"rmse": RMSE, "top_100": f"{protocol}/top_100"}
    metrics = [_metric(output, output) for output in outputs]
    metrics += [_metric(gated[b.metric], b.name, b) for b in bounds]
    return json_format.ParseDict(
        {
            "model_specs": [
                {
                    "prediction_keys": {output: output for output in outputs},
                    "label_keys": dict.fromkeys(outputs, ZERO),
                    "example_weight_keys": dict.fromkeys(outputs, WEIGHT),
                }
            ],
            "slicing_specs": [{}, *({"feature_keys": [key]} for key in slice_keys)],
            "metrics_specs": metrics,
        },
        config_pb2.EvalConfig(),
    )


def _metric(output: str, name: str, bound: Bound | None = None) -> dict[str, object]:
    class_name = "RootMeanSquaredError" if output == RMSE else "MeanPrediction"
    metric: dict[str, object] = {"class_name": class_name, "config": json.dumps({"name": name})}
    if bound is not None:
        value = {}
        if bound.lower is not None:
            value["lower_bound"] = bound.lower - ROUNDING
        if bound.upper is not None:
            value["upper_bound"] = bound.upper + ROUNDING
        metric["per_slice_thresholds"] = [
            {"slicing_specs": [{}], "threshold": {"value_threshold": value}}
        ]
    return {"output_names": [output], "metrics": [metric]}


def failures(output_path: str) -> dict[str, float]:
    """Names of the bounds that TFMA found broken, with the metric's value.

    Raises:
        ValueError: TFMA refused for a reason that is not a bound.
    """
    result = tfma.load_validation_result(output_path)
    broken = {
        failure.metric_key.name: failure.metric_value.double_value.value
        for per_slice in result.metric_validations_per_slice
        for failure in per_slice.failures
    }
    if not broken and not result.validation_ok:
        raise ValueError(f"TFMA refused without naming a bound: {result}")
    return broken
