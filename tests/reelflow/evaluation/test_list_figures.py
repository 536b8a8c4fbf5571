"""Lists by themselves: coverage, novelty and stars, where the lists are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reelflow.evaluation import list_figures as measured
from reelflow.evaluation.list_figures import list_figures
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.files import ChosenWeight, ModelInfo
from tests import tiny_model
from tests.encoded_data import encoded

DATA = encoded(
    [("a", "1", 5.0, 1), ("b", "1", 4.0, 1), ("c", "2", 3.0, 1)], movies=tiny_model.MOVIES
)


def test_all_that_a_user_has_not_rated(exported: Path) -> None:
    users = np.array(["1", "1"], object)
    [found] = list_figures(Signatures.load(exported), ModelInfo(), users, DATA, seed=0)
    assert (found.order, found.users) == ("blend", 1)
    assert found.coverage == pytest.approx(10 / 12)  # all but the two that user 1 has rated
    # Two of three users have rated "1", and one "2"; others count as rated by one.
    bits = [np.log2(3 / 2), *[np.log2(3)] * 9]
    assert found.novelty == pytest.approx(np.mean(bits))
    assert found.stars is not None
    assert 1.0 <= found.stars <= 5.0


def test_retrieval_alone_stands_beside_a_blend(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "USERS", 3)
    users = np.array(tiny_model.USERS, object)
    info = ModelInfo(blend=ChosenWeight(weight=0.2))
    found = list_figures(Signatures.load(exported), info, users, DATA, seed=0)
    assert [(one.order, one.users) for one in found] == [("blend", 3), ("retrieval", 3)]
