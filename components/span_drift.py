"""SpanDrift's artifact I/O."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar, Final

import tensorflow_data_validation as tfdv
from absl import logging
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import io_utils

from components.artifacts import Drift, Quarantine
from reelflow.base import columns as f
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.ingest.drift import changes, sample
from reelflow.data.spans import Window

QUARANTINE: Final = "quarantine"
STATISTICS: Final = "statistics"
RATINGS_SCHEMA: Final = "ratings_schema"
MOVIES_SCHEMA: Final = "movies_schema"
DATA: Final = "data"
SPLIT: Final = "split"
DRIFT: Final = "drift"
FILE: Final = "drift.json"


class Executor(base_executor.BaseExecutor):
    """Reads the two newest spans once more, compares them, and tells."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write `drift.json`.

        Raises:
            BadInput: a span cannot be read any more.
        """
        quarantine = artifact_utils.get_single_uri(input_dict[QUARANTINE])
        with fileio.open(os.path.join(quarantine, "report.json"), "rb") as file:
            window = Window.from_json(json.dumps(json.load(file)["window"]))
        folder = artifact_utils.get_single_uri(output_dict[DRIFT])
        report = self._compare(input_dict, exec_properties, window)
        for warning in report["warnings"]:
            logging.warning("Span %s: %s", window.newest.name, warning)
        io_utils.write_string_file(os.path.join(folder, FILE), json.dumps(report, indent=2))

    def _compare(
        self, artifacts: dict[str, list[Artifact]], exec_properties: dict[str, Any], window: Window
    ) -> dict[str, Any]:
        before = [*window.earlier, *window.spans][:-1]
        report: dict[str, Any] = {"newest": window.newest.name, "previous": None}
        if not before:
            return {**report, "rows": {}, "changes": [], "warnings": []}
        previous = before[-1]
        data = DataConfig.model_validate_json(exec_properties[DATA])
        split = SplitConfig.model_validate_json(exec_properties[SPLIT])
        rows = {s.name: sample(s, window, data, split) for s in (previous, window.newest)}
        trained = artifact_utils.get_split_uri(artifacts[STATISTICS], f.TRAIN)
        schemas = [
            io_utils.parse_pbtxt_file(
                os.path.join(artifact_utils.get_single_uri(artifacts[key]), "schema.pbtxt"),
                schema_pb2.Schema(),
            )
            for key in (RATINGS_SCHEMA, MOVIES_SCHEMA)
        ]
        found = changes(
            rows[window.newest.name],
            rows[previous.name],
            tfdv.load_stats_binary(os.path.join(trained, DEFAULT_FILE_NAME)),
            schemas,
        )
        return {
            **report,
            "previous": previous.name,
            "rows": {name: batch.num_rows for name, batch in rows.items()},
            "changes": [change.as_json() for change in found],
            "warnings": [str(change) for change in found if change.exceeded],
        }


# SpanDrift: is the newest span like the one before it, and like what is trained on?


_USED = {"format", "ratings", "movies", "columns", "delimiter", "rating_min", "rating_max"}
_USED |= {"chunk_bytes", "statistics_rows"}


class SpanDriftSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        DATA: ExecutionParameter(type=str),
        SPLIT: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        QUARANTINE: ChannelParameter(type=Quarantine),
        STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        RATINGS_SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
        MOVIES_SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS: ClassVar = {DRIFT: ChannelParameter(type=Drift)}


class SpanDrift(base_component.BaseComponent):
    """Compares spans by the schemas' drift and skew comparators.

    *Drift* is the newest span against the one before it: ratings, and the genres and years of the
    movies that were rated. *Skew* is the train split against the newest span, which stands for what
    the model will be asked: requests are not recorded. The output `drift` holds `drift.json`.
    """

    SPEC_CLASS = SpanDriftSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        quarantine: channel.BaseChannel,
        statistics: channel.BaseChannel,
        ratings_schema: channel.BaseChannel,
        movies_schema: channel.BaseChannel,
        data: DataConfig,
        split: SplitConfig,
    ) -> None:
        """Describe the node.

        Args:
            quarantine: ExampleGen's, which names the spans that it has read.
            statistics: ExampleStatistics of the ratings.
            ratings_schema: schema of the ratings, with the comparators.
            movies_schema: schema of the catalogue, with the comparators.
            data: how to read the spans.
            split: how to find their files if it is `predefined`.
        """
        inputs: dict[str, Any] = {
            QUARANTINE: quarantine,
            STATISTICS: statistics,
            RATINGS_SCHEMA: ratings_schema,
            MOVIES_SCHEMA: movies_schema,
            DATA: data.model_dump_json(include=_USED),
            SPLIT: split.model_dump_json(),
            DRIFT: channel.Channel(type=Drift),
        }
        super().__init__(spec=SpanDriftSpec(**inputs))
