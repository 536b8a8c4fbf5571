"""RatingsStatisticsGen: TFX's StatisticsGen with a bound on the rows that it reads."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Final

from tfx.components.statistics_gen import executor as stock
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.types.artifact import Artifact
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ExecutionParameter
from tfx.utils import json_utils

from reelflow.data.ingest import shards

ROWS: Final = "statistics_rows"
SEED: Final = "seed"


class Executor(stock.Executor):
    """Descriptive statistics by TFDV, of at most `statistics_rows` evenly spread rows."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Choose rows, then let TFX's executor do its work.

        The share of the rows that was read is in the artifact's property `sample_rate_by_split`,
        where TFX has it as well; exact counts are in the quarantine's `report.json`.
        """
        [examples], [statistics] = input_dict[specs.EXAMPLES_KEY], output_dict[specs.STATISTICS_KEY]
        files = {
            split: sorted(fileio.glob(f"{artifact_utils.get_split_uri([examples], split)}/*"))
            for split in artifact_utils.decode_split_names(examples.split_names)
        }
        rows = {split: shards.count_rows(paths) for split, paths in files.items()}
        drawn = shards.shares(rows, exec_properties[ROWS])
        rates = {split: drawn[split] / rows[split] if rows[split] else 1.0 for split in rows}
        if drawn != rows:
            examples = copy.deepcopy(examples)
            examples.uri = f"{self._get_tmp_dir().rstrip('/')}/subset"
            for split, paths in files.items():
                positions = shards.even_rows(rows[split], drawn[split], exec_properties[SEED])
                folder = artifact_utils.get_split_uri([examples], split)
                shards.write_subset(paths, positions, f"{folder}/subset.parquet")
        inputs = {**input_dict, specs.EXAMPLES_KEY: [examples]}
        super().Do(inputs, output_dict, exec_properties)
        if drawn != rows:
            fileio.rmtree(examples.uri)
        statistics.set_json_value_custom_property(
            stock.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME, json_utils.dumps(rates)
        )
        statistics.set_int_custom_property("rows", sum(drawn.values()))


class RatingsStatisticsGenSpec(specs.StatisticsGenSpec):
    """StatisticsGen's with two parameters more."""

    PARAMETERS: ClassVar = {
        **specs.StatisticsGenSpec.PARAMETERS,
        ROWS: ExecutionParameter(type=int),
        SEED: ExecutionParameter(type=int),
    }


class RatingsStatisticsGen(BaseBeamComponent):
    """Descriptive statistics of all splits; the output `statistics` is as StatisticsGen's."""

    SPEC_CLASS = RatingsStatisticsGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(self, *, examples: BaseChannel, rows: int, seed: int) -> None:
        """Describe the node.

        Args:
            examples: ExampleGen's ratings, as Parquet.
            rows: most rows to read, in all splits together, evenly spread.
            seed: of the choice of rows.
        """
        spec = RatingsStatisticsGenSpec(
            examples=examples,
            exclude_splits=json_utils.dumps([]),
            statistics_rows=rows,
            seed=seed,
            statistics=Channel(type=standard_artifacts.ExampleStatistics),
        )
        super().__init__(spec=spec)
