"""The sentences on what ingestion decided say the figures that decided."""

from __future__ import annotations

from typing import Any

import pytest

from reelflow.data.ingest.results import RatingScale, SplitChoice
from reelflow.data.words import data_sentences, scale_sentences, split_sentence
from tests.ingested import ingest_summary


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"kind": "random", "asked": "random"}, ["random: ", "as split.kind says"]),
        (
            {"kind": "temporal", "reason": "known_users", "known_share": 0.872},
            ["temporal: ", "87% of the test ratings", "asks for 50%"],
        ),
        ({"kind": "last", "reason": "new_users", "known_share": 0.12}, ["last: ", "12%", "50%"]),
        ({"kind": "last", "reason": "no_test"}, ["both sides"]),
        ({"kind": "random", "reason": "no_times"}, ["have no times"]),
        ({"kind": "random", "reason": "one_time"}, ["the same time"]),
        ({"kind": "random", "reason": "few_ratings", "known_share": 0.0}, ["no user has"]),
    ],
)
def test_split(choice: dict[str, Any], words: list[str]) -> None:
    sentence = split_sentence(SplitChoice(**{"asked": "auto", "required_share": 0.5, **choice}))
    assert all(word in sentence for word in words)
    assert ("chosen by split.kind = auto" in sentence) == ("asked" not in choice)


def scale(**values: Any) -> RatingScale:
    return RatingScale(**{"asked": "auto", "lowest": 1, "highest": 10, **values})


def test_scale() -> None:
    assert scale_sentences(scale(feedback="stars")) == ["Ratings go from 1 to 10."]
    foreign = scale(feedback="stars", foreign=True, documented=(0.5, 5), suspect=-1)
    _, other, suspect = scale_sentences(foreign)
    assert "own scale, 0.5 to 5, does not fit" in other
    assert "data.unrated = -1" in suspect
    assert "count, from 1 to 10" in scale_sentences(scale(feedback="counts", asked="counts"))[0]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"absent": True}, "no column of ratings"),
        ({}, "do not vary"),
        ({"asked": "events"}, "data.feedback says so"),
    ],
)
def test_events(values: dict[str, Any], why: str) -> None:
    event, repeated, unrated = scale_sentences(scale(feedback="events", **values), 1_234, 5)
    assert why in event
    assert "predicts no stars" in event
    assert "1,234 repeated" in repeated
    assert "5 rows without a rating" in unrated


def test_all_of_it() -> None:
    assert data_sentences(ingest_summary()) == [
        "Ratings go from 0.5 to 5.",
        "Split random: ratings are held out by chance, as split.kind says.",
    ]
