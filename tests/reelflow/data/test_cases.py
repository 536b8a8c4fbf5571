"""Every folder of ../shared/cases behaves as its `right.txt` asks, in inspect and in run alike.

Each case is an example of a kind; the kinds themselves are tested without the folder, by files made
up in the tests of their subject. Without the folder this is skipped.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from reelflow.base.errors import BadInput
from reelflow.config.loading import load
from reelflow.data.ingest.results import IngestSummary
from reelflow.data.inputs import open_data
from reelflow.data.inspection import inspect
from tests.reelflow.data.ingest.runs import execute

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")


class Case(NamedTuple):
    """What is right for a case."""

    code: int
    """Exit code of inspect: 0, or 2 where a run would refuse."""
    says: Sequence[str]
    """Words of its page or error, line breaks not counted."""
    kept: int | None = None
    """Rows that a run keeps; None: it reads none."""
    settings: Sequence[str] = ()
    """Further settings."""
    not_says: Sequence[str] = ()


RIGHT: dict[str, Case] = {
    "counts-above-100": Case(0, ["Ratings go from 97 to 485"], 25),
    "cr-line-endings": Case(2, ["lines that end with carriage returns", "2 read, 2 kept"], 2),
    "dat-0-to-10-utf8": Case(0, ["go from 2 to 10", "data.rating_max = 10", "Café Zwölf"], 25),
    "date-column": Case(0, ["timestamp = Date", "2021-03-11 to 2021-03-15"], 25),
    "films-id-named-otherwise": Case(0, ["Film 11"], 25, not_says=["imdb_id ="]),
    "films-one-short-line": Case(2, ["4 of 5 rows kept", "movies.csv:3", "unknown_movie 5"], 20),
    "float-ids": Case(2, ["11.0 is not in the movies' file, but 11 is"], 0),
    "float-timestamps": Case(2, ["20 read, 20 kept", "the validation split is empty"], 20),
    "genres-not-pipe": Case(0, ["5 different; Drama 5"], 25),
    "gz-beside-plain": Case(0, ["Not read: ratings.csv.gz", "data.ratings says which"], 25),
    "implicit-no-rating": Case(0, ["Every row is an event"], 25),
    "implicit-zero": Case(0, ["0 (68%)", "data.unrated = 0"], 25),
    "iso-timestamps": Case(0, ["ISO 8601", "2021-03-01 to 2021-03-05"], 21),
    "json-lines": Case(0, ["JSON lines"], 25),
    "ms-timestamps": Case(0, ["milliseconds", "2020-09-13"], 25),
    "no-header": Case(2, ["first line looks like data", "data.header = false"]),
    "original-netflix": Case(0, ["Netflix Prize", "One, Two, Three", "Café"], 20),
    "parquet": Case(2, ["Parquet", "100 read, 25 kept", "duplicate 75"], 25),
    "product-book-names": Case(0, ["movie_id = ProductId"], 25),
    "recbole-atomic": Case(0, ["user_id = user_id"], 25),
    "repeated-pairs": Case(
        0, ["14 pairs of user and movie have more than one rating", "only the last one counts"], 14
    ),
    "small-catalogue": Case(0, ["is not gated: the catalogue has 6 movies"], 29),
    "two-columns-one-header": Case(2, ["both mapped to artistID"]),
    "unrated-minus-one": Case(0, ["data.unrated = -1"], 25),
    "wrong-hint": Case(2, ['rating = "weight"'], not_says=['rating = "artistID"']),
    "zip-unopened": Case(2, ["ml-toy.zip!ml-toy/ratings.csv", "25 read"], 5),
}


def names() -> list[str]:
    return sorted(path.name for path in CASES.iterdir()) if CASES.is_dir() else []


def arguments(name: str) -> list[str]:
    """The case's command, as inspect."""
    words = shlex.split((CASES / name / "command.txt").read_text(), comments=True)[1:]
    if words[0] == "run":
        words = ["data", "inspect", "data"]
    return [*words, *(word for text in RIGHT[name].settings for word in ("--set", text))]


def test_every_case_is_known() -> None:
    assert names() == sorted(RIGHT)


@pytest.mark.parametrize("name", names())
def test_inspect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / name)
    result = CliRunner().invoke(app, arguments(name))
    page = " ".join(result.output.split())
    case = RIGHT[name]
    assert result.exit_code == case.code, result.output
    for words in case.says:
        assert words in page
    for words in case.not_says:
        assert words not in page


@pytest.mark.parametrize("name", names())
def test_a_run_does_what_inspect_says(name: str, tmp_path: Path) -> None:
    words = arguments(name)
    settings = [text for at, text in enumerate(words) if words[at - 1] == "--set"]
    config, folder = load(None, settings), CASES / name / "data"
    try:
        found = inspect(config, str(folder))
    except BadInput as error:
        message = str(error)
        with pytest.raises(BadInput, match=re.escape(message)):
            open_data(config, str(folder))
        assert RIGHT[name].kept is None
        return
    if RIGHT[name].kept is not None:
        assert found.summary.rows.kept == RIGHT[name].kept
    if found.refused:
        with pytest.raises(BadInput) as refusal:
            execute(tmp_path, folder, config.data, config.split)
        for problem in found.refused:
            assert problem.text.partition("The first of them")[0] in refusal.value.message
        return
    run = execute(tmp_path, folder, config.data, config.split)
    assert IngestSummary.read(run.artifacts["quarantine"].uri) == found.summary
