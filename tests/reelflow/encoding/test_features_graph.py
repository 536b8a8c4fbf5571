"""Declared movie columns and users' attributes through the real Transform graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_transform as tft

from reelflow.base import columns as f
from reelflow.data.ingest.catalogue import catalogue_schema
from reelflow.encoding.encoded import Tokens
from reelflow.encoding.graph import load_graph
from tests.reelflow.encoding.learned import learn_tables

OPTIONS = {f.MOVIE_FEATURES: True, f.USER_FEATURES: True}
SCHEMA = catalogue_schema(with_attributes=True, with_features=True)


def _table(rows: dict[str, list[list[object] | None]]) -> pa.Table:
    count = len(next(iter(rows.values())))
    return pa.table(
        [pa.array(rows.get(field.name, [None] * count), field.type) for field in SCHEMA],
        schema=SCHEMA,
    )


MOVIES = _table(
    {
        f.MOVIE_ID: [[b"m1"], [b"m2"], [b"m3"]],
        f.GENRES: [[b"Drama"], [], [b"War"]],
        f.YEAR: [[1990], None, [2000]],
        f.FEATURES: [[b"director=A", b"star=B"], [], [b"star=B"]],
    }
)
USERS = _table(
    {
        f.USER_ID: [[b"u1"], [b"u2"], [b"u3"]],
        f.TIMESTAMP: [[1, 2], [1, 1], [3, 4]],
        "gender": [[b"F"], [b"M"], None],
        "age": [[25], [17], None],
        "occupation": [[b"writer"], None, None],
        "zip_code": [[b"94110"], [b"9"], None],
    }
)
NOBODY = _table({f.USER_ID: [[b"u1"]], f.TIMESTAMP: [[1, 2]]})
BARE = _table({f.MOVIE_ID: [[b"m1"], [b"m2"]]})


def _words(tokens: Tokens) -> list[set[str]]:
    parts = np.split(tokens.indices, np.cumsum(tokens.counts)[:-1])
    return [{tokens.words[i] for i in part} for part in parts]


def test_words_stand_in_vocabulary_order(tmp_path: Path) -> None:
    uri = learn_tables(tmp_path, MOVIES, USERS, OPTIONS)
    graph, output = load_graph(uri), tft.TFTransformOutput(uri)
    assert graph.movie_features is not None
    assert graph.user_features is not None
    movies = dict(
        zip(
            output.vocabulary_by_name(f.MOVIE_VOCABULARY),
            _words(graph.movie_features(MOVIES)),
            strict=True,
        )
    )
    assert movies == {b"m1": {"director=A", "star=B"}, b"m2": set(), b"m3": {"star=B"}}
    users = dict(
        zip(
            output.vocabulary_by_name(f.USER_VOCABULARY),
            _words(graph.user_features(USERS)),
            strict=True,
        )
    )
    assert users == {
        b"u1": {"gender=F", "age=25-34", "occupation=writer", "zip region=9"},
        b"u2": {"gender=M", "age=under 18", "zip region=9"},
        b"u3": set(),
    }


@pytest.mark.slow
def test_without_any_values_there_are_no_words(tmp_path: Path) -> None:
    graph = load_graph(learn_tables(tmp_path, BARE, NOBODY, OPTIONS))
    assert graph.movie_features is not None
    assert graph.user_features is not None
    assert graph.movie_features(BARE).words == []
    assert graph.user_features(NOBODY).counts.tolist() == [0]


@pytest.mark.slow
def test_who_does_not_opt_in_has_neither(tmp_path: Path) -> None:
    graph = load_graph(learn_tables(tmp_path, MOVIES, USERS))
    assert graph.movie_features is None
    assert graph.user_features is None
