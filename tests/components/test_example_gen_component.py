"""RatingsExampleGen in a pipeline: stock StatisticsGen reads it, the cache and spans work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tfx.components import StatisticsGen
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from components.example_gen import RatingsExampleGen, split_pattern
from reelflow.base.errors import BadInput
from reelflow.config import DataConfig, SplitConfig
from tests.components.test_example_gen import HEADER, write_csv
from tests.reelflow.data.ingest.runs import split_rows


def example_gen(folder: Path | str) -> RatingsExampleGen:
    return RatingsExampleGen(
        data=DataConfig(partitions=2), split=SplitConfig(), input_base=str(folder)
    )


def run(out: Path, *components: BaseComponent) -> None:
    connection = metadata.sqlite_metadata_connection_config(str(out / "metadata.db"))
    pipeline = Pipeline(
        pipeline_name="test",
        pipeline_root=str(out),
        components=list(components),
        enable_cache=True,
        metadata_connection_config=connection,
    )
    LocalDagRunner().run(pipeline)


def artifacts(out: Path, type_name: str) -> list[object]:
    connection = metadata.sqlite_metadata_connection_config(str(out / "metadata.db"))
    with metadata.Metadata(connection) as handle:
        return list(handle.store.get_artifacts_by_type(type_name))


@pytest.mark.slow
def test_pipeline_with_stock_statistics_and_cache(tmp_path: Path) -> None:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    rows = write_csv(data)
    for _ in range(2):
        generated = example_gen(data)
        statistics = StatisticsGen(examples=generated.outputs["examples"])
        movies = StatisticsGen(examples=generated.outputs["catalogue"]).with_id("Movies")
        run(out, generated, statistics, movies)

    # The second run was taken from the cache.
    made = sorted((out / "RatingsExampleGen/examples").iterdir())
    assert len(made) == 1
    (path,) = out.glob("StatisticsGen/statistics/*/Split-train/FeatureStats.pb")
    stats = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets[0]
    assert stats.num_examples == len(split_rows(made[0], "train"))
    types = {feature.path.step[0]: feature.type for feature in stats.features}
    assert types == {"user_id": 2, "movie_id": 2, "rating": 1, "timestamp": 0}
    (path,) = out.glob("Movies/statistics/*/Split-movies/FeatureStats.pb")
    stats = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets[0]
    assert stats.num_examples == 100

    (quarantine,) = artifacts(out, "ReelflowQuarantine")
    assert quarantine.properties["rows"].int_value == 0  # type: ignore[attr-defined]
    # A changed file is seen by the driver.
    (data / "ratings.csv").write_bytes(HEADER + b"\n".join(rows[:-1]))
    run(out, example_gen(data))
    assert len(list((out / "RatingsExampleGen/examples").iterdir())) == 2


@pytest.mark.slow
def test_spans_are_read_and_cached(tmp_path: Path) -> None:
    written = []
    for number, count in ((1, 300), (2, 400)):
        folder = tmp_path / f"data/span-{number}/ratings"
        folder.mkdir(parents=True)
        written.append(write_csv(folder, count))
    both = len({tuple(row.split(b",")[:2]) for rows in written for row in rows})
    pattern = f"{tmp_path}/data/span-{{SPAN}}/ratings"

    def spans(**data: object) -> list[tuple[int, str]]:
        """Rows and newest span of all examples there are, after one more run."""
        config = DataConfig(partitions=2, **data)  # type: ignore[arg-type]
        run(tmp_path / "out", RatingsExampleGen(config, SplitConfig(), pattern))
        examples = [a for a in artifacts(tmp_path / "out", "Examples") if "/examples/" in a.uri]  # type: ignore[attr-defined]
        properties = [a.custom_properties for a in examples]  # type: ignore[attr-defined]
        assert [p["span"].int_value for p in properties] == [
            int(p["span_name"].string_value) for p in properties
        ]
        return [(p["rows"].int_value, p["span_name"].string_value) for p in properties]

    assert spans(spans=1) == [(400, "2")]
    # The same spans by another name come from the cache.
    assert spans(spans=1, span="2") == [(400, "2")]
    # Of a pair that is in both spans the last rating counts.
    assert spans() == [(400, "2"), (both, "2")]
    assert spans(span="1")[-1] == (300, "1")


@pytest.mark.slow
def test_bad_input_reaches_the_caller_and_evidence_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_csv(data)
    (data / "ratings.csv").write_bytes(HEADER + b"1,m1,good,1\n")
    with pytest.raises(BadInput, match="rating 1") as caught:
        run(tmp_path / "out", example_gen(data))

    evidence = next(word for word in caught.value.message.split() if "quarantine.tsv" in word)
    assert os.path.exists(evidence.rstrip(";"))


def test_missing_folder_in_a_pipeline(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        run(tmp_path / "out", example_gen(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/data/ml", ("/data/ml", "*")),
        ("/data/span-{SPAN}/v{VERSION}", ("/data", "span-{SPAN}/v{VERSION}/*")),
        ("/data/span-{SPAN}/", ("/data", "span-{SPAN}/*")),
        ("{SPAN}", (".", "{SPAN}/*")),
        ("gs://bucket/{YYYY}{MM}{DD}", ("gs://bucket", "{YYYY}{MM}{DD}/*")),
    ],
)
def test_placeholders(folder: str, expected: tuple[str, str]) -> None:
    assert split_pattern(folder) == expected


def test_what_rows_do_not_depend_on_keeps_the_cache() -> None:
    changed = DataConfig(path="elsewhere", span="7", spans=3, statistics_rows=5_000)
    properties = [
        RatingsExampleGen(data=data, split=SplitConfig(), input_base="x").exec_properties["data"]
        for data in (DataConfig(), changed)
    ]
    assert properties[0] == properties[1]
