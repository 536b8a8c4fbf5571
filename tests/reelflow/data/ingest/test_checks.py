"""What stops a run is found by counts alone, before anything is learned."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from reelflow.config import DataConfig, SplitConfig
from reelflow.data import schema
from reelflow.data.ingest.checks import DataRefused, Finding, find_problems, refuse
from reelflow.data.ingest.results import IngestSummary
from tests.ingested import ingest_summary

CLEAN: dict[str, Any] = {"quarantined": {}, "read": 10, "train": 6, "test": 2}
ROWS = {"read": 10, "kept": 8, "train": 5, "validation": 1, "test": 2}
TABLE: dict[str, Any] = {
    "file": "movies.csv",
    "what": "movies",
    "form": "text",
    "encoding": "utf-8",
    "delimiter": ",",
    "header": True,
    "columns": {"movie_id": "id"},
    "rows": 10,
}


def found(**changes: Any) -> list[Finding]:
    summary = ingest_summary(**{**CLEAN, "rows": ROWS, **changes})
    return find_problems(summary, DataConfig(), SplitConfig(), file="q.tsv")


def test_clean_data_have_no_findings() -> None:
    assert found(tables=[{**TABLE, "kept": 9, "quarantined": {"columns": 1}}]) == []
    assert found(times=(0, schema.TIMES[1]), known_test=1) == []
    assert refuse([]) == []


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"rows": dict.fromkeys(ROWS, 0)}, "no_row", "no ratings in ratings.csv"),
        (
            {"rows": {**dict.fromkeys(ROWS, 0), "read": 3}, "quarantined": {"rating": 3}},
            "no_valid_row",
            "none of the 3 ratings in ratings.csv is left: rating 3",
        ),
        (
            {"rows": {**dict.fromkeys(ROWS, 0), "read": 3}, "filtered": {"since": 3}},
            "no_valid_row",
            "data.since 3",
        ),
        ({"quarantined": {"rating": 2}}, "damaged_rows", "2 of 10 rows are damaged"),
        (
            {"tables": [{**TABLE, "kept": 8, "quarantined": {"columns": 2}}]},
            "damaged_rows",
            r"movies, movies\.csv: 2 of 10 rows are damaged \(20\.00%\).*columns 2.*q\.tsv",
        ),
        (
            {"times": (5, 1_600_000_000_000)},
            "times",
            "go from 5 to 1,600,000,000,000; .* milliseconds: divide by 1,000",
        ),
        ({"times": (-5, 5)}, "times", "seconds since 1970 are 0 to"),
        ({"rows": {**ROWS, "test": 0}}, "empty_split", "the test split is empty"),
        ({"rows": {**ROWS, "validation": 0}}, "empty_split", "the validation split is empty"),
        ({"known_test": 0}, "unknown_users", "none of the 2 test ratings"),
    ],
)
def test_each_refusal(changes: dict[str, Any], kind: str, words: str) -> None:
    (finding,) = found(**changes)
    assert finding.kind == kind
    with pytest.raises(DataRefused, match=words):
        refuse([finding])


def test_a_scale_that_is_cut_names_its_setting() -> None:
    scale = {
        **ingest_summary().ratings.model_dump(),
        "accepted_max": 5,
        "above": {"rows": 2, "lowest": 6, "highest": 10},
        "below": {"rows": 1, "lowest": 0, "highest": 0},
    }
    (finding,) = found(quarantined={"rating_range": 3}, ratings=scale)
    assert "data.rating_max = 10 and data.rating_min = 0" in finding.text
    assert '"not rated", as 0, goes into data.unrated' in finding.text


def shared(rows: int, spans: bool = False) -> dict[str, Any]:
    return {"files": ["a.csv", "b.csv"], "rows": rows, "of": [9, 4], "spans": spans}


def test_files_that_share_rows() -> None:
    (some,) = found(shared=[shared(3)])
    assert some.warning
    assert "3 rows of a.csv (9) are also in b.csv (4), and count once" in some.text
    (whole,) = found(shared=[shared(4)])
    assert not whole.warning
    assert "all 4 rows of b.csv are also in a.csv (9 rows)" in whole.text
    assert 'Set data.ratings = "a.csv"' in whole.text
    # A span may hold all of the one before it.
    assert found(shared=[shared(4, spans=True)])[0].warning


def test_files_of_events_and_counts_that_share_rows() -> None:
    scale = {**ingest_summary().ratings.model_dump(), "feedback": "counts"}
    (chance,) = found(shared=[shared(4)], ratings=scale)
    assert chance.warning
    assert "are added up" in chance.text
    (whole,) = found(shared=[shared(4)], ratings=scale, times=(1, 2))
    assert not whole.warning


def test_files_of_the_same_name() -> None:
    (same,) = found(files=["a.csv", "a.csv.gz", "b.csv"])
    assert same.warning
    assert "a.csv and a.csv.gz have the same name" in same.text
    both = {**shared(1), "files": ["a.csv", "a.csv.gz"]}
    assert len(found(files=["a.csv", "a.csv.gz"], shared=[both])) == 1


def test_lists_that_are_too_long() -> None:
    genres = pa.array([["a"], [str(i) for i in range(schema.LONGEST_LIST + 1)]])
    movies = pa.table({"movie_id": ["1", "2"], "genres": genres})
    summary = ingest_summary(rows=ROWS, quarantined={})
    (finding,) = find_problems(summary, DataConfig(), SplitConfig(), movies)
    assert finding.where == "movies, column genres"
    assert "movie 2 has 1,025" in finding.text


def test_all_come_at_once() -> None:
    with pytest.raises(DataRefused) as refusal:
        refuse(found(times=(-1, 5), quarantined={"rating": 9}, known_test=0))
    assert len(refusal.value.reasons) == 3
    assert refusal.value.exit_code == 2


def test_stars_that_do_not_vary_are_a_warning() -> None:
    scale = {**ingest_summary().ratings.model_dump(), "lowest": 3, "highest": 3}
    (finding,) = found(ratings=scale)
    assert finding.warning
    assert "every rating that is kept is 3" in finding.text


def test_a_summary_of_older_versions_is_read() -> None:
    old = ingest_summary().model_dump(mode="json")
    for key in ("pairs", "filtered", "shared", "times", "known_test", "years_dropped"):
        old.pop(key)
    assert IngestSummary.model_validate(old) == ingest_summary()
