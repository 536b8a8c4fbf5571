"""DataGate: stops the run before anything is learned from data that should not be."""

# No `from __future__ import annotations`: TFX reads the annotations of function components.

import json
import os
from collections.abc import Iterator

from absl import logging
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import ExampleAnomalies
from tfx.utils import io_utils
from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component

from components.artifacts import DataBlessing, Drift, Quarantine
from reelflow.base.common import send_notice
from reelflow.config import DataGateConfig
from reelflow.data.ingest import gate
from reelflow.data.ingest.results import QUARANTINE_FILE, DriftReport, IngestSummary


@component
def DataGate(
    ratings_anomalies: InputArtifact[ExampleAnomalies],
    movies_anomalies: InputArtifact[ExampleAnomalies],
    quarantine: InputArtifact[Quarantine],
    blessing: OutputArtifact[DataBlessing],
    max_quarantined: Parameter[float],
    bounds: Parameter[str] = "{}",
    drift: InputArtifact[Drift] = None,
    max_drift: Parameter[float] = None,
) -> None:
    """Bless the data, or fail with all reasons.

    Later nodes depend on it by `node.add_upstream_node(data_gate)`.

    Args:
        ratings_anomalies: ExampleValidator's verdict on ExampleGen's `examples`.
        movies_anomalies: ExampleValidator's verdict on ExampleGen's `catalogue`.
        quarantine: ExampleGen's counts and damaged rows.
        blessing: gets `blessing.json`: the rows by split, the damaged rows by reason, warnings.
        max_quarantined: share of the rows that may be quarantined, 0 to 1.
        bounds: the section `data_gate` as JSON.
        drift: SpanDrift's report, if the data have spans.
        max_drift: largest drift of a column that may pass, 0 to 1; None: any.

    Raises:
        DataRefused: with all reasons.
    """
    summary = IngestSummary.read(quarantine.uri)
    warnings = gate.check(
        [
            *validated_splits("ratings", ratings_anomalies),
            *validated_splits("movies", movies_anomalies),
        ],
        summary,
        os.path.join(quarantine.uri, QUARANTINE_FILE),
        max_quarantined,
        None if drift is None else DriftReport.read(drift.uri),
        max_drift,
        DataGateConfig.model_validate_json(bounds),
    )
    for warning in warnings:
        logging.warning("%s", warning)
        if warning.kind == "span":
            send_notice(str(warning))
    content = {
        "blessed": True,
        "rows": summary.rows.model_dump(),
        "quarantined": summary.quarantined,
        "warnings": [str(warning) for warning in warnings],
    }
    path = os.path.join(blessing.uri, "blessing.json")
    io_utils.write_string_file(path, json.dumps(content, indent=2))
    blessing.set_int_custom_property("blessed", 1)


def validated_splits(name: str, anomalies: Artifact) -> Iterator[gate.Validated]:
    """Read ExampleValidator's anomalies, split by split.

    Args:
        name: `ratings` or `movies`.
        anomalies: an ExampleAnomalies artifact.
    """
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        uri = artifact_utils.get_split_uri([anomalies], split)
        data = io_utils.read_bytes_file(os.path.join(uri, DEFAULT_FILE_NAME))
        yield gate.Validated(name, split, anomalies_pb2.Anomalies.FromString(data))
