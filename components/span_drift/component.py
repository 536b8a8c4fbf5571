"""SpanDrift: is the newest span like the one before it, and like what is trained on?"""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import Drift, Quarantine
from components.span_drift import executor
from pipeline.config import DataConfig, SplitConfig

_USED = {"format", "ratings", "movies", "columns", "delimiter", "rating_min", "rating_max"}
_USED |= {"chunk_bytes", "statistics_rows"}


class SpanDriftSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        executor.DATA: ExecutionParameter(type=str),
        executor.SPLIT: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        executor.QUARANTINE: ChannelParameter(type=Quarantine),
        executor.STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        executor.RATINGS_SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
        executor.MOVIES_SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS: ClassVar = {executor.DRIFT: ChannelParameter(type=Drift)}


class SpanDrift(base_component.BaseComponent):
    """Compares spans by the schemas' drift and skew comparators.

    *Drift* is the newest span against the one before it: ratings, and the genres and years of the
    films that were rated. *Skew* is the train split against the newest span, which stands for what
    the model will be asked: requests are not recorded. The output `drift` holds `drift.json`.
    """

    SPEC_CLASS = SpanDriftSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

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
            ratings_schema, movies_schema: with the comparators.
            data: how to read the spans.
            split: how to find their files if it is `predefined`.
        """
        inputs: dict[str, Any] = {
            executor.QUARANTINE: quarantine,
            executor.STATISTICS: statistics,
            executor.RATINGS_SCHEMA: ratings_schema,
            executor.MOVIES_SCHEMA: movies_schema,
            executor.DATA: data.model_dump_json(include=_USED),
            executor.SPLIT: split.model_dump_json(),
            executor.DRIFT: channel.Channel(type=Drift),
        }
        super().__init__(spec=SpanDriftSpec(**inputs))
