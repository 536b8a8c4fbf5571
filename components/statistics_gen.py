"""RatingsStatisticsGen: TFX's StatisticsGen with a bound on the rows that it reads."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import (
    basic_stats_generator,
    top_k_uniques_sketch_stats_generator,
)
from tensorflow_metadata.proto.v0 import statistics_pb2
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

from reelflow.data.files import write
from reelflow.data.ingest import shards
from reelflow.data.ingest.ingestion import is_local
from reelflow.data.parquet import open_own

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
        """Choose rows, and have TFDV look at them: here, or where Beam runs if that is elsewhere.

        The share of the rows that was read is in the artifact's property `sample_rate_by_split`,
        where TFX has it as well; exact counts are in the quarantine's `report.json`.
        """
        [examples], [statistics] = input_dict[specs.EXAMPLES_KEY], output_dict[specs.STATISTICS_KEY]
        excluded = json_utils.loads(exec_properties[specs.EXCLUDE_SPLITS_KEY]) or []
        files = {
            split: sorted(fileio.glob(f"{artifact_utils.get_split_uri([examples], split)}/*"))
            for split in artifact_utils.decode_split_names(examples.split_names)
            if split not in excluded
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
                files[split] = [f"{folder}/subset.parquet"]
                shards.write_subset(paths, positions, files[split][0])
        if is_local(self._make_beam_pipeline()):
            statistics.split_names = artifact_utils.encode_split_names([*files])
            statistics.span = examples.span
            for split, paths in files.items():
                folder = artifact_utils.get_split_uri([statistics], split)
                found = describe(paths).SerializeToString()
                fileio.makedirs(folder)
                write(os.path.join(folder, stock.DEFAULT_FILE_NAME), found)
        else:
            inputs = {**input_dict, specs.EXAMPLES_KEY: [examples]}
            super().Do(inputs, output_dict, exec_properties)
        if drawn != rows:
            fileio.rmtree(examples.uri)
        statistics.set_json_value_custom_property(
            stock.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME, json_utils.dumps(rates)
        )
        statistics.set_int_custom_property("rows", sum(drawn.values()))


def describe(paths: Sequence[str]) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Compute TFDV's default statistics of Parquet files, in memory and without Beam.

    They are those of `tfdv.GenerateStatistics`, which builds and walks a graph of a hundred steps,
    but for the last digits of sums and, beyond some ten thousand rows, of the approximate
    quantiles. Values are counted by TFDV's sketches, as nothing else works without Beam, with more
    buckets than there can be values, so that the counts are exact.
    """
    table = pa.concat_tables([open_own(path).read() for path in paths]).combine_chunks()
    arrays = [
        column.chunk(0) if column.num_chunks else pa.array([], column.type)
        for column in table.columns
    ]
    batch = pa.RecordBatch.from_arrays(arrays, schema=table.schema)
    buckets = 1 + sum(len(array.flatten()) for array in arrays)
    asked = tfdv.StatsOptions()
    basic = basic_stats_generator.BasicStatsGenerator(
        num_values_histogram_buckets=asked.num_values_histogram_buckets,
        num_histogram_buckets=asked.num_histogram_buckets,
        num_quantiles_histogram_buckets=asked.num_quantiles_histogram_buckets,
        epsilon=asked.epsilon,
    )
    counted = top_k_uniques_sketch_stats_generator.TopKUniquesSketchStatsGenerator(
        num_top_values=asked.num_top_values,
        num_rank_histogram_buckets=asked.num_rank_histogram_buckets,
        num_misragries_buckets=buckets,
        num_kmv_buckets=buckets,
    )
    options = tfdv.StatsOptions(generators=[basic, counted], add_default_generators=False)
    return stats_impl.generate_statistics_in_memory(batch, options)


class RatingsStatisticsGenSpec(specs.StatisticsGenSpec):
    """StatisticsGen's with two parameters more."""

    PARAMETERS: ClassVar = {
        **specs.StatisticsGenSpec.PARAMETERS,
        ROWS: ExecutionParameter(type=int),
        SEED: ExecutionParameter(type=int),
    }


class RatingsStatisticsGen(BaseBeamComponent):
    """Descriptive statistics of the splits; the output `statistics` is as StatisticsGen's."""

    SPEC_CLASS = RatingsStatisticsGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(
        self, *, examples: BaseChannel, rows: int, seed: int, exclude_splits: Sequence[str] = ()
    ) -> None:
        """Describe the node.

        Args:
            examples: ExampleGen's ratings, or its catalogue, as Parquet.
            rows: most rows to read, in all splits together, evenly spread.
            seed: of the choice of rows.
            exclude_splits: splits to leave out.
        """
        spec = RatingsStatisticsGenSpec(
            examples=examples,
            exclude_splits=json_utils.dumps([*exclude_splits]),
            statistics_rows=rows,
            seed=seed,
            statistics=Channel(type=standard_artifacts.ExampleStatistics),
        )
        super().__init__(spec=spec)
