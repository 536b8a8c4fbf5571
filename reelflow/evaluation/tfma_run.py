"""TFMA on the cells of `metrics.aggregate`: its result files, slices and validations, for viewers.

The gate does not wait for it: it decides by the exact figures (reelflow/evaluation/gate.py). TFMA
counts in float32, and each bound gives way by the metric's tolerance, so that it agrees. A bound on
an interval, which TFMA knows nothing of, is the bound on the value that it amounts to
(`GateResult.needed`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from reelflow.base.metrics import METRICS, PROTOCOLS, metric_at
from reelflow.evaluation.gate import GateResult
from reelflow.evaluation.metrics import ZERO, weight_of

_RANKING = ("top_10", "top_100", "ndcg_10", "mrr")
SHOWN = ("rmse", *(METRICS[key].path(protocol) for protocol in PROTOCOLS for key in _RANKING))
"""Paths of the metrics that TFMA shows by slice."""


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


def eval_config(bounds: Collection[GateResult], slice_keys: Iterable[str]) -> config_pb2.EvalConfig:
    """TFMA's configuration: the metrics of all protocols by slice, the bounds over all rows.

    The bounds apply to the overall slice alone: a small noisy slice must not block a blessing.
    """
    outputs = tuple(dict.fromkeys([*SHOWN, *(bound.path for bound in bounds)]))
    metrics = [_metric(output, output) for output in outputs]
    metrics += [_metric(bound.path, bound.name, bound) for bound in bounds]
    return json_format.ParseDict(
        {
            "model_specs": [
                {
                    "prediction_keys": {output: output for output in outputs},
                    "label_keys": dict.fromkeys(outputs, ZERO),
                    "example_weight_keys": {output: weight_of(output) for output in outputs},
                }
            ],
            "slicing_specs": [{}, *({"feature_keys": [key]} for key in slice_keys)],
            "metrics_specs": metrics,
        },
        config_pb2.EvalConfig(),
    )


def _metric(output: str, name: str, bound: GateResult | None = None) -> dict[str, Any]:
    class_name = "RootMeanSquaredError" if metric_at(output).root else "MeanPrediction"
    metric: dict[str, Any] = {"class_name": class_name, "config": json.dumps({"name": name})}
    if bound is not None and math.isfinite(bound.needed):
        metric["per_slice_thresholds"] = [
            {"slicing_specs": [{}], "threshold": {"value_threshold": _threshold(bound)}}
        ]
    return {"output_names": [output], "metrics": [metric]}


def _threshold(bound: GateResult) -> dict[str, float]:
    tolerance = bound.gated.metric.tolerance
    if bound.gated.metric.higher_is_better:
        return {"lower_bound": bound.needed - tolerance}
    return {"upper_bound": bound.needed + tolerance}
