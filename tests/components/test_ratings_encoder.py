"""RatingsEncoder on artifacts: Parquet in, memory-mapped columns out."""

from __future__ import annotations

import functools
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact

from components import ratings_encoder as module
from components.artifacts import record_batches
from components.ratings_encoder import RatingsEncoder
from reelflow.base import columns as f
from reelflow.encoding import partitions
from reelflow.encoding.encoded import EncodedData
from tests.encoded_data import (
    Movie,
    encoded,
    movies_table,
    plain_graph,
    random_rows,
    ratings_batch,
    same,
    user_vocabulary,
)

MOVIES = [Movie(f"m{i:02d}") for i in range(14)]


def _artifact(uri: Path, splits: list[str]) -> Artifact:
    artifact = standard_artifacts.Examples()
    artifact.uri = str(uri)
    artifact.split_names = artifact_utils.encode_split_names(splits)
    return artifact


def _write(uri: Path, split: str, shards: list[pa.Table]) -> None:
    (uri / f"Split-{split}").mkdir(parents=True)
    for i, shard in enumerate(shards):
        pq.write_table(shard, uri / f"Split-{split}" / f"part-{i:05d}.parquet")


@pytest.mark.parametrize("way", ["in memory", "by parts", "by Beam"])
def test_every_shard_is_encoded(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "in memory":
        monkeypatch.setattr(module, "IN_MEMORY", 10)
    if way == "by Beam":
        monkeypatch.setattr(module, "is_local", lambda pipeline: False)
    train, test = random_rows(60, 0), random_rows(20, 1)
    graph = plain_graph(user_vocabulary(train), [x.movie_id for x in MOVIES], [])
    monkeypatch.setattr(module, "load_graph", lambda uri: graph)
    monkeypatch.setattr(partitions, "load_graph", lambda uri: graph)
    monkeypatch.setattr(module, "record_batches", functools.partial(record_batches, rows=7))
    shards = [pa.Table.from_batches([ratings_batch(rows)]) for rows in (train[:33], train[33:])]
    _write(tmp_path / "examples", f.TRAIN, shards)
    _write(tmp_path / "examples", f.VALIDATION, [])
    _write(tmp_path / "examples", f.TEST, [pa.Table.from_batches([ratings_batch(test)])])
    _write(tmp_path / "catalogue", f.MOVIES, [movies_table(MOVIES)])
    (tmp_path / "encoded").mkdir()
    output = _artifact(tmp_path / "encoded", [])
    RatingsEncoder.test_call(
        examples=_artifact(tmp_path / "examples", list(f.RATING_SPLITS)),
        catalogue=_artifact(tmp_path / "catalogue", list(f.CATALOGUE_SPLITS)),
        transform_graph=standard_artifacts.TransformGraph(),
        encoded=output,
        beam_pipeline=beam.Pipeline("FnApiRunner"),
    )
    found, expected = EncodedData.load(tmp_path / "encoded"), encoded(train, [], test, MOVIES)
    assert all(same(getattr(found, s), getattr(expected, s)) for s in f.RATING_SPLITS)
    assert found.catalogue.movie_id == expected.catalogue.movie_id
    assert output.get_int_custom_property("rows") == 80
    assert artifact_utils.decode_split_names(output.split_names) == [*f.RATING_SPLITS, f.MOVIES]


def test_the_component_takes_examples_and_graph() -> None:
    channels = {
        "examples": standard_artifacts.Examples,
        "catalogue": standard_artifacts.Examples,
        "transform_graph": standard_artifacts.TransformGraph,
    }
    from tfx.types import channel

    node = RatingsEncoder(**{name: channel.Channel(type=t) for name, t in channels.items()})
    assert set(node.inputs) == set(channels)
    assert node.outputs["encoded"].type is standard_artifacts.Examples
