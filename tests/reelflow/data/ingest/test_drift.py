"""Drift that can be worked out: distributions with known distances."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reelflow.config import DataConfig, SplitConfig
from reelflow.data.ingest.checks import drift_reasons
from reelflow.data.ingest.drift import changes, read_subset, statistics
from reelflow.data.ingest.results import Change, DriftReport, IngestSummary
from reelflow.data.schema import curated_schema, single_values
from reelflow.data.spans import Span, Window, find_window
from tests.ingested import ingest_summary

pytestmark = pytest.mark.slow


def batch(stars: list[float], movies: list[str], users: list[str] | None = None) -> pa.RecordBatch:
    users = users or [f"u{i}" for i in range(len(stars))]
    genres = pa.array([["Drama"] if movie < "m5" else ["Comedy"] for movie in movies])
    columns = {
        "user_id": single_values(pa.array(users)),
        "movie_id": single_values(pa.array(movies)),
        "rating": single_values(pa.array(stars, pa.float32())),
        "genres": genres,
        "year": single_values(pa.array([2000] * len(stars), pa.int64())),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def test_changes_have_their_known_size() -> None:
    from tests.reelflow.data.ingest.protos import schema

    both = [schema(name) for name in ("ratings", "movies")]
    movies = [f"m{i % 10}" for i in range(1_000)]
    before = batch([float(1 + i % 5) for i in range(1_000)], movies)
    same = {c.column: c for c in changes(before, before, None, both)}
    assert set(same) == {"user_id", "movie_id", "rating", "genres", "year"}
    assert all(c.value == pytest.approx(0.0, abs=1e-6) for c in same.values())
    assert not any(c.exceeded for c in same.values())

    # Half of all ratings go to one movie now: its share rises from 0.1 to 0.5.
    now = batch([5.0] * 1_000, [movie if i % 2 else "m0" for i, movie in enumerate(movies)])
    found = {(c.column, c.kind): c for c in changes(now, before, statistics(before), both)}
    assert found["movie_id", "drift"].value == pytest.approx(0.4, abs=0.01)
    assert found["movie_id", "drift"].exceeded
    assert found["movie_id", "skew"].value == pytest.approx(0.4, abs=0.01)
    assert found["rating", "drift"].exceeded
    assert found["rating", "skew"].exceeded
    assert not found["user_id", "drift"].exceeded
    assert found["genres", "drift"].value == pytest.approx(0.2, abs=0.01)
    assert "movie_id has changed against the span before" in str(found["movie_id", "drift"])


def test_a_span_is_sampled_evenly(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        rows = "".join(f"u{i},m{number},{1 + i % 5},{i}\n" for i in range(5_000))
        (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}x,m1,9,1\n")
        (folder / "movies.csv").write_text(f"movieId,title,genres\nm{number},A (1990),Drama\n")
    window = find_window(str(tmp_path / "{SPAN}"), count=1)
    data = DataConfig(statistics_rows=1_000, chunk_bytes=20_000, rating_max=5)
    rows = read_subset(window.newest, window, data, SplitConfig())
    assert 500 < rows.num_rows <= 1_000
    users = [user for (user,) in rows.column(0).to_pylist()]
    numbers = np.array([int(user[1:]) for user in users])
    assert np.unique(np.diff(numbers)).tolist() == [8]
    assert set(map(tuple, rows.column(3).to_pylist())) == {("Drama",)}
    assert rows.column(4)[0].as_py() == [1990]
    before = read_subset(window.earlier[0], window, DataConfig(rating_max=5), SplitConfig())
    assert before.num_rows == 5_000


def test_drift_can_be_a_gate() -> None:
    change = Change("rating", "drift", "L-infinity", 0.4, 0.2)
    drift = DriftReport(
        newest="2", previous="1", changes=(change, replace(change, kind="skew", value=0.9))
    )
    assert drift_reasons(drift, None) == []
    assert drift_reasons(drift, 0.5) == []
    (reason,) = drift_reasons(drift, 0.3)
    assert reason.where == "span 2, column rating"
    assert "0.400 against span 1" in str(reason)
    assert drift_reasons(None, 0.3) == []


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    change = Change("rating", "drift", "L-infinity", 0.4, 0.3)
    drift = DriftReport(newest="2", previous="1", rows={"1": 10, "2": 20}, changes=(change,))
    drift.write(tmp_path)
    assert DriftReport.read(tmp_path) == drift
    assert json.loads((tmp_path / "drift.json").read_text()) == {
        "newest": "2",
        "previous": "1",
        "rows": {"1": 10, "2": 20},
        "changes": [{**asdict(change), "exceeded": True}],
        "warnings": [str(change)],
    }
    span = Span(1, "1", "/data/1")
    summary = ingest_summary(span="1", spans=["1"], window=Window((span,), (), "/data"))
    summary.write(tmp_path)
    assert IngestSummary.read(tmp_path) == summary
    text = (tmp_path / "report.json").read_text()
    assert text.endswith("}\n")
    assert list(json.loads(text))[:6] == [
        "format", "synthetic", "span", "spans", "window", "files"
    ]  # fmt: skip
    assert json.loads(text)["window"] == {
        "spans": [asdict(span)],
        "earlier": [],
        "above": "/data",
    }


def test_the_executor_tells_and_the_first_span_has_no_rival(tmp_path: Path) -> None:
    from tests.reelflow.data.ingest.protos import execute

    for number, stars in ((1, "1"), (2, "5")):
        folder = tmp_path / "data" / str(number)
        folder.mkdir(parents=True)
        rows = "".join(f"u{i},m1,{stars},{i}\n" for i in range(100))
        (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}")
        (folder / "movies.csv").write_text("movieId,title,genres\nm1,A (1990),Drama\n")
    path = str(tmp_path / "data" / "{SPAN}")
    first = execute(tmp_path / "first", find_window(path, "1"))
    assert first["previous"] is None
    assert first["warnings"] == []
    report = execute(tmp_path / "both", find_window(path))
    assert (report["newest"], report["previous"]) == ("2", "1")
    assert report["rows"] == {"1": 100, "2": 100}
    assert any("rating has changed against the span before" in w for w in report["warnings"])
    assert json.loads(json.dumps(report)) == report


def test_every_comparator_is_in_a_schema() -> None:
    for name in ("ratings", "movies"):
        assert "drift_comparator" in curated_schema(name).read_text()
