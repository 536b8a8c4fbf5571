"""Work that an engine does twice, or that two workers do at once, leaves what is right."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
import pytest

from reelflow.config import DataConfig, SplitConfig
from reelflow.data.formats.source import open_source
from reelflow.data.ingest import ingestion, scratch, steps
from reelflow.data.ingest.scratch import write_atomically
from reelflow.data.ingest.split import plan_split
from reelflow.data.ingest.steps import Folders, Job
from reelflow.data.parse import Rules
from reelflow.data.reading import plan_chunks
from reelflow.data.sample import write_sample
from tests.components.test_example_gen import write_csv
from tests.reelflow.data.ingest.runs import execute


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A small source in two partitions."""
    data, scratch = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    scratch.mkdir()
    write_csv(data)
    source = open_source(DataConfig(), str(data), SplitConfig())
    movies = source.read_movies()
    assert movies is not None
    return Job(
        source=source,
        data=DataConfig(partitions=2, chunk_bytes=10_000),
        rules=Rules.of(source, movies),
        plan=plan_split(SplitConfig(kind="random"), source),
        attributes=None,
        folders=Folders(
            examples=str(tmp_path / "examples"),
            catalogue=str(tmp_path / "catalogue"),
            quarantine=str(tmp_path / "quarantine"),
            scratch=str(scratch),
        ),
    )


def _parse(job: Job) -> dict[int, list[str]]:
    spilled: dict[int, list[str]] = {0: [], 1: []}
    for chunk in plan_chunks(job.source.ratings_files, job.data.chunk_bytes):
        for partition, path in steps.spill_chunk(chunk, job).spilled:
            spilled[partition].append(path)
    return spilled


def _finish(partition: int, paths: Iterable[str], job: Job) -> None:
    values = steps.gather_tallies(job).values
    arranged = steps.arrange_partition((partition, paths), job, values)
    ingestion.finish_partition(arranged, job)


def _files(job: Job) -> dict[str, bytes]:
    root = Path(job.folders.scratch).parent
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_doing_it_again_changes_no_byte(job: Job) -> None:
    spilled = _parse(job)
    for partition, paths in spilled.items():
        _finish(partition, paths, job)
    once = _files(job)
    assert _parse(job) == spilled
    for partition, paths in spilled.items():
        _finish(partition, reversed(paths), job)
    assert _files(job) == once
    assert steps.gather_tallies(job).read == 3_000


def test_unfinished_files_of_a_killed_worker_are_not_read(job: Job) -> None:
    """Killed in the middle of a write: what is there already stays whole, for whoever reads it."""
    spilled = _parse(job)
    _finish(0, spilled[0], job)
    before = _files(job)
    with (
        mock.patch.object(scratch.os, "replace", side_effect=SystemExit),
        pytest.raises(SystemExit),
    ):
        _finish(0, spilled[0], job)
    after = _files(job)
    left = set(after) - set(before)
    assert {name: after[name] for name in before} == before
    # What is unfinished lies in the working folder, which goes when the node has ended.
    assert all(name.startswith("work/unfinished-") for name in left)
    assert len(left) == 1
    _finish(1, spilled[1], job)
    assert steps.gather_tallies(job).rows[0] > 0
    for shard in (Path(job.folders.examples) / "Split-train").iterdir():
        assert pq.read_table(shard).num_rows > 0


def test_a_late_worker_makes_nothing_anew(tmp_path: Path) -> None:
    """When its node has ended, the working folder is gone, and so the write comes to nothing."""
    with pytest.raises(FileNotFoundError):
        write_atomically(str(tmp_path / "shard"), b"late", str(tmp_path / "gone"))
    assert not list(tmp_path.iterdir())


def test_one_chunk_needs_no_graph_and_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process does step by step is what Beam's graph does."""
    data = write_sample(tmp_path / "data", users=40, movies=90, ratings=900)
    built: list[int] = []
    graph = ingestion.build_graph

    def counted(*arguments: Any) -> None:
        built.append(1)
        graph(*arguments)

    monkeypatch.setattr(ingestion, "build_graph", counted)
    found = []
    for name, local in (("here", True), ("beam", False)):
        monkeypatch.setattr(ingestion, "is_local", lambda _, local=local: local)
        run = execute(tmp_path / name, data)
        files = sorted((tmp_path / name).rglob("*.parquet"))
        found.append({f.relative_to(tmp_path / name): f.read_bytes() for f in files})
        report = {key: value for key, value in run.report.items() if key != "files"}
        found[-1] |= {Path("report"): json.dumps(report).encode()}
        assert len(built) == (not local)
    assert found[0] == found[1]
    assert len(found[0]) > 20
