"""Calls that leave inputs out: the same answers, whichever way they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base.columns import ALLOWED, EXCLUSIONS, HISTORY, MOVIE_ID, ORDER, USER_ID, K
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import EVALUATE, RATE, RECOMMEND, RETRIEVAL, SIMILAR
from reelflow.saved_model.lean_calls import MOST, OFTEN

REQUESTS: list[tuple[str, dict[str, Any]]] = [
    (RECOMMEND, {USER_ID: ["1", "2", "nobody"]}),
    (RECOMMEND, {USER_ID: ["1"], K: 3, ORDER: [RETRIEVAL]}),
    (RECOMMEND, {USER_ID: ["", "1"], HISTORY: [["10", "11"], ["12", ""]], K: 5}),
    (RECOMMEND, {USER_ID: ["1"], EXCLUSIONS: [["10"]]}),
    (EVALUATE, {USER_ID: ["1", "2"], MOVIE_ID: ["10", "11"]}),
    (RATE, {USER_ID: ["1"], MOVIE_ID: ["10"]}),
    (SIMILAR, {MOVIE_ID: ["10"], K: 2}),
]


@pytest.mark.parametrize(("name", "inputs"), REQUESTS, ids=str)
def test_answers_stay_the_same(exported: Path, name: str, inputs: dict[str, Any]) -> None:
    signatures = Signatures.load(exported)
    first = signatures.call(name, inputs)
    for _ in range(OFTEN):
        last = signatures.call(name, inputs)
    calls = signatures._calls[name]
    assert len(calls._graphs) == 1
    for key, value in first.items():
        np.testing.assert_array_equal(last[key], value, strict=True)
    # With other values, and another number of rows.
    rows = {
        key: [*value, value[0]] if isinstance(value, list) else value
        for key, value in inputs.items()
    }
    plain = Signatures.load(exported).call(name, rows)
    for key, value in signatures.call(name, rows).items():
        np.testing.assert_array_equal(value, plain[key], strict=True)
    assert len(calls._graphs) == 1


def test_what_a_signature_refuses_is_refused_as_before(exported: Path) -> None:
    signatures = Signatures.load(exported)
    wrong = {USER_ID: [["1"]], K: 3}
    with pytest.raises((ValueError, TypeError, tf.errors.InvalidArgumentError)) as before:
        signatures.call(RECOMMEND, wrong)
    for _ in range(OFTEN):
        signatures.call(RECOMMEND, {USER_ID: ["1"], K: 3})
    assert signatures._calls[RECOMMEND]._graphs
    with pytest.raises(type(before.value)):
        signatures.call(RECOMMEND, wrong)


def test_graphs_are_bounded(exported: Path) -> None:
    signatures = Signatures.load(exported)
    movies = signatures.call(RECOMMEND, {USER_ID: ["1"]})[MOVIE_ID].shape[1]
    assert movies
    optional = {
        K: 2,
        HISTORY: [["10"]],
        EXCLUSIONS: [["11"]],
        ORDER: [RETRIEVAL],
        ALLOWED: [[True]],
    }
    for chosen in range(2 ** len(optional)):
        some = {key: value for at, (key, value) in enumerate(optional.items()) if chosen >> at & 1}
        for _ in range(OFTEN):
            signatures.call(RECOMMEND, {USER_ID: ["1"], **some})
    assert len(signatures._calls[RECOMMEND]._graphs) == MOST


def test_no_call_waits_for_a_graph(exported: Path) -> None:
    signatures = Signatures.load(exported)
    signatures.call(RECOMMEND, {USER_ID: ["1"]})
    calls = signatures._calls[RECOMMEND]
    with calls._lock:  # as if another thread made one
        for _ in range(2 * OFTEN):
            signatures.call(RECOMMEND, {USER_ID: ["1"]})
    assert not calls._graphs
