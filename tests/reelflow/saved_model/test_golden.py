"""Golden requests: recording, reading back, and which answers count as the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelflow.saved_model.client import Signatures
from reelflow.saved_model.golden import (
    Golden,
    compare,
    known_users,
    read,
    record,
    uses_history,
    write,
)
from tests import tiny_model

TIE = 1e-6


def test_what_is_written_is_read(tmp_path: Path) -> None:
    model = tiny_model.TinyModel()
    golden = record(Signatures(model.signatures()), tiny_model.REQUESTS)
    file = tmp_path / "assets.extra/golden.json"
    write(file, golden)
    assert read(file) == golden
    assert {one.signature for one in golden} == {"serving_default", "rate", "similar", "evaluate"}


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "golden.json").write_text('[{"signature": "rate"}]')
    with pytest.raises(TypeError):
        read(tmp_path / "golden.json")


def test_golden_is_plain() -> None:
    assert Golden("rate", {}, {}) == Golden(signature="rate", inputs={}, outputs={})


def test_known_users_are_those_answered_as_such() -> None:
    model = tiny_model.TinyModel()
    golden = record(Signatures(model.signatures()), tiny_model.REQUESTS)
    assert known_users(golden) == ["1", "2", "3"]
    assert uses_history(golden)
    assert not uses_history(golden[:2])


def _movies(ids: str, scores: list[float], titles: str = "") -> dict[str, Any]:
    return {
        "movie_id": [list(ids)],
        "title": [list(titles or ids.upper())],
        "score": [scores],
        "source": ["user"],
    }


def _faults(known: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    return compare(Golden("serving_default", {}, known), answer)


def test_equal_answers() -> None:
    known = _movies("abc", [3.0, 2.0, 1.0])
    assert _faults(known, _movies("abc", [3.0, 2.0 + TIE, 1.0])) == []


@pytest.mark.parametrize(
    ("ids", "scores", "faults"),
    [
        ("bac", [2.0, 2.0 - TIE, 1.0], 0),  # a tie turned over
        ("acb", [2.0, 2.0 - TIE, 1.0], 1),  # "c" is no part of the tie
        ("abd", [2.0, 2.0 - TIE, 1.0], 1),  # the last place does not tie
        ("adc", [3.0, 1.0, 1.0 - TIE], 0),  # a movie tied from beyond the end of the list
        ("aac", [3.0, 1.0, 1.0 - TIE], 1),  # but none twice
    ],
)
def test_only_ties_may_change_places(ids: str, scores: list[float], faults: int) -> None:
    found = _faults(_movies("abc", scores), _movies(ids, scores))
    assert len(found) == faults
    assert all("row 0, places" in fault for fault in found)


def test_padding_is_a_tie() -> None:
    lowest = -3.4028234663852886e38
    known = {"movie_id": [["a", "", ""]], "score": [[1.0, lowest, lowest]]}
    assert _faults(known, known) == []
    assert _faults(known, {"movie_id": [["", "a", ""]], "score": known["score"]})


def test_a_wrong_score_title_or_source() -> None:
    known = _movies("abc", [3.0, 2.0, 1.0])
    assert _faults(known, _movies("abc", [3.0, 2.5, 1.5])) == [
        "serving_default: score[0, 1] is 2.5 instead of 2.0 (1 more differ)"
    ]
    assert (
        "title[0, 2] is 'X' instead of 'C'" in _faults(known, _movies("abc", [3, 2, 1], "ABX"))[0]
    )
    (fault,) = _faults(known, {**known, "source": ["popularity"]})
    assert fault == "serving_default: source[0] is 'popularity' instead of 'user'"


def test_not_a_number_equals_nothing() -> None:
    nan = {"rating": [float("nan")]}
    assert len(_faults(nan, nan)) == 1


def test_shapes_and_names_must_agree() -> None:
    known = {"rating": [1.0, 2.0]}
    assert _faults(known, {"rating": [1.0]}) == [
        "serving_default: rating has shape [1] instead of [2]"
    ]
    assert "outputs are ['stars'] instead of ['rating']" in _faults(known, {"stars": [1.0]})[0]


@pytest.mark.parametrize(("rank", "same"), [(4001, True), (4006, False), (1, False)])
def test_ranks_may_move_by_one_in_a_thousand(rank: int, same: bool) -> None:
    assert (_faults({"rank_raw": [4000]}, {"rank_raw": [rank]}) == []) is same
