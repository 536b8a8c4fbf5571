"""Draws of vectors against what can be computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from reelflow.model.rating import vectors as module
from reelflow.model.rating.vectors import Bag, Table, Vectors, backward, forward


def _pairs(dense: Any) -> sparse.csr_matrix:
    pairs = sparse.csr_matrix(dense.astype(np.float32))
    pairs.sort_indices()
    return pairs


def test_triangles_are_solved() -> None:
    random = np.random.default_rng(0)
    roots = random.normal(size=(7, 4, 4))
    precision = roots @ roots.transpose(0, 2, 1) + np.eye(4)
    right = random.normal(size=(7, 4))
    factors = np.linalg.cholesky(precision)
    solved = backward(factors, forward(factors, right))
    np.testing.assert_allclose(solved, np.linalg.solve(precision, right[..., None])[..., 0])


@pytest.mark.parametrize("cells", [1 << 24, 20])
def test_expectations_are_ridge_regressions(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    """With the precisions that draws begin with; in one block of owners or in several."""
    monkeypatch.setattr(module, "CELLS", cells)
    random = np.random.default_rng(0)
    dense = random.random((8, 12)) < 0.5
    dense[3] = False
    pairs = _pairs(dense)
    owners, others = pairs.nonzero()
    x = random.normal(size=(12, 3))
    targets, precisions = random.normal(size=len(owners)), random.gamma(2.0, size=len(owners))
    side = Vectors(pairs, [Table(np.ones((8, 1), np.float32))], 3, random)
    side.draw(x, targets, precisions)
    for owner in range(8):
        rows = owners == owner
        seen, weight = x[others[rows]], precisions[rows]
        square = (seen * weight[:, None]).T @ seen + module.START_PRECISION * np.eye(3)
        ridge = np.linalg.solve(square, seen.T @ (weight * targets[rows]))
        np.testing.assert_allclose(side.expected[owner], ridge, rtol=1e-4, atol=1e-5)


def test_a_bag_is_a_table() -> None:
    random = np.random.default_rng(0)
    dense = random.random((6, 9)) < 0.4
    dense[2] = False
    pairs = _pairs(dense)
    bag = Bag(pairs, pairs.T.tocsr())
    table = Table((dense / np.sqrt(np.maximum(dense.sum(axis=1, keepdims=True), 1))).astype("f4"))
    assert bag.count == table.count == 9
    np.testing.assert_allclose(bag.squares(), table.squares(), rtol=1e-6)
    weights, vectors = random.normal(size=(9, 2)), random.normal(size=(6, 2))
    np.testing.assert_allclose(bag.of(weights), table.of(weights), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(bag.back(vectors), table.back(vectors), rtol=1e-6, atol=1e-7)


def test_weights_of_features_and_precisions_are_found() -> None:
    """Vectors are seen so often that they are known: what is behind them is a regression."""
    random = np.random.default_rng(0)
    table = random.normal(size=(400, 2)).astype(np.float32)
    weights = np.array([[1.0, -2.0], [0.5, 0.0]])
    deviations = np.array([0.5, 0.1])
    truth = table @ weights + 3.0 + deviations * random.normal(size=(400, 2))
    pairs = _pairs(np.ones((400, 2)))
    side = Vectors(pairs, [Table(table)], 2, random)
    found, sizes = [], []
    for draw in range(60):
        side.draw(np.eye(2), truth.ravel(), np.full(800, 1e4))
        if draw >= 20:
            found.append(side.weights[0])
            rest = side.value - table @ side.weights[0]
            sizes.append(rest.std(axis=0))
    np.testing.assert_allclose(np.mean(found, axis=0), weights, atol=0.1)
    np.testing.assert_allclose(np.mean(sizes, axis=0), deviations, rtol=0.1)
