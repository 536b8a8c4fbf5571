"""RatingsStatisticsGen: TFX's StatisticsGen with a bound on the rows that it looks at."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ExecutionParameter
from tfx.utils import json_utils

from components.statistics_gen import executor


class RatingsStatisticsGenSpec(standard_component_specs.StatisticsGenSpec):
    """StatisticsGen with two parameters more."""

    PARAMETERS: ClassVar = {
        **standard_component_specs.StatisticsGenSpec.PARAMETERS,
        executor.ROWS: ExecutionParameter(type=int),
        executor.SEED: ExecutionParameter(type=int),
    }


class RatingsStatisticsGen(base_beam_component.BaseBeamComponent):
    """Descriptive statistics of all splits; the output `statistics` is as StatisticsGen's."""

    SPEC_CLASS = RatingsStatisticsGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, *, examples: channel.BaseChannel, rows: int, seed: int) -> None:
        """Describe the node.

        Args:
            examples: ExampleGen's ratings, as Parquet.
            rows: to look at, at most, in all splits together, sampled evenly.
            seed: of the sample.
        """
        inputs: dict[str, Any] = {
            standard_component_specs.EXAMPLES_KEY: examples,
            standard_component_specs.EXCLUDE_SPLITS_KEY: json_utils.dumps([]),
            executor.ROWS: rows,
            executor.SEED: seed,
            standard_component_specs.STATISTICS_KEY: channel.Channel(
                type=standard_artifacts.ExampleStatistics
            ),
        }
        super().__init__(spec=RatingsStatisticsGenSpec(**inputs))
