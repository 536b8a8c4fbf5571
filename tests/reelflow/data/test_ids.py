"""Ids as numbers: 7, 007 and 7.0 are one, on the side of the ratings too."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from reelflow.data.ids import number_id, number_ids
from tests.reelflow.data.test_parse import RULES, parsed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        *(("7", "7"), ("007", "7"), ("7.0", "7"), ("7.", "7"), ("-07.00", "-7"), ("000", "0")),
        *(("7.5", "7.5"), ("tt007", "tt007"), ("7.0.0", "7.0.0"), ("", ""), ("٧", "٧")),
        ("0" * 5 + "9" * 30, "9" * 30),
    ],
)
def test_one_id_and_many_are_the_same(written: str, expected: str) -> None:
    assert number_id(written) == expected
    many = number_ids(pa.array([written, "7", written]).dictionary_encode())
    assert many.to_pylist() == [expected, "7", expected]
    assert len(many.dictionary) == len({expected, "7"})


def test_ratings_of_one_movie_however_it_is_written() -> None:
    block = b"u01,7.0,4,1\n1.0,007,4,1\n1,7,4,1\n1,8,4,1\n"
    rules = replace(RULES, movie_ids=pa.array(["7"]), numeric_ids=True)
    ratings = parsed(block, rules=rules).ratings
    assert ratings.column("user_id").to_pylist() == ["u01", "1", "1"]
    assert ratings.column("movie_id").to_pylist() == ["7"] * 3
    text = parsed(block, rules=replace(RULES, movie_ids=pa.array(["7"]))).ratings
    assert text.column("user_id").to_pylist() == ["1"]
