"""RatingsStatisticsGen's artifact I/O: TFX's own executor, on a sample if there is too much."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Final

from tfx.components.statistics_gen import executor as stock
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, channel, standard_artifacts, standard_component_specs
from tfx.types.artifact import Artifact
from tfx.types.component_spec import ExecutionParameter
from tfx.utils import json_utils

from reelflow.data.ingest import statistics as sample

ROWS: Final = "statistics_rows"
SEED: Final = "seed"


class Executor(stock.Executor):
    """Descriptive statistics by TFDV, of an even sample of at most `statistics_rows` rows."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Draw, then let TFX's executor do its work.

        The share of the rows that was looked at is in the artifact's property
        `sample_rate_by_split`, where TFX has it as well; exact counts are in the quarantine report.
        """
        examples = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.EXAMPLES_KEY]
        )
        files = {
            split: sorted(fileio.glob(f"{artifact_utils.get_split_uri([examples], split)}/*"))
            for split in artifact_utils.decode_split_names(examples.split_names)
        }
        rows = {split: sample.count_rows(paths) for split, paths in files.items()}
        taken = sample.shares(rows, exec_properties[ROWS])
        rates = {split: taken[split] / rows[split] if rows[split] else 1.0 for split in rows}
        if taken != rows:
            examples = copy.deepcopy(examples)
            examples.uri = f"{self._get_tmp_dir().rstrip('/')}/sample"
            for split, paths in files.items():
                positions = sample.even_rows(rows[split], taken[split], exec_properties[SEED])
                folder = artifact_utils.get_split_uri([examples], split)
                sample.write_sample(paths, positions, f"{folder}/sample.parquet")
        inputs = {**input_dict, standard_component_specs.EXAMPLES_KEY: [examples]}
        super().Do(inputs, output_dict, exec_properties)
        if taken != rows:
            fileio.rmtree(examples.uri)
        statistics = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.STATISTICS_KEY]
        )
        statistics.set_json_value_custom_property(
            stock.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME, json_utils.dumps(rates)
        )
        statistics.set_int_custom_property("rows", sum(taken.values()))


# RatingsStatisticsGen: TFX's StatisticsGen with a bound on the rows that it looks at.


class RatingsStatisticsGenSpec(standard_component_specs.StatisticsGenSpec):
    """StatisticsGen with two parameters more."""

    PARAMETERS: ClassVar = {
        **standard_component_specs.StatisticsGenSpec.PARAMETERS,
        ROWS: ExecutionParameter(type=int),
        SEED: ExecutionParameter(type=int),
    }


class RatingsStatisticsGen(base_beam_component.BaseBeamComponent):
    """Descriptive statistics of all splits; the output `statistics` is as StatisticsGen's."""

    SPEC_CLASS = RatingsStatisticsGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

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
            ROWS: rows,
            SEED: seed,
            standard_component_specs.STATISTICS_KEY: channel.Channel(
                type=standard_artifacts.ExampleStatistics
            ),
        }
        super().__init__(spec=RatingsStatisticsGenSpec(**inputs))
