"""The schemas against what ExampleGen writes, by the stock components."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from reelflow.base import columns as features
from reelflow.data import schema as ratings_schema
from reelflow.data.schema import curated_schema

ROWS = 60
Found = dict[str, set[tuple[str, int]]]
Info = anomalies_pb2.AnomalyInfo


def test_describe_every_column_once() -> None:
    assert _names("ratings") == sorted(features.RATINGS_COLUMNS)
    inputs = {features.USER_ID, features.TIMESTAMP}
    assert _names("movies") == sorted(
        {*features.MOVIES_COLUMNS, features.FEATURES, *inputs, *ratings_schema.USERS.names}
    )


def test_refuse_an_unknown_name() -> None:
    with pytest.raises(FileNotFoundError, match="tags"):
        curated_schema("tags")


def test_no_feature_has_a_fixed_shape() -> None:
    """Transform reads nulls in every column of the catalogue."""
    assert not any(feature.HasField("shape") for feature in _schema("movies").feature)


@pytest.mark.slow
class TestStockComponents:
    """StatisticsGen and ExampleValidator as they come, on Parquet with list columns."""

    def test_pass_good_ratings(self, tmp_path: Path) -> None:
        splits = {
            "train": _ratings(),
            "validation": _ratings(timestamp=[None] * ROWS),
            "test": _ratings(rating=[[x] for x in [0.5, -10.0, 10.0, 100.0] * (ROWS // 4)]),
        }
        found = _validate(tmp_path, splits, "ratings")
        assert found == {"train": set(), "validation": set(), "test": set()}

    def test_stop_bad_ratings(self, tmp_path: Path) -> None:
        splits = {
            "missing": _ratings(rating=[[1.0] if row % 2 else None for row in range(ROWS)]),
            "values": _ratings(
                rating=[[float("nan")], [float("inf")]] * (ROWS // 2), timestamp=[[-1]] * ROWS
            ),
            "two": _ratings(movie_id=[["1", "2"]] * ROWS),
            "column": _ratings().drop(["user_id"]),
            "milliseconds": _ratings(timestamp=[[1_500_000_000_000]] * ROWS),
        }
        assert _validate(tmp_path, splits, "ratings") == {
            "missing": {("rating", Info.FEATURE_TYPE_LOW_FRACTION_PRESENT)},
            "values": {
                ("rating", Info.FLOAT_TYPE_HAS_NAN),
                ("rating", Info.FLOAT_TYPE_HAS_INF),
                ("timestamp", Info.INT_TYPE_SMALL_INT),
            },
            "two": {("movie_id", Info.FEATURE_TYPE_HIGH_NUMBER_VALUES)},
            "column": {("user_id", Info.SCHEMA_MISSING_COLUMN)},
            "milliseconds": {("timestamp", Info.INT_TYPE_BIG_INT)},
        }

    def test_judge_movies(self, tmp_path: Path) -> None:
        splits = {
            "movies": _movies(),
            "years": _movies(year=[[-5_000], [1995]] * (ROWS // 2)),
            "ids": _movies(movie_id=[["1"], None] * (ROWS // 2)),
            "users": _users(),
        }
        assert _validate(tmp_path, splits, "movies", exclude=["users"]) == {
            "movies": set(),
            "years": {("year", Info.INT_TYPE_SMALL_INT)},
            "ids": {("movie_id", Info.FEATURE_TYPE_LOW_FRACTION_PRESENT)},
        }

    def test_environments_and_comparators(self) -> None:
        """What ExampleValidator leaves aside, TFDV itself can use."""
        import tensorflow_data_validation as tfdv

        movies = _schema("movies")
        for table, environment in ((_movies(), "MOVIES"), (_users(), "USERS")):
            statistics = _statistics(table)
            found = tfdv.validate_statistics(statistics, movies, environment=environment)
            assert not found.anomaly_info
        previous, now = (_statistics(_ratings(rating=[[x]] * ROWS)) for x in (1.0, 5.0))
        drifted = tfdv.validate_statistics(
            now, _schema("ratings"), environment="TRAINING", previous_statistics=previous
        )
        assert set(drifted.anomaly_info) == {"rating"}


def _schema(name: str) -> schema_pb2.Schema:
    return text_format.Parse(curated_schema(name).read_text("utf-8"), schema_pb2.Schema())


def _names(name: str) -> list[str]:
    return sorted(feature.name for feature in _schema(name).feature)


def _table(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    types = {"rating": pa.float32(), "timestamp": pa.int64(), "year": pa.int64()}
    return pa.table(
        {
            name: pa.array(values, pa.list_(types.get(name, pa.string())))
            for name, values in columns.items()
        }
    )


def _ratings(**columns: Sequence[Any]) -> pa.Table:
    rows = range(ROWS)
    good = {
        "user_id": [[str(row % 7)] for row in rows],
        "movie_id": [[str(row % 11)] for row in rows],
        "rating": [[0.5 + row % 10 / 2] for row in rows],
        "timestamp": [[1_000_000_000 + row] for row in rows],
    }
    return _table({**good, **columns})


def _movies(**columns: Sequence[Any]) -> pa.Table:
    rows = range(ROWS)
    good = {
        "movie_id": [[str(row)] for row in rows],
        "title": [[f"Movie {row}"] for row in rows],
        "genres": [["Comedy", "Drama"] if row % 3 else [] for row in rows],
        "year": [[1874 + row] if row % 5 else None for row in rows],
        "user_id": [None] * ROWS,
        "timestamp": [None] * ROWS,
    }
    return _table({**good, **columns})


def _users() -> pa.Table:
    none = dict.fromkeys(("movie_id", "title", "genres", "year"), [None] * ROWS)
    users = [[str(row)] for row in range(ROWS)]
    return _table({**none, "user_id": users, "timestamp": [[1, 2]] * ROWS})


def _statistics(table: pa.Table) -> Any:
    import tensorflow_data_validation as tfdv
    from tensorflow_data_validation.statistics import stats_impl

    (batch,) = table.to_batches()
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())


def _validate(
    folder: Path, splits: Mapping[str, pa.Table], name: str, exclude: Sequence[str] = ()
) -> Found:
    """Anomalies (column, kind) by split, from StatisticsGen and ExampleValidator."""
    from tfx.components.example_validator import executor as example_validator
    from tfx.components.statistics_gen import executor as statistics_gen
    from tfx.components.util import examples_utils
    from tfx.proto import example_gen_pb2
    from tfx.types import artifact_utils, standard_artifacts

    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples.span = 0
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET)
    for split, table in splits.items():
        file = folder / "examples" / f"Split-{split}" / "ratings-00000-of-00001.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(table, file)
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / "statistics")
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    Path(schema.uri).mkdir()
    shutil.copy(curated_schema(name), schema.uri)
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(folder / "anomalies")
    context = statistics_gen.Executor.Context(
        beam_pipeline_args=["--runner=DirectRunner"], tmp_dir=str(folder), unique_id="1"
    )
    excluded = {"exclude_splits": json.dumps(list(exclude))}
    statistics_gen.Executor(context).Do(
        {"examples": [examples]}, {"statistics": [statistics]}, excluded
    )
    example_validator.Executor().Do(
        {"statistics": [statistics], "schema": [schema]}, {"anomalies": [anomalies]}, excluded
    )
    found: Found = {}
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        file = folder / "anomalies" / f"Split-{split}" / "SchemaDiff.pb"
        infos = anomalies_pb2.Anomalies.FromString(file.read_bytes()).anomaly_info
        found[split] = {(column, why.type) for column in infos for why in infos[column].reason}
    return found


def test_bounds_that_ingestion_knows_are_the_schemas() -> None:
    ratings, movies = _schema("ratings"), _schema("movies")
    domains = {
        feature.name: (feature.int_domain.min, feature.int_domain.max)
        for part in (ratings, movies)
        for feature in part.feature
        if feature.HasField("int_domain")
    }
    longest = {feature.name: feature.value_count.max for feature in movies.feature}
    assert domains["timestamp"] == ratings_schema.TIMES
    assert domains["year"] == ratings_schema.YEARS
    assert longest["genres"] == longest["features"] == ratings_schema.LONGEST_LIST
