"""DataGate's artifact I/O."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from absl import logging
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor as example_validator
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import DataBlessing, Drift, Quarantine
from reelflow.data.ingest import gate

RATINGS_ANOMALIES: Final = "ratings_anomalies"
MOVIES_ANOMALIES: Final = "movies_anomalies"
QUARANTINE: Final = "quarantine"
DRIFT: Final = "drift"
MAX_QUARANTINED: Final = "max_quarantined"
MAX_DRIFT: Final = "max_drift"
BLESSING: Final = "blessing"


class Executor(base_executor.BaseExecutor):
    """Reads the verdicts, lets `gate.check` judge them, writes the blessing."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Bless the data.

        Raises:
            DataRefused: with all reasons.
        """
        validated = [
            *verdicts("ratings", input_dict[RATINGS_ANOMALIES]),
            *verdicts("movies", input_dict[MOVIES_ANOMALIES]),
        ]
        quarantine = artifact_utils.get_single_uri(input_dict[QUARANTINE])
        report = json.loads(_read(os.path.join(quarantine, "report.json")))
        damaged_rows = os.path.join(quarantine, "quarantine.tsv")
        drift = _drift(input_dict.get(DRIFT) or [])
        drifted = gate.drift_reasons(drift, exec_properties.get(MAX_DRIFT))
        warnings = gate.check(
            validated, report, damaged_rows, exec_properties[MAX_QUARANTINED], drifted
        )
        warnings += [f"span {drift['newest']}: {words}" for words in drift.get("warnings", [])]
        for warning in warnings:
            logging.warning("%s", warning)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
        blessing.set_int_custom_property("blessed", 1)
        verdict = {
            "blessed": True,
            "rows": report["rows"],
            "quarantined": report["quarantined"],
            "warnings": warnings,
        }
        fileio.makedirs(blessing.uri)
        with fileio.open(os.path.join(blessing.uri, "blessing.json"), "w") as file:
            file.write(json.dumps(verdict, indent=2))


def verdicts(name: str, artifacts: list[Artifact]) -> Iterator[gate.Validated]:
    """ExampleValidator's anomalies, split by split; all spans, if there are several."""
    for artifact in artifacts:
        for split in artifact_utils.decode_split_names(artifact.split_names):
            uri = artifact_utils.get_split_uri([artifact], split)
            data = _read(os.path.join(uri, example_validator.DEFAULT_FILE_NAME))
            yield gate.Validated(name, split, anomalies_pb2.Anomalies.FromString(data))


def _drift(artifacts: list[Artifact]) -> dict[str, Any]:
    """`drift.json`, or nothing without spans."""
    if not artifacts:
        return {}
    found: dict[str, Any] = json.loads(_read(os.path.join(artifacts[0].uri, "drift.json")))
    return found


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as file:
        content: bytes = file.read()
    return content


# DataGate: no training on data that ExampleValidator or the quarantine speaks against.


class DataGateSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        MAX_QUARANTINED: ExecutionParameter(type=float),
        MAX_DRIFT: ExecutionParameter(type=float, optional=True),
    }
    INPUTS: ClassVar = {
        RATINGS_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        MOVIES_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        QUARANTINE: ChannelParameter(type=Quarantine),
        DRIFT: ChannelParameter(type=Drift, optional=True),
    }
    OUTPUTS: ClassVar = {BLESSING: ChannelParameter(type=DataBlessing)}


class DataGate(base_component.BaseComponent):
    """Stops the run, with reasons in words, when the data should not be learned from.

    Later nodes depend on it by `node.add_upstream_node(data_gate)`. The output `blessing` holds
    `blessing.json`: the rows by split, the damaged rows by reason, and any warnings.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        ratings_anomalies: channel.BaseChannel,
        movies_anomalies: channel.BaseChannel,
        quarantine: channel.BaseChannel,
        max_quarantined: float,
        drift: channel.BaseChannel | None = None,
        max_drift: float | None = None,
    ) -> None:
        """Describe the node.

        Args:
            ratings_anomalies: ExampleAnomalies of the `examples` artifact.
            movies_anomalies: ExampleAnomalies of the `catalogue` artifact.
            quarantine: ExampleGen's Quarantine.
            max_quarantined: share of the rows that may be quarantined, 0 to 1.
            drift: SpanDrift's, if the data have spans.
            max_drift: largest drift of a column that may pass, 0 to 1; none: any.
        """
        inputs: dict[str, Any] = {
            RATINGS_ANOMALIES: ratings_anomalies,
            MOVIES_ANOMALIES: movies_anomalies,
            QUARANTINE: quarantine,
            MAX_QUARANTINED: float(max_quarantined),
            BLESSING: channel.Channel(type=DataBlessing),
        }
        if drift is not None:
            inputs[DRIFT] = drift
        if max_drift is not None:
            inputs[MAX_DRIFT] = float(max_drift)
        super().__init__(spec=DataGateSpec(**inputs))
