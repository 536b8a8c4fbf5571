"""RatingsStatisticsGen's executor: TFDV's statistics, of all rows or of a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tfx.v1")

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow_data_validation as tfdv
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from components import statistics_gen
from components.statistics_gen import Executor
from reelflow.base import columns as f
from tests.encoded_data import random_rows, ratings_batch

pytestmark = pytest.mark.slow

ROWS = {f.TRAIN: 80, f.VALIDATION: 12, f.TEST: 8}


def _examples(folder: Path) -> standard_artifacts.Examples:
    examples = standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = artifact_utils.encode_split_names(list(ROWS))
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET)
    examples_utils.set_file_format(examples, "FILE_FORMAT_PARQUET")
    for split, count in ROWS.items():
        path = folder / f"Split-{split}" / "ratings-00000-of-00001.parquet"
        path.parent.mkdir(parents=True)
        batch = ratings_batch(random_rows(count, seed=1))
        pq.write_table(pa.Table.from_batches([batch]), path)
    return examples


@pytest.mark.parametrize(("most", "looked_at"), [(100, ROWS), (50, {"train": 40, "test": 4})])
def test_statistics_of_at_most_so_many_rows(
    tmp_path: Path, most: int, looked_at: dict[str, int]
) -> None:
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(tmp_path / "statistics")
    properties: dict[str, Any] = {"exclude_splits": "[]", "statistics_rows": most, "seed": 0}
    context = Executor.Context(tmp_dir=str(tmp_path / "tmp"), unique_id="1", beam_pipeline_args=[])
    inputs = {"examples": [_examples(tmp_path / "examples")]}
    Executor(context).Do(inputs, {"statistics": [statistics]}, properties)
    for split, rows in looked_at.items():
        path = Path(statistics.uri) / f"Split-{split}" / "FeatureStats.pb"
        [dataset] = tfdv.load_stats_binary(str(path)).datasets
        assert dataset.num_examples == rows
        assert {feature.path.step[0] for feature in dataset.features} == set(f.RATINGS_COLUMNS)
    rates = json.loads(statistics.get_json_value_custom_property("sample_rate_by_split"))
    assert rates == dict.fromkeys(ROWS, most / 100)
    assert not list((tmp_path / "tmp").rglob("*.parquet"))


def test_the_statistics_in_memory_are_those_by_beam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = _examples(tmp_path / "examples")
    found = []
    for local in (True, False):
        monkeypatch.setattr(statistics_gen, "is_local", lambda _, local=local: local)
        statistics = standard_artifacts.ExampleStatistics()
        statistics.uri = str(tmp_path / f"statistics-{local}")
        context = Executor.Context(
            tmp_dir=str(tmp_path / "tmp"), unique_id="1", beam_pipeline_args=[]
        )
        properties = {"exclude_splits": '["test"]', "statistics_rows": 100, "seed": 0}
        Executor(context).Do({"examples": [examples]}, {"statistics": [statistics]}, properties)
        assert artifact_utils.decode_split_names(statistics.split_names) == [f.TRAIN, f.VALIDATION]
        paths = sorted(Path(statistics.uri).rglob("FeatureStats.pb"))
        found.append([tfdv.load_stats_binary(str(path)) for path in paths])
    assert len(found[0]) == 2
    assert found[0] == found[1]
