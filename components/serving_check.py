"""ServingCheck: no push of a model that a server could not load and answer from."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

import os
from pathlib import Path

from absl import logging
from tfx.types.standard_artifacts import InfraBlessing, Model
from tfx.utils import io_utils
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component

from components.artifacts import saved_model
from reelflow.saved_model.probe import check


@component
def ServingCheck(
    model: InputArtifact[Model],
    blessing: OutputArtifact[InfraBlessing],
    latency_ms_max: Parameter[float],
    recall_min: Parameter[float],
    timeout_seconds: Parameter[float] = 600.0,
) -> None:
    """Load the export in a fresh process, send golden requests, measure latency.

    A refusal does not fail the node: Pusher sees to it that the model goes no further.

    Args:
        model: the Trainer's.
        blessing: marked as TFX's InfraValidator does; gets `reasons.json` beside TFX's own file.
        latency_ms_max: accepted median latency of one recommendation request, in milliseconds.
        recall_min: accepted share of exact lists that an approximate search finds.
        timeout_seconds: after which the fresh process is ended and the model refused.
    """
    result = check(
        saved_model(model),
        latency_ms_max=latency_ms_max,
        recall_min=recall_min,
        timeout_seconds=timeout_seconds,
    )
    for reason in result.reasons:
        logging.error("ServingCheck refuses the model: %s", reason)
    marker = "INFRA_BLESSED" if result.blessed else "INFRA_NOT_BLESSED"
    io_utils.write_string_file(os.path.join(blessing.uri, marker), "")
    result.write(Path(blessing.uri))
    blessing.set_int_custom_property("blessed", int(result.blessed))
