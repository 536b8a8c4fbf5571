"""The inverted file against all products, in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from reelflow.model import inverted_file
from reelflow.model.inverted_file import InvertedFile
from reelflow.model.ranking import LOWEST

SIZE, COUNT = 4, 500
RANDOM = np.random.default_rng(0)
IDS = np.sort(RANDOM.choice(COUNT, 400, replace=False)).astype(np.int32)
VECTORS = RANDOM.normal(size=(len(IDS), SIZE)).astype(np.float32)
QUERIES = RANDOM.normal(size=(3, SIZE)).astype(np.float32)
LEFT_OUT = np.array([[0, IDS[3]], [2, IDS[7]], [2, 0], [0, IDS[3]], [2, IDS[399]]], np.int32)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inverted_file, "BUCKET", 12)
    monkeypatch.setattr(inverted_file, "USUAL", 10)
    monkeypatch.setattr(inverted_file, "BLOCK", 64)


def _found(probed: int, scale: float = 1.0) -> list[dict[int, float]]:
    """Return the product by id of all that is found for each query."""
    weights = np.full(SIZE, scale, np.float32)
    index = InvertedFile(VECTORS, IDS, COUNT, probed, weights)
    products, ids = (x.numpy() for x in index(tf.constant(QUERIES), tf.constant(LEFT_OUT)))
    found = []
    for of_query, names in zip(products, ids, strict=True):
        valid = of_query > LOWEST
        assert len({*names[valid]}) == valid.sum()
        found.append(dict(zip(names[valid].tolist(), of_query[valid].tolist(), strict=True)))
    return found


def test_all_buckets_hold_all_vectors_once() -> None:
    for query, found in enumerate(_found(10_000)):
        left_out = {int(id_) for row, id_ in LEFT_OUT if row == query}
        assert {*found} == {*IDS.tolist()} - left_out
        for place, id_ in enumerate(IDS.tolist()):
            if id_ in found:
                assert found[id_] == pytest.approx(float(VECTORS[place] @ QUERIES[query]), rel=1e-4)


def test_a_few_buckets_hold_most_of_the_best() -> None:
    shares = []
    for query, found in enumerate(_found(20)):
        assert len(found) < 0.6 * len(IDS)
        left_out = {int(id_) for row, id_ in LEFT_OUT if row == query}
        order = [id_ for id_ in IDS[np.argsort(-(VECTORS @ QUERIES[query]))] if id_ not in left_out]
        shares.append(np.mean([int(id_) in found for id_ in order[:10]]))
    assert np.mean(shares) >= 0.9


def test_equal_vectors_fit_into_buckets() -> None:
    same = np.ones((100, SIZE), np.float32)
    ids = np.arange(100, dtype=np.int32)
    index = InvertedFile(same, ids, 100, 1000, np.ones(SIZE, np.float32))
    products, _ = index(tf.constant(QUERIES), tf.zeros([0, 2], tf.int32))
    assert (products.numpy() > LOWEST).sum(axis=1).tolist() == [100] * 3
